/* A constant added to joined parts: where it goes to the parts, and where it stays. */
#include "rewrites.h"

static const hone_pass *const passes[] = {
    &hone_pass_propagate, &hone_pass_simplify, &hone_pass_merge_equal, &hone_pass_add_to_parts,
    &hone_pass_propagate, &hone_pass_settle,   &hone_pass_dead_code,   NULL};

typedef struct row {
  const char *inputs, *body;
  int fired, adds;
} row;

#define X     "x: f32[n, 4, 8]"
#define P     "p = const f32[1, 5, 6] @weights+0 w = const f32[8, 6] @weights+300 "
#define TOKEN "t = const f32[1, 1, 6] @weights+99 h = shape(x) {start=0, end=1} "
static const row rows[] = {
    /* a class token for each image, and products that take the sum in */
    {X,
     P TOKEN "k = const s64[2] [1, 6] s = concat(h, k) {axis=0} e = expand(t, s) m = matmul(x, w) "
             "c = concat(e, m) {axis=1} y = add(c, p)",
     1, 1},
    /* the other way around, of one image, the positions without an axis for images */
    {"x: f32[1, 4, 8]",
     TOKEN "p = const f32[5, 6] @weights+0 w = const f32[8, 6] @weights+300 m = matmul(x, w) "
           "c = concat(m, t) {axis=-2} y = add(p, c)",
     1, 1},
    /* behind a view; two tokens */
    {"x: f32[n, 3, 8]",
     P
     "t = const f32[1, 1, 6] @weights+99 v = const f32[1, 1, 6] @weights+64 h = shape(x) {start=0, "
     "end=1} k = const s64[2] [1, 6] s = concat(h, k) {axis=0} e = expand(t, s) f = expand(v, s) "
     "i = const s64[2] [-1, 8] r = reshape(x, i) m = matmul(r, w) "
     "j = const s64[3] [-1, 3, 6] q = reshape(m, j) c = concat(e, f, q) {axis=1} y = add(c, p)",
     1, 1},
    /* one sum of a part in place of one of all */
    {"x: f32[1, 4, 6]", P TOKEN "c = concat(t, x) {axis=1} d = add(c, p) y = relu(d)", 1, 1},
    /* but not two */
    {"x: f32[n, 1, 6], z: f32[n, 4, 6]", P "c = concat(x, z) {axis=1} y = add(c, p)", 0, 1},
    {"x: f32[1, 1, 6], z: f32[1, 3, 6]", P TOKEN "c = concat(t, x, z) {axis=1} y = add(c, p)", 0,
     1},
    /* nor where the parts are read without the sum, or along another axis */
    {"x: f32[1, 4, 8]",
     P TOKEN "m = matmul(x, w) c = concat(t, m) {axis=1} d = add(c, p) "
             "y = mul(d, c)",
     0, 1},
    {"x: f32[1, 4, 8]",
     "t = const f32[1, 4, 1] @weights+0 w = const f32[8, 6] @weights+9 "
     "p = const f32[4, 1] @weights+300 m = matmul(x, w) c = concat(t, m) {axis=2} "
     "y = add(c, p)",
     0, 1},
    /* a token of one number would grow with what is added: it is added to as it was repeated */
    {X,
     P "t = const f32[1, 1, 1] @weights+99 h = shape(x) {start=0, end=1} k = const s64[2] [1, 6] "
       "s = concat(h, k) {axis=0} e = expand(t, s) m = matmul(x, w) c = concat(e, m) {axis=1} "
       "y = add(c, p)",
     1, 2},
    /* sizes that the run tells */
    {"x: f32[1, s, 8]",
     TOKEN "p = const f32[1, 4, 6] @weights+0 w = const f32[8, 6] @weights+300 m = matmul(x, w) "
           "c = concat(t, m) {axis=1} y = add(c, p)",
     0, 1},
};

static void check_row(const row *r) {
  char text[1024];
  hone_pass_log log;
  snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", r->inputs, r->body);
  hone_graph *graph = rewrite_with(text, passes, rewrite_defaults, &log, bound("rewrite", "fp32"));
  if (!graph) return;
  if (rewrite_fired(&log, "add to parts") != r->fired || rewrite_count(graph, "add") != r->adds) {
    fprintf(stderr, "fired %d and %d adds wanted:\n%s", r->fired, r->adds, rewrite_print(graph));
    check_failed++;
  }
  hone_graph_free(graph);
}

TEST(rows) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
}

int main(void) {
  RUN(rows);
  return check_report();
}
