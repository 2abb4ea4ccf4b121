/* Windows side by side become rows of a product: of which spellings, and what stays a convolution.
 * */
#include "rewrites.h"

static const hone_pass *const passes[] = {
    &hone_pass_propagate, &hone_pass_simplify, &hone_pass_merge_equal, &hone_pass_layout,
    &hone_pass_propagate, &hone_pass_settle,   &hone_pass_fold_affine, &hone_pass_patches,
    &hone_pass_propagate, &hone_pass_settle,   &hone_pass_dead_code,   NULL};

static bool takes_all(const hone_node *node) {
  return node != NULL;
}
static bool takes_no_conv(const hone_node *node) {
  return node->op != &hone_op_conv;
}

typedef struct row {
  const char *inputs, *body;
  int products, transposes; /* that there are then */
} row;

#define PLANES "x: f32[n, 4, 16, 24]"
#define PIXELS "x: f32[n, 16, 24, 4]"
#define W      "w = const f32[8, 8, 4, 64] @weights+0 b = const f32[64] @weights+77 "
#define IN     "i = transpose(x) {perm=[0, 2, 3, 1]} "
#define OUT    "o = transpose(c) {perm=[0, 3, 1, 2]} "
#define EIGHT  "{strides=[8, 8]} "
static const row rows[] = {
    /* as ONNX spells a vision transformer's: planes in, tokens out */
    {PLANES,
     W IN "c = conv(i, w, b) " EIGHT OUT "s = const s64[3] [0, 64, 6] f = reshape(o, s) "
          "y = transpose(f) {perm=[0, 2, 1]}",
     1, 1},
    /* as PyTorch exports it: the batch is what is left, and the positions come after it */
    {PLANES,
     W IN "c = conv(i, w, b) {strides=[8, 8], pads=[0, 0, 0, 0], dilations=[1, 1]} " OUT
          "s = const s64[3] [-1, 64, 6] f = reshape(o, s) t = transpose(f) {perm=[0, 2, 1]} "
          "p = const f32[1, 6, 64] @weights+3 y = add(t, p)",
     1, 1},
    /* as TensorFlow does: channels last, padded where it would have to be */
    {PIXELS,
     W "c = conv(x, w) {strides=[8, 8], padding=same_upper} d = add(c, b) s = const s64[3] [-1, 6, "
       "64] "
       "y = reshape(d, s)",
     1, 1},
    {PIXELS, W "c = conv(x, w, b) {strides=[8, 8], padding=valid} y = relu(c)", 1, 1},
    /* the picture has other readers */
    {PLANES,
     W IN "c = conv(i, w) " EIGHT "a = const s64[3] [1, 2, 3] d = reduce(i, a) {kind=max} "
          "y = add(c, d)",
     1, 1},
    /* lines and films */
    {"x: f32[n, 4, 320]",
     "w = const f32[160, 4, 64] @weights+0 i = transpose(x) {perm=[0, 2, 1]} "
     "y = conv(i, w) {strides=[160]}",
     1, 1},
    {"x: f32[2, 3, 4, 24, 16]",
     "w = const f32[2, 8, 16, 3, 64] @weights+0 i = transpose(x) {perm=[0, 2, 3, 4, 1]} "
     "y = conv(i, w) {strides=[2, 8, 16]}",
     1, 1},
    {"x: f32[n, 4, 24, 16, 3]",
     "w = const f32[2, 8, 16, 3, 64] @weights+0 y = conv(x, w) {strides=[2, 8, 16]}", 1, 1},
    /* turned otherwise: what the turn makes is read */
    {"x: f32[n, 4, 24, 16]", W "i = transpose(x) {perm=[0, 3, 2, 1]} y = conv(i, w) " EIGHT, 1, 2},
    /* windows that overlap, leave something out, begin or end outside */
    {PIXELS, W "y = conv(x, w) {strides=[4, 8]}", 0, 0},
    {PIXELS, W "y = conv(x, w) {strides=[8, 9]}", 0, 0},
    {PIXELS, W "y = conv(x, w) {strides=[8, 8], dilations=[2, 1]}", 0, 0},
    {PIXELS, W "y = conv(x, w) {strides=[8, 8], pads=[8, 0, 0, 0]}", 0, 0},
    {PIXELS, W "y = conv(x, w) {strides=[8, 8], pads=[0, 0, 0, 8]}", 0, 0},
    {"x: f32[n, 17, 24, 4]", W "y = conv(x, w) " EIGHT, 0, 0},
    {"x: f32[n, 17, 24, 4]", W "y = conv(x, w) {strides=[8, 8], padding=same_lower}", 0, 0},
    /* nobody knows whether they cover it */
    {"x: f32[n, h, 32, 4]",
     "w = const f32[4, 16, 4, 64] @weights+0 y = conv(x, w) {strides=[4, 16]}", 0, 0},
    /* groups, few filters, small windows, many channels, rows that are no multiples of 16 bytes,
     * weights that are computed */
    {PIXELS, "w = const f32[8, 8, 2, 64] @weights+0 y = conv(x, w) {strides=[8, 8], groups=2}", 0,
     0},
    {PIXELS, "w = const f32[8, 8, 4, 56] @weights+0 y = conv(x, w) " EIGHT, 0, 0},
    {PIXELS, "w = const f32[4, 4, 4, 96] @weights+0 y = conv(x, w) {strides=[4, 4]}", 0, 0},
    {"x: f32[n, 6, 6, 96]",
     "w = const f32[2, 2, 96, 64] @weights+0 y = conv(x, w) {strides=[2, 2]}", 0, 0},
    {"x: f32[n, 14, 28, 3]",
     "w = const f32[14, 14, 3, 64] @weights+0 y = conv(x, w) {strides=[14, 14]}", 0, 0},
    {PIXELS ", w: f32[8, 8, 4, 64]", "y = conv(x, w) " EIGHT, 0, 0},
};

static hone_graph *rewritten(const row *r, const hone_pass_context *context, hone_pass_log *log) {
  char text[1024];
  snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", r->inputs, r->body);
  return rewrite_with(text, passes, *context, log, bound("rewritten sums", "fp32"));
}

static hone_pass_context device(hone_dtype compute) {
  hone_pass_context context = rewrite_defaults;
  context.compute = compute;
  context.takes = takes_all;
  return context;
}

static void check_row(const row *r, const hone_pass_context *context, int products) {
  hone_pass_log log;
  hone_graph *graph = rewritten(r, context, &log);
  if (!graph) return;
  bool right = rewrite_count(graph, "matmul") == products &&
               rewrite_count(graph, "conv") == 1 - products &&
               rewrite_fired(&log, "patches to rows") == products &&
               (products != r->products || rewrite_count(graph, "transpose") == r->transposes);
  if (!right) {
    fprintf(stderr, "%d products and %d transposes wanted:\n%s", products, r->transposes,
            rewrite_print(graph));
    check_failed++;
  }
  hone_graph_free(graph);
}

TEST(rows) {
  hone_pass_context context = device(HONE_F16);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    check_row(&rows[i], &context, rows[i].products);
}

/* Only where there are tensor cores to multiply on, and the layer is not to stay in f32. */
TEST(where_it_pays) {
  hone_pass_context context = device(HONE_BF16);
  check_row(&rows[0], &context, 1);
  context = device(HONE_F32);
  check_row(&rows[0], &context, 0);
  context.tf32 = true;
  check_row(&rows[0], &context, 1);
  context.strict = true;
  check_row(&rows[0], &context, 0);
  context = device(HONE_F16);
  context.takes = takes_no_conv;
  check_row(&rows[0], &context, 0);
  context.takes = NULL;
  check_row(&rows[0], &context, 0);
}

TEST(a_layer_that_stays_in_f32) {
  hone_pass_context context = device(HONE_F16);
  const row r = {PIXELS, W "y = conv(x, w) " EIGHT " # from \"stem\"\n", 0, 0};
  check_row(&r, &context, 1);
  context.fp32_layers = "stem";
  check_row(&r, &context, 0);
}

int main(void) {
  RUN(rows);
  RUN(where_it_pays);
  RUN(a_layer_that_stays_in_f32);
  return check_report();
}
