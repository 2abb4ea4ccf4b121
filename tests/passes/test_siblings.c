/* Merging products that read one tensor: the graph after it, who stays out, the numbers. */
#include "rewrites.h"

static const hone_pass *const passes[] = {&hone_pass_merge_siblings, &hone_pass_merge_equal,
                                          &hone_pass_dead_code, NULL};

TEST(queries_keys_values) {
  static const char before[] =
      "graph g(x: f32[n, 5, 6]) -> (y) {\n"
      "  wq = const f32[6, 4] @weights+0 wk = const f32[6, 4] @weights+96\n"
      "  wv = const f32[6, 2] @weights+192 bq = const f32[4] @weights+240\n"
      "  bv = const f32[2] @weights+256 s = const s64[4] [0, 0, 2, 2] t = const s64[4] [0, 0, 2, "
      "1]\n"
      "  q0 = matmul(x, wq, bq)\n k0 = matmul(x, wk)\n v0 = matmul(x, wv, bv)\n"
      "  q1 = reshape(q0, s) k1 = reshape(k0, s) v1 = reshape(v0, t)\n"
      "  q = transpose(q1) {perm=[0, 2, 1, 3]} k = transpose(k1) {perm=[0, 2, 1, 3]}\n"
      "  v = transpose(v1) {perm=[0, 2, 1, 3]} y = attention(q, k, v)\n}\n";
  static const char *const after[] = {
      ": f32[n, 5, 10] = matmul(x, ",
      "  q0: f32[n, 5, 4] = slice(",
      "  k0: f32[n, 5, 4] = slice(",
      "  v0: f32[n, 5, 2] = slice(",
  };
  hone_pass_log log;
  hone_graph *graph =
      rewrite_with(before, passes, rewrite_defaults, &log, bound("rewrite", "fp32"));
  if (!graph) return;
  const char *text = rewrite_print(graph);
  for (size_t i = 0; i < sizeof after / sizeof *after; i++) {
    const char *found = strstr(text, after[i]);
    if (!found)
      fprintf(stderr, "'%s' is not in\n%s", after[i], text), check_failed++;
    else
      text = found;
  }
  CHECK(rewrite_count(graph, "matmul") == 1 && rewrite_fired(&log, "merge siblings") == 1);
  CHECK(graph->first->op == &hone_op_matmul && graph->first->input_count == 3);
  hone_graph_free(graph);
}

/* The body makes y; `products` are left of those that it has. */
typedef struct row {
  const char *body;
  int products;
} row;

#define X          "x: f32[n, 6, 6, 4]"
#define W          "a = const f32[1, 1, 4, 3] @weights+0 b = const f32[1, 1, 4, 5] @weights+48 "
#define V          "v = const f32[3, 3, 3, 4] @weights+128 w = const f32[3, 3, 5, 4] @weights+560 "
#define BOTH(f)    "c = conv(x, a) d = conv(x, b) " f
#define ENDS(c, d) "p = conv(" c ", v) q = conv(" d ", w) y = add(p, q)"
static const row rows[] = {
    {W V BOTH(ENDS("c", "d")), 3},
    {W V BOTH("e = relu(c) f = relu(d) " ENDS("e", "f")), 3},
    {W V "six = const f32[] 6 " BOTH(
         "e = clip(c, _, six) f = clip(d, _, six) g = silu(e) h = silu(f) ") ENDS("g", "h"),
     3},
    {W V "k = const f32[3] [1, 2, 3] c = conv(x, a, k) d = conv(x, b) " ENDS("c", "d"), 3},
    {"a = const f32[2, 2, 4, 3] @weights+0 b = const f32[2, 2, 4, 5] @weights+256 " V
     "c = conv(x, a) {strides=[2, 1], pads=[1, 0, 0, 1]} d = conv(x, b) {strides=[2, 1], "
     "pads=[1, 0, 0, 1]} v1 = const f32[1, 1, 3, 4] @weights+0 w1 = const f32[1, 1, 5, 4] "
     "@weights+0 "
     "p = conv(c, v1) q = conv(d, w1) y = add(p, q)",
     3},
    {"a = const f32[3, 4] @weights+0 b = const f32[5, 4] @weights+48 v = const f32[3, 2] "
     "@weights+0 "
     "w = const f32[5, 2] @weights+64 c = matmul(x, a) {transpose_b=true} d = matmul(x, b) "
     "{transpose_b=true} p = matmul(c, v) q = matmul(d, w) y = add(p, q)",
     3},
    /* other activations, windows, flags, types of weights: nothing to share */
    {W V BOTH("e = relu(c) f = tanh(d) " ENDS("e", "f")), 4},
    {W V "six = const f32[] 6 four = const f32[] 4 " BOTH(
         "e = clip(c, _, six) f = clip(d, _, four) ") ENDS("e", "f"),
     4},
    {"a = const f32[3, 3, 4, 3] @weights+0 b = const f32[1, 1, 4, 5] @weights+512 " V
     "c = conv(x, a) {pads=[1, 1, 1, 1]} d = conv(x, b) " ENDS("c", "d"),
     4},
    {W V "c = conv(x, a) d = conv(x, b) {pads=[1, 1, 0, 0]} e = conv(c, v) {pads=[1, 1, 0, 0]} "
         "f = conv(d, w) y = add(e, f)",
     4},
    {"a = const f32[4, 3] @weights+0 b = const f32[5, 4] @weights+48 v = const f32[3, 2] "
     "@weights+0 "
     "w = const f32[5, 2] @weights+64 c = matmul(x, a) d = matmul(x, b) "
     "{transpose_b=true} p = matmul(c, v) q = matmul(d, w) y = add(p, q)",
     4},
    /* results whose slices would be copies: read twice, by a concat, by pointwise work of two */
    {W V BOTH(ENDS("c", "d") " ") "z = relu(c)", 4},
    {W BOTH("y = concat(c, d) {axis=3}"), 2},
    {"a = const f32[1, 1, 4, 3] @weights+0 b = const f32[1, 1, 4, 3] @weights+48 " BOTH(
         "y = add(c, d)"),
     2},
    /* groups have channels of their own */
    {"a = const f32[1, 1, 2, 4] @weights+0 b = const f32[1, 1, 2, 4] @weights+48 "
     "v = const f32[1, 1, 4, 3] @weights+0 c = conv(x, a) {groups=2} d = conv(x, b) {groups=2} "
     "p = conv(c, v) q = conv(d, v) y = add(p, q)",
     4},
};

TEST(convolutions_and_products) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char text[2048];
    hone_pass_log log;
    snprintf(text, sizeof text, "graph g(" X ") -> (y%s) { %s }",
             strstr(rows[i].body, "z = ") ? ", z" : "", rows[i].body);
    hone_graph *graph =
        rewrite_with(text, passes, rewrite_defaults, &log, bound("rewrite", "fp32"));
    if (!graph) continue;
    int products = rewrite_count(graph, "conv") + rewrite_count(graph, "matmul");
    if (products != rows[i].products) {
      fprintf(stderr, "%d products wanted of\n%s\n%s", rows[i].products, text,
              rewrite_print(graph));
      check_failed++;
    }
    hone_graph_free(graph);
  }
}

/* Wide weights, and weights that would be too many bytes together, stay as they are. */
TEST(limits) {
  static const char wide[] =
      "graph g(" X
      ") -> (y) { a = const f32[1, 1, 4, 65] @weights+0\n"
      " b = const f32[1, 1, 4, 65] @weights+2048 v = const f32[1, 1, 65, 2] @weights+4096\n"
      " c = conv(x, a) d = conv(x, b) p = conv(c, v) q = conv(d, v) y = add(p, q) }";
  static const char narrow[] = "graph g(" X ") -> (y) { " W V BOTH(ENDS("c", "d")) " }";
  hone_pass_context small = rewrite_defaults;
  hone_pass_log log;
  small.fold_limit = 4 * 8 * sizeof(float) - 1;
  hone_graph_free(rewrite_with(wide, passes, rewrite_defaults, &log, 0));
  CHECK(rewrite_fired(&log, "merge siblings") == 0);
  hone_graph_free(rewrite_with(narrow, passes, small, &log, 0));
  CHECK(rewrite_fired(&log, "merge siblings") == 0);
  small.fold_limit++;
  hone_graph_free(rewrite_with(narrow, passes, small, &log, bound("rewrite", "fp32")));
  CHECK(rewrite_fired(&log, "merge siblings") == 1);
}

int main(void) {
  RUN(queries_keys_values);
  RUN(convolutions_and_products);
  RUN(limits);
  return check_report();
}
