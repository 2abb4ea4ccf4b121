/* Scales before products: what goes into the weights, and what cannot. */
#include "rewrites.h"

static const hone_pass *const passes[] = {&hone_pass_propagate, &hone_pass_fold_affine,
                                          &hone_pass_dead_code, NULL};

/* The body makes y; `muls` are left. */
typedef struct row {
  const char *inputs, *body;
  int muls;
} row;

#define X "x: f32[n, 6, 6, 4]"
#define S "s = const f32[4] [0.5, -2, 3, 0.25] "
#define W "w = const f32[3, 3, 4, 5] @weights+0 "
static const row rows[] = {
    {X, S W "m = mul(x, s) y = conv(m, w) {pads=[1, 0, 1, 1]}", 0},
    {X, "s = const f32[] 0.0039 " W "m = mul(s, x) y = conv(m, w)", 0},
    {X, S "w = const f32[2, 2, 5, 4] @weights+0 m = mul(x, s) y = conv_transpose(m, w)", 0},
    {X, S "w = const f32[4, 5] @weights+0 m = mul(x, s) y = matmul(m, w) {alpha=0.5}", 0},
    {X, S "w = const f32[5, 4] @weights+0 m = mul(x, s) y = matmul(m, w) {transpose_b=true}", 0},
    /* several products take it each for itself */
    {X,
     S W "v = const f32[1, 1, 4, 5] @weights+1024 m = mul(x, s) a = conv(m, w) {pads=[1, 1, 1, 1]} "
         "b = conv(m, v) y = sub(a, b)",
     0},
    /* before and after */
    {X, S W "t = const f32[5] [1, 2, 3, 4, 5] m = mul(x, s) c = conv(m, w) y = mul(c, t)", 0},
    /* others read it, groups see some channels only, along other axes, twice the same weights */
    {X,
     S W "m = mul(x, s) a = conv(m, w) {pads=[1, 1, 1, 1]} o = const s64[1] [3] "
         "r = reduce(m, o) {kind=max} y = add(a, r)",
     1},
    {X, S "w = const f32[3, 3, 2, 6] @weights+0 m = mul(x, s) y = conv(m, w) {groups=2}", 1},
    {X, "s = const f32[6, 1] [1, 2, 3, 4, 5, 6] " W "m = mul(x, s) y = conv(m, w)", 1},
    {X, S W "m = mul(x, s) a = conv(m, w) b = conv(x, w) y = sub(a, b)", 1},
    {"x: f32[4, 5, 4]",
     S "w = const f32[5, 3] @weights+0 m = mul(x, s) "
       "y = matmul(m, w) {transpose_a=true}",
     1},
    {X ", z: f32[4]", W "m = mul(x, z) y = conv(m, w)", 1},
};

static void check_row(const row *r, hone_pass_context context, int muls) {
  char text[2048];
  hone_pass_log log;
  snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", r->inputs, r->body);
  hone_graph *graph = rewrite_with(text, passes, context, &log, bound("rewritten sums", "fp32"));
  if (!graph) return;
  if (rewrite_count(graph, "mul") != muls) {
    fprintf(stderr, "%d mul wanted:\n%s", muls, rewrite_print(graph));
    check_failed++;
  }
  hone_graph_free(graph);
}

TEST(scales_before_products) {
  hone_pass_context strict = rewrite_defaults;
  strict.strict = true;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    check_row(&rows[i], rewrite_defaults, rows[i].muls);
  check_row(&rows[0], strict, 1);
}

/* ---- Norms before products, on a device that stores 16 bits ------------------------------------ */

static bool takes_node(const hone_node *node) {
  return node != NULL;
}

/* The body makes y; so many norms give their scale and shift away. */
typedef struct norm_row {
  const char *inputs, *body;
  int fired;
} norm_row;

#define XN "x: f32[n, 6, 4]"
#define N  "s = const f32[4] [0.5, -2, 3, 0.25] b = const f32[4] [1, -0.5, 2, 0] "
#define WN "w = const f32[4, 5] @weights+0 "
static const norm_row norm_rows[] = {
    {XN, N WN "m = layer_norm(x, s, b) y = matmul(m, w)", 1},
    {XN, N WN "c = const f32[5] [1, 2, 3, 4, 5] m = layer_norm(x, s, b) "
              "y = matmul(m, w, c) {alpha=0.5}", 1},
    {XN, N "w = const f32[5, 4] @weights+0 m = rms_norm(x, s) "
           "y = matmul(m, w) {transpose_b=true}", 1},
    {XN, N WN "m = layer_norm(x, _, b) y = matmul(m, w)", 1},
    {XN, N WN "v = const f32[4, 5] @weights+1024 m = layer_norm(x, s, b) p = matmul(m, w) "
              "q = matmul(m, v) y = sub(p, q)", 1},
    /* others read it, on the right, along two axes, weights that others read, scales that lose bits */
    {XN, N WN "m = layer_norm(x, s, b) p = matmul(m, w) a = const s64[1] [2] "
              "r = reduce(m, a) {kind=max} y = add(p, r)", 0},
    {"x: f32[6, 4]", N "v = const f32[5, 6] @weights+0 m = layer_norm(x, s, b) y = matmul(v, m)",
     0},
    {XN, N WN "m = layer_norm(x, s, b) {axis=1} y = matmul(m, w)", 0},
    {XN, N WN "m = layer_norm(x, s, b) p = matmul(m, w) q = matmul(x, w) y = sub(p, q)", 0},
    {XN, "s = const f32[4] [0.01, 0.02, 0.01, 0] " WN "m = rms_norm(x, s) y = matmul(m, w)", 0},
    {XN, WN "m = rms_norm(x) y = matmul(m, w)", 0},
    {XN ", z: f32[4]", WN "m = rms_norm(x, z) y = matmul(m, w)", 0},
};

static void check_norm(const norm_row *r, hone_pass_context context, int fired) {
  char text[2048];
  hone_pass_log log;
  snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", r->inputs, r->body);
  hone_graph *graph = rewrite_with(text, passes, context, &log, bound("rewritten sums", "fp32"));
  if (!graph) return;
  if (rewrite_fired(&log, "norm's scale and shift into weights") != fired) {
    fprintf(stderr, "%d norms wanted:\n%s", fired, rewrite_print(graph));
    check_failed++;
  }
  hone_graph_free(graph);
}

TEST(norms_before_products) {
  hone_pass_context device = rewrite_defaults;
  device.compute = HONE_F16;
  device.takes = takes_node;
  for (size_t i = 0; i < sizeof norm_rows / sizeof *norm_rows; i++) {
    check_norm(&norm_rows[i], device, norm_rows[i].fired);
    check_norm(&norm_rows[i], rewrite_defaults, 0);
  }
}

int main(void) {
  RUN(scales_before_products);
  RUN(norms_before_products);
  return check_report();
}
