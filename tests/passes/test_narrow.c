/* What a device computes is stored in f16 or bf16; what would overflow, what is made of shapes and what
 * the device has no kernel for stays f32; types seen from outside stay. */
#include "rewrites.h"

static const hone_pass *const narrowing[] = {&hone_pass_narrow, NULL};

/* A device that has kernels for all but one op. */
static bool takes_node(const hone_node *node) {
  return node->op != &hone_op_softplus;
}

typedef struct row {
  const char *inputs, *body;
  int narrow, casts;
  const char *kept; /* what the log says was kept; NULL: nothing */
} row;

#define W "w = const f32[4, 4] @weights+0 "
static const row rows[] = {
    {"x: f32[n, 4]", W "a = matmul(x, w) y = relu(a)", 2, 3, NULL},
    /* one cast serves all readers */
    {"x: f32[n, 4]", "a = relu(x) b = tanh(x) y = add(a, b)", 3, 2, NULL},
    {"x: f32[n, 4]", "y = transpose(x) {perm=[1, 0]}", 1, 2, NULL},
    /* f32 between two narrow nodes */
    {"x: f32[n, 4]", "a = relu(x) b = exp(a) y = tanh(b)", 2, 4, "kept in f32: exp"},
    {"x: f32[n, 4]", "a = const s64[1] [1] y = reduce(x, a) {kind=sum}", 0, 0, "kept in f32: sums"},
    {"x: f32[n, 4]", "a = const s64[1] [1] y = reduce(x, a) {kind=mean}", 1, 2, NULL},
    {"x: f32[n, 4]", "c = const f32[] -1e9 a = mul(x, c) y = tanh(a)", 1, 2,
     "kept in f32: a constant beyond f16"},
    {"x: f32[n, 4]", "a = relu(x) b = softplus(a) y = relu(b)", 2, 4, NULL},
    /* of shapes alone; and a floor shows a rounding */
    {"x: f32[n, 4]", "s = shape(x) f = cast(s) {to=f32} g = sqrt(f) y = cast(g) {to=s64}", 0, 2, NULL},
    {"x: f32[n, 4]", "y = floor(x)", 0, 0, NULL},
    {"x: s32[n, 4]", "y = abs(x)", 0, 0, NULL},
};

static void check_row(const row *r, hone_dtype compute) {
  char text[1024];
  hone_pass_log log;
  hone_pass_context context = rewrite_defaults;
  bool f16 = compute == HONE_F16;
  context.compute = compute;
  context.takes = takes_node;
  snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", r->inputs, r->body);
  hone_graph *graph =
      rewrite_with(text, narrowing, context, &log, bound("widened", f16 ? "f16" : "bf16"));
  if (!graph) return;
  const char *fired = f16 ? "store in f16" : "store in bf16";
  if (rewrite_fired(&log, fired) != r->narrow || rewrite_count(graph, "cast") != r->casts ||
      (r->kept && rewrite_fired(&log, r->kept) != 1)) {
    fprintf(stderr, "%d narrow and %d casts wanted:\n%s", r->narrow, r->casts, rewrite_print(graph));
    check_failed++;
  }
  hone_graph_free(graph);
}

TEST(rows) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i], HONE_F16);
}

/* bf16 has the range of f32, so that no constant is beyond it. */
TEST(bf16) {
  check_row(&rows[0], HONE_BF16);
  check_row(&rows[3], HONE_BF16);
}

TEST(tf32_marks_products) {
  hone_pass_log log;
  hone_pass_context context = rewrite_defaults;
  context.tf32 = true;
  context.takes = takes_node;
  hone_graph *graph = rewrite_with("graph g(x: f32[n, 4]) -> (y) { " W "a = matmul(x, w) y = relu(a) }",
                                   narrowing, context, &log, 0);
  CHECK(graph && rewrite_fired(&log, "multiply in tf32") == 1 && rewrite_count(graph, "cast") == 0);
  hone_graph_free(graph);
}

/* Attention is two products. */
TEST(tf32_marks_attention) {
  hone_pass_log log;
  hone_pass_context context = rewrite_defaults;
  context.tf32 = true;
  context.takes = takes_node;
  hone_graph *graph = rewrite_with(
      "graph g(q: f32[1, 2, 8, 16], k: f32[1, 2, 8, 16], v: f32[1, 2, 8, 16]) -> (y) "
      "{ y = attention(q, k, v) }", narrowing, context, &log, 0);
  CHECK(graph && rewrite_fired(&log, "multiply in tf32") == 1);
  CHECK(graph && hone_node_flag(graph->first, "tf32"));
  hone_graph_free(graph);
}

int main(void) {
  RUN(rows);
  RUN(bf16);
  RUN(tf32_marks_products);
  RUN(tf32_marks_attention);
  return check_report();
}
