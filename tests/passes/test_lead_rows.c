/* Constant rows before a product's: where they become rows of zeros of it, and where they are joined. */
#include "rewrites.h"

static const hone_pass *const passes[] = {
    &hone_pass_propagate, &hone_pass_simplify,  &hone_pass_merge_equal, &hone_pass_add_to_parts,
    &hone_pass_propagate, &hone_pass_lead_rows, &hone_pass_propagate,   &hone_pass_settle,
    &hone_pass_dead_code, NULL};

static bool takes_all(const hone_node *node) {
  return node != NULL;
}
static bool takes_no_product(const hone_node *node) {
  return node->op != &hone_op_matmul;
}

typedef struct row {
  const char *inputs, *body;
  int fired, concats; /* that there are then */
} row;

#define X      "x: f32[n, 4, 16]"
#define W      "w = const f32[16, 8] @weights+300 "
#define P      "p = const f32[1, 5, 8] @weights+0 "
#define TOKEN  "t = const f32[1, 1, 8] @weights+99 "
#define SIZE   "h = shape(x) {start=0, end=1} k = const s64[2] [1, 8] s = concat(h, k) {axis=0} "
#define REPEAT TOKEN SIZE "e = expand(t, s) "
static const row rows[] = {
    /* a class token for each picture */
    {X, W P REPEAT "m = matmul(x, w) c = concat(e, m) {axis=1} y = add(c, p)", 1, 0},
    /* with a bias, one picture, positions that are added from the left without an axis of pictures */
    {"x: f32[1, 4, 16]",
     W TOKEN "b = const f32[8] @weights+50 p = const f32[5, 8] @weights+0 m = matmul(x, w, b) "
             "c = concat(t, m) {axis=-2} y = add(p, c)",
     1, 0},
    /* patches by their two axes, as pass `patches` leaves them; two tokens at once; read by two */
    {"x: f32[n, 2, 2, 16]",
     W SIZE "t = const f32[1, 2, 8] @weights+99 l = const s64[1] [2] o = const s64[1] [8] "
            "g = concat(h, l, o) {axis=0} e = expand(t, g) p = const f32[1, 6, 8] @weights+0 "
            "b = const f32[8] @weights+50 m = matmul(x, w, b) j = const s64[3] [-1, 4, 8] "
            "q = reshape(m, j) c = concat(e, q) {axis=1} d = add(c, p) r = relu(d) y = mul(r, d)",
     1, 0},
    /* the token is last; there are two parts of it; it is an input */
    {X, W P REPEAT "m = matmul(x, w) c = concat(m, e) {axis=1} y = add(c, p)", 0, 2},
    {"x: f32[n, 3, 16]",
     W P REPEAT "m = matmul(x, w) c = concat(e, e, m) {axis=1} y = add(c, p)", 0, 2},
    {X ", e: f32[n, 1, 8]", W P "m = matmul(x, w) c = concat(e, m) {axis=1} y = add(c, p)", 0, 1},
    /* nothing is added, or what the run tells */
    {X, W REPEAT "m = matmul(x, w) y = concat(e, m) {axis=1}", 0, 2},
    {X ", p: f32[1, 5, 8]",
     W REPEAT "m = matmul(x, w) c = concat(e, m) {axis=1} y = add(c, p)", 0, 2},
    /* the product, or its sum, is read elsewhere */
    {X, W P REPEAT "m = matmul(x, w) a = const s64[1] [1] u = reduce(m, a) {kind=max} "
                   "c = concat(e, m) {axis=1} d = add(c, p) y = add(d, u)", 0, 2},
    /* columns or depth that are no multiples of 16 bytes; another matrix for each picture; turned */
    {"x: f32[n, 4, 12]",
     P REPEAT "w = const f32[12, 8] @weights+300 m = matmul(x, w) c = concat(e, m) {axis=1} "
              "y = add(c, p)", 0, 2},
    {X ", w: f32[n, 16, 8]",
     P REPEAT "m = matmul(x, w) c = concat(e, m) {axis=1} y = add(c, p)", 0, 2},
    {X, P REPEAT "w = const f32[8, 16] @weights+300 m = matmul(x, w) {transpose_b=true} "
                 "c = concat(e, m) {axis=1} y = add(c, p)", 0, 2},
    /* another axis */
    {"x: f32[1, 4, 16]",
     W "t = const f32[1, 4, 8] @weights+99 p = const f32[1, 4, 16] @weights+0 m = matmul(x, w) "
       "c = concat(t, m) {axis=2} y = add(c, p)", 0, 1},
    /* sizes that the run tells */
    {"x: f32[1, s, 16]",
     W TOKEN "p = const f32[1, 4, 8] @weights+0 m = matmul(x, w) c = concat(t, m) {axis=1} "
             "y = add(c, p)", 0, 1},
};

static hone_pass_context device(hone_dtype compute) {
  hone_pass_context context = rewrite_defaults;
  context.compute = compute;
  context.takes = takes_all;
  return context;
}

static void check_row(const row *r, const hone_pass_context *context, int fired, int concats) {
  char text[1024];
  hone_pass_log log;
  snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", r->inputs, r->body);
  hone_graph *graph = rewrite_with(text, passes, *context, &log, bound("rewrite", "fp32"));
  if (!graph) return;
  bool right = rewrite_fired(&log, "constant rows into a product") == fired &&
               rewrite_count(graph, "conv") == fired && rewrite_count(graph, "concat") == concats;
  if (!right) {
    fprintf(stderr, "fired %d and %d concats wanted:\n%s", fired, concats, rewrite_print(graph));
    check_failed++;
  }
  hone_graph_free(graph);
}

TEST(rows) {
  hone_pass_context context = device(HONE_F16);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    check_row(&rows[i], &context, rows[i].fired, rows[i].concats);
}

/* Where the sums are in tensor cores, whose kernels are short. */
TEST(where_it_pays) {
  hone_pass_context context = device(HONE_BF16);
  check_row(&rows[0], &context, 1, 0);
  context = device(HONE_F32);
  check_row(&rows[0], &context, 0, 2);
  context.tf32 = true;
  check_row(&rows[0], &context, 1, 0);
  context.strict = true;
  check_row(&rows[0], &context, 0, 2);
  context = device(HONE_F16);
  context.takes = takes_no_product;
  check_row(&rows[0], &context, 0, 2);
  context.takes = NULL;
  check_row(&rows[0], &context, 0, 2);
}

int main(void) {
  RUN(rows);
  RUN(where_it_pays);
  return check_report();
}
