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

int main(void) {
  RUN(scales_before_products);
  return check_report();
}
