/* Products of dequantized bytes as sums of integers: what becomes one, what does not, and what is
 * left between two of them. */
#include "rewrites.h"

static const hone_pass *const passes[] = {&hone_pass_propagate, &hone_pass_integers,
                                          &hone_pass_propagate, &hone_pass_lower_quantize,
                                          &hone_pass_dead_code, NULL};

/* The body makes y; so many integer products are made, so many round nodes are left. */
typedef struct row {
  const char *inputs, *body;
  int products, rounds;
} row;

#define X     "x: u8[n, 6, 6, 4]"
#define DX    "sx = const f32[] 0.0517 zx = const u8[] 2 dx = dequantize(x, sx, zx) "
#define MOVED                                              \
  "t = const s64[2] [-1, 4] r = reshape(dx, t) " \
  "h = transpose(r) {perm=[1, 0]} "
#define BYTES "q = const s8[3, 3, 4, 5] @weights+64 "
#define W     BYTES "t = const f32[5] [0.5, 0.01, 0.2, 0.1, 0.03] w = dequantize(q, t) {axis=3} "
#define TO(x) "sy = const f32[] 0.3071 zy = const u8[] 9 y = quantize(" x ", sy, zy) "
static const row rows[] = {
    {X, DX W "y = conv(dx, w) {pads=[1, 0, 1, 1], strides=[2, 1]}", 1, 0},
    {X, DX W "c = conv(dx, w) " TO("c"), 1, 1},
    {X, DX W "c = conv(dx, w) r = relu(c) " TO("r"), 1, 1},
    {X,
     DX W "c = conv(dx, w) s1 = const f32[] 0.2113 z1 = const u8[] 7 a = quantize(c, s1, z1) "
          "b = dequantize(a, s1, z1) r = relu(b) " TO("r"),
     1, 2},
    {X ", r: s8[n, 4, 4, 5]",
     DX W "c = conv(dx, w) s1 = const f32[] 0.2113 d = dequantize(r, s1) "
          "a = add(c, d) " TO("a"),
     1, 1},
    {X,
     DX "p = pool(dx) {kind=max, window=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]} "
        "a = quantize(p, sx, zx) b = dequantize(a, sx, zx) " W "y = conv(b, w)",
     1, 0},
    /* moved bytes are on their grid already; not on another, nor what joins them */
    {X, DX MOVED "q = quantize(h, sx, zx) y = dequantize(q, sx, zx)", 0, 0},
    {X, DX MOVED "z = const u8[] 3 q = quantize(h, sx, z) y = dequantize(q, sx, z)", 0, 1},
    {X, DX MOVED "q = quantize(h, sx, zx) z = const u8[] 3 y = dequantize(q, sx, z)", 0, 1},
    {X,
     DX MOVED "q = quantize(h, sx, zx) d = dequantize(q, sx, zx) k = transpose(d) {perm=[1, 0]} "
              "m = const s8[4, 3] @weights+8 v = const f32[] 0.1 w = dequantize(m, v) "
              "y = matmul(k, w)",
     1, 1},
    {X ", f: f32[n, 6, 6, 4]",
     DX "c = concat(dx, f) {axis=0} q = quantize(c, sx, zx) y = dequantize(q, sx, zx)", 0, 1},
    /* one scale, a zero point, a bias in whole steps and one that is not */
    {X,
     DX BYTES "t = const f32[] 0.1 z = const s8[] 3 w = dequantize(q, t, z) "
              "b = const f32[5] [0.00517, 0.01034, -0.517, 1.034, 0] y = conv(dx, w, b)",
     1, 0},
    {X, DX W "b = const f32[5] [0.3333, 0.1, 7, 0.01, 9] y = conv(dx, w, b)", 1, 0},
    /* transposes between */
    {"x: u8[n, 4, 6, 6]",
     DX "h = transpose(dx) {perm=[0, 2, 3, 1]} q = const s8[5, 4, 3, 3] @weights+8 "
        "t = const f32[5] [0.5, 0.01, 0.2, 0.1, 0.03] v = dequantize(q, t) {axis=0} "
        "w = transpose(v) {perm=[2, 3, 1, 0]} y = conv(h, w)",
     1, 0},
    {"x: s8[n, 3, 4]",
     "sx = const f32[] 0.0517 dx = dequantize(x, sx) q = const u8[4, 5] @weights+8 "
     "t = const f32[5] [0.5, 0.01, 0.2, 0.1, 0.03] z = const u8[5] [128, 7, 0, 255, 3] "
     "w = dequantize(q, t, z) {axis=1} y = matmul(dx, w) {alpha=0.5}",
     1, 0},
    {"x: s8[n, 3, 4]",
     "sx = const f32[] 0.0517 dx = dequantize(x, sx) q = const s8[5, 4] @weights+8 "
     "t = const f32[5] [0.5, 0.01, 0.2, 0.1, 0.03] w = dequantize(q, t) {axis=0} "
     "b = const f32[5] [1, 2, 3, 4, 5] y = matmul(dx, w, b) {transpose_b=true}",
     1, 0},
    /* scales along the depth, of x along an axis, weights of the run, wider types, floats */
    {X,
     DX BYTES
     "t = const f32[4] [0.5, 0.01, 0.2, 0.1] w = dequantize(q, t) {axis=2} y = conv(dx, w)",
     0, 0},
    {X, "sx = const f32[4] [1, 2, 3, 4] dx = dequantize(x, sx) {axis=3} " W "y = conv(dx, w)", 0,
     0},
    {X ", q: s8[3, 3, 4, 5]", DX "t = const f32[] 0.1 w = dequantize(q, t) y = conv(dx, w)", 0, 0},
    {"x: s16[n, 6, 6, 4]", "sx = const f32[] 0.0517 dx = dequantize(x, sx) " W "y = conv(dx, w)", 0,
     0},
    {"dx: f32[n, 6, 6, 4]", W "y = conv(dx, w)", 0, 0},
};

/* Results of quantize may be a step apart where a quotient lies between two. */
static void check_row(const row *r) {
  char text[4096];
  hone_pass_log log;
  snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", r->inputs, r->body);
  hone_graph *graph =
      rewrite_with(text, passes, rewrite_defaults, &log, bound("rewritten sums", "fp32"));
  if (!graph) return;
  int products = rewrite_count(graph, "conv_integer") + rewrite_count(graph, "matmul_integer");
  if (products != r->products || rewrite_count(graph, "round") != r->rounds) {
    fprintf(stderr, "%d products, %d roundings wanted:\n%s", r->products, r->rounds,
            rewrite_print(graph));
    check_failed++;
  }
  hone_graph_free(graph);
}

TEST(products) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
}

/* No step leaves the floats, no quotient is left, relu is a limit. */
TEST(between_products) {
  hone_pass_log log;
  hone_graph *graph =
      rewrite_with("graph g(" X ") -> (y) { " DX W
                   "c = conv(dx, w) s1 = const f32[] 0.2113 z1 = const u8[] 7 "
                   "a = quantize(c, s1, z1) b = dequantize(a, s1, z1) r = relu(b) " TO("r") "}",
                   passes, rewrite_defaults, &log, bound("rewritten sums", "fp32"));
  CHECK(graph && rewrite_count(graph, "div") == 0 && rewrite_count(graph, "relu") == 0);
  CHECK(graph && rewrite_count(graph, "cast") == 2 && rewrite_count(graph, "mul") == 2);
  hone_graph_free(graph);
  hone_pass_context strict = rewrite_defaults;
  strict.strict = true;
  graph = rewrite_with("graph g(" X ") -> (y) { " DX W "c = conv(dx, w) " TO("c") "}", passes,
                       strict, &log, bound("rewritten sums", "fp32"));
  CHECK(graph && rewrite_count(graph, "div") == 1);
  hone_graph_free(graph);
}

static const hone_pass *const tables[] = {&hone_pass_propagate, &hone_pass_integers,
                                          &hone_pass_byte_tables, &hone_pass_propagate,
                                          &hone_pass_lower_quantize, &hone_pass_dead_code, NULL};

/* So many tables, so many quotients and products of floats left beside them. */
static void check_tables(const char *inputs, const char *body, int wanted, int divisions) {
  char text[4096];
  hone_pass_log log;
  snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", inputs, body);
  hone_graph *graph = rewrite_with(text, tables, rewrite_defaults, &log, 0);
  if (!graph) return;
  if (rewrite_count(graph, "byte_table") != wanted || rewrite_count(graph, "div") != divisions) {
    fprintf(stderr, "%d tables, %d quotients wanted:\n%s", wanted, divisions, rewrite_print(graph));
    check_failed++;
  }
  hone_graph_free(graph);
}

TEST(functions_of_a_byte) {
#define T "s1 = const f32[] 0.0113 z1 = const u8[] 3 "
#define BACK(x) "quantize(" x ", s1, z1) "
#define FORTH(x) "dequantize(" x ", s1, z1) "
  check_tables(X, DX T "a = gelu(dx) y = " BACK("a"), 1, 0);
  check_tables(X, DX T "y = " BACK("dx"), 1, 0);
  check_tables("x: s8[n, 3]", "sx = const f32[] 0.7 dx = dequantize(x, sx) " T "c = const f32[1] [0.3] "
               "a = add(c, dx) b = exp(a) y = " BACK("b"), 1, 0);
  /* x sigmoid(x), each step quantised; one table where nobody else reads the sigmoid */
  check_tables(X, DX T "a = sigmoid(dx) b = " BACK("a") "c = " FORTH("b") "d = mul(dx, c) "
               "y = " BACK("d"), 1, 0);
  check_tables(X, DX T "a = sigmoid(dx) b = " BACK("a") "c = " FORTH("b") "d = tanh(c) "
               "y = " BACK("d"), 1, 0);
  check_tables("f: f32[n, 3]", T "x = " BACK("f") "dx = " FORTH("x") "a = tanh(dx) y = " BACK("a"),
               1, 1);
  /* no function of one byte: a row beside it, another size, two bytes, axis scales, floats */
  check_tables(X, DX T "c = const f32[4] [1, 2, 3, 4] a = add(dx, c) y = " BACK("a"), 0, 0);
  check_tables("x: u8[n, 1, 4]", DX T "c = const f32[2, 1] [1, 1] a = add(dx, c) y = " BACK("a"), 0,
               0);
  check_tables(X ", b: u8[n, 6, 6, 4]", DX T "c = " FORTH("b") "a = mul(dx, c) y = " BACK("a"), 0, 0);
  check_tables(X, DX T "a = softmax(dx) y = " BACK("a"), 0, 1);
  check_tables(X, DX "t = const f32[4] [1, 2, 3, 4] a = tanh(dx) y = quantize(a, t) {axis=3}", 0, 1);
  check_tables("f: f32[n, 3]", T "a = tanh(f) y = " BACK("a"), 0, 1);
}

/* Of the pixels only, with a scale for all. */
TEST(means) {
  static const struct {
    const char *body;
    int means;
  } means[] = {
      {DX "a = const s64[2] [1, 2] y = reduce(dx, a) {kind=mean}", 1},
      {DX "a = const s64[2] [1, 2] y = reduce(dx, a) {kind=mean, keep=false}", 0},
      {DX "a = const s64[2] [1, 2] y = reduce(dx, a) {kind=sum}", 0},
      {DX "a = const s64[2] [2, 3] y = reduce(dx, a) {kind=mean}", 0},
      {"sx = const f32[4] [1, 2, 3, 4] dx = dequantize(x, sx) {axis=3} a = const s64[2] [1, 2] "
       "y = reduce(dx, a) {kind=mean}", 0},
  };
  hone_pass_context strict = rewrite_defaults;
  strict.strict = true;
  for (size_t i = 0; i < 2 * (sizeof means / sizeof *means); i++) {
    char text[1024];
    hone_pass_log log;
    snprintf(text, sizeof text, "graph g(" X ") -> (y) { %s }", means[i / 2].body);
    hone_graph *graph = rewrite_with(text, passes, i % 2 ? strict : rewrite_defaults, &log,
                                     bound("rewritten sums", "fp32"));
    CHECK(graph && rewrite_count(graph, "byte_mean") == (i % 2 ? 0 : means[i / 2].means));
    hone_graph_free(graph);
  }
}

int main(void) {
  RUN(products);
  RUN(between_products);
  RUN(functions_of_a_byte);
  RUN(means);
  return check_report();
}
