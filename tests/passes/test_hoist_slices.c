/* Rows that nothing reads are not computed: before which nodes a slice goes, and where it stays. */
#include "rewrites.h"

static const hone_pass *const passes[] = {
    &hone_pass_propagate,    &hone_pass_simplify,  &hone_pass_merge_equal,
    &hone_pass_hoist_slices, &hone_pass_propagate, &hone_pass_merge_equal,
    &hone_pass_settle,       &hone_pass_dead_code, NULL};

/* Of 12 tokens: `whole` nodes still make as many rows, and there are so many slices. */
typedef struct row {
  const char *inputs, *body;
  int fired, whole, slices;
} row;

#define X      "x: f32[n, 12, 8]"
#define FIRST  "g = const s64[] 0 "
#define SLICED "o = const s64[1] [0] e = const s64[1] [2] a = const s64[1] [1] "
#define W      "w = const f32[8, 8] @weights+0 b = const f32[8] @weights+99 "
static const row rows[] = {
    /* a norm, in the spellings of PyTorch's x[:, 0] and of a slice, of the last token and of two */
    {X, FIRST "m = layer_norm(x, _, _) y = gather(m, g) {axis=1}", 1, 0, 1},
    {X,
     "s = const f32[8] @weights+0 g = const s64[] -1 m = rms_norm(x, s) {axis=2} "
     "y = gather(m, g) {axis=1}",
     1, 0, 1},
    {X, SLICED "m = softmax(x) y = slice(m, o, e, a)", 1, 0, 1},
    /* as TensorFlow slices: all axes, of which one is cut */
    {X,
     "m = layer_norm(x) o = const s64[3] [0, 0, 0] e = const s64[3] [9223372036854775807, 1, "
     "9223372036854775807] "
     "i = const s64[3] [1, 1, 1] k = const s64[3] [0, 1, 2] y = slice(m, o, e, k, i)",
     1, 0, 1},
    {"x: f32[n, t, 8]", FIRST "m = layer_norm(x) y = gather(m, g) {axis=1}", 1, 0, 1},
    /* a product whose rows are read where they lie, with what finishes it */
    {X, W FIRST "m = matmul(x, w, b) r = gelu(m) y = gather(r, g) {axis=1}", 1, 0, 1},
    {"x: f32[12, 8]", W FIRST "m = matmul(x, w, b) y = gather(m, g) {axis=0}", 1, 0, 1},
    {"x: f32[n, 12, 3, 8]", W FIRST "m = matmul(x, w, b) y = gather(m, g) {axis=1}", 1, 0, 1},
    /* positions are cut as well, what broadcasts is not */
    {X ", z: f32[n, 1, 8]",
     W FIRST "c = const f32[12, 8] @weights+7 m = matmul(x, w) d = add(c, m) f = mul(z, d) "
             "y = gather(f, g) {axis=1}",
     1, 0, 1},
    /* the last layer of a transformer: both ways of the residual are cut at one place */
    {X ", h: f32[n, 12, 8]",
     W FIRST "m = matmul(h, w, b) r = add(x, m) k = layer_norm(r) u = matmul(k, w, b) v = gelu(u) "
             "f = matmul(v, w, b) s = add(r, f) q = layer_norm(s) l = gather(q, g) {axis=1} "
             "y = matmul(l, w, b)",
     1, 0, 2},
    /* tokens before images between two transposes */
    {"x: f32[n, 12, 8], h: f32[12, n, 8]",
     W FIRST "m = matmul(h, w) t = transpose(m) {perm=[1, 0, 2]} r = add(x, t) q = layer_norm(r) "
             "y = gather(q, g) {axis=1}",
     1, 0, 2},
    /* a product of two computed operands is not cut, nor what stands before it */
    {X ", z: f32[n, 8, 8]",
     FIRST "r = relu(x) m = matmul(r, z) q = layer_norm(m) y = gather(q, g) {axis=1}", 1, 2, 1},
    /* pointwise work alone stays with whatever it finishes, also behind a norm */
    {X, FIRST "r = relu(x) y = gather(r, g) {axis=1}", 0, 1, 1},
    {X, FIRST "r = relu(x) q = layer_norm(r) y = gather(q, g) {axis=1}", 1, 1, 1},
    /* the rows are read elsewhere, or seen from outside */
    {X,
     FIRST "m = layer_norm(x) k = gather(m, g) {axis=1} s = const s64[1] [1] "
           "c = reduce(m, s) {kind=mean, keep=false} y = add(c, k)",
     0, 1, 1},
    /* too many rows, every second one, along the axis of the norm, two axes, places that a run
       tells */
    {X,
     "m = layer_norm(x) o = const s64[1] [0] e = const s64[1] [4] a = const s64[1] [1] "
     "y = slice(m, o, e, a)",
     0, 1, 1},
    {X,
     "m = layer_norm(x) o = const s64[1] [0] e = const s64[1] [4] a = const s64[1] [1] "
     "i = const s64[1] [2] y = slice(m, o, e, a, i)",
     0, 1, 1},
    {X, SLICED "c = const s64[1] [2] m = layer_norm(x) y = slice(m, o, e, c)", 0, 1, 1},
    {X, SLICED "m = layer_norm(x) {axis=1} y = slice(m, o, e, a)", 0, 1, 1},
    {X,
     "m = layer_norm(x) o = const s64[2] [0, 0] e = const s64[2] [1, 1] a = const s64[2] [1, 2] "
     "y = slice(m, o, e, a)",
     0, 1, 1},
    {"x: f32[n, t, 8]", SLICED "m = layer_norm(x) y = slice(m, o, e, a)", 0, 0, 1},
    /* columns of a product are its weights' to leave out */
    {X, W SLICED "c = const s64[1] [2] m = matmul(x, w) y = slice(m, o, e, c)", 0, 1, 1},
};

static int count_whole(const hone_graph *graph) {
  int count = 0;
  for (const hone_node *node = graph->first; node; node = node->next) {
    const hone_shape *shape = &node->outputs[0]->type.shape;
    bool whole = false;
    for (int i = 0; i < shape->rank; i++) whole = whole || shape->dim[i] == 12;
    count += whole && node->op != &hone_op_slice;
  }
  return count;
}

static void check_row(const row *r) {
  char text[1024];
  hone_pass_log log;
  snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", r->inputs, r->body);
  hone_graph *graph = rewrite_with(text, passes, rewrite_defaults, &log, bound("rewrite", "fp32"));
  if (!graph) return;
  if (rewrite_fired(&log, "compute only rows that are read") != r->fired ||
      count_whole(graph) != r->whole || rewrite_count(graph, "slice") != r->slices) {
    fprintf(stderr, "fired %d, %d whole and %d slices wanted:\n%s", r->fired, r->whole, r->slices,
            rewrite_print(graph));
    check_failed++;
  }
  hone_graph_free(graph);
}

TEST(rows) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
}

/* What is another size than in the model has no name of the model's. */
TEST(names_go) {
  hone_pass_log log;
  hone_graph *graph = rewrite_with("graph g(" X
                                   ") -> (y) { m = layer_norm(x) o = const s64[1] [0] "
                                   "e = const s64[1] [1] s = slice(m, o, e, e) y = relu(s) }",
                                   passes, rewrite_defaults, &log, 0);
  CHECK(graph && !hone_graph_find(graph, "m") && hone_graph_find(graph, "s"));
  hone_graph_free(graph);
}

int main(void) {
  RUN(rows);
  RUN(names_go);
  return check_report();
}
