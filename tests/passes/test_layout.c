/* Transposes sink and vanish; scales and shifts go into weights. */
#include "rewrites.h"

static const hone_pass *const passes[] = {
    &hone_pass_propagate,   &hone_pass_simplify,  &hone_pass_merge_equal,
    &hone_pass_layout,      &hone_pass_propagate, &hone_pass_settle,
    &hone_pass_fold_affine, &hone_pass_dead_code, NULL};

/* The importer's spelling of a channels-first conv: in, op, out. */
#define IN  "{perm=[0, 2, 3, 1]} "
#define OUT "{perm=[0, 3, 1, 2]} "
#define X   "x: f32[n, 4, 8, 8]"
#define CONV(y, x, w)                                                             \
  y "i = transpose(" x ") " IN y "c = conv(" y "i, " w ") {pads=[1, 1, 1, 1]} " y \
    " = transpose(" y "c) " OUT
#define W "w = const f32[3, 3, 4, 4] @weights+0 v = const f32[3, 3, 4, 4] @weights+700 "

typedef struct row {
  const char *inputs, *body;
  int transposes; /* that stay */
} row;

static const row rows[] = {
    {X, W CONV("a", "x", "w") "r = relu(a) " CONV("b", "r", "v") "y = relu(b)", 2},
    {X,
     W CONV("a", "x", "w") CONV("b", "a", "v") "s = add(b, a) " CONV("d", "s", "w") "y = relu(d)",
     2},
    {X, W CONV("a", "x", "w") "y = identity(a)", 2},
    /* a channel bias and a batch norm in channels-first form */
    {X,
     W
     "k = const f32[4, 1, 1] [1, 2, 3, 4] s = const f32[4] [1, 2, 3, 4] "
     "m = const f32[4] [0, 1, 0, 2] " CONV(
         "a", "x", "w") "e = add(a, k) "
                        "f = batch_norm(e, s, m, m, s) {axis=1} " CONV("b", "f", "v") "y = relu(b)",
     2},
    {X,
     W CONV("a", "x", "w") CONV("b", "x", "v") "q = concat(a, b) {axis=1} z = const f32[] 0 "
                                               "six = const f32[] 6 y = clip(q, z, six)",
     2},
    /* convolutions over a line of unknown length in a batch of unknown size, as Keras spells them */
    {"x: f32[n, l, 4]",
     "w = const f32[1, 3, 4, 4] @weights+0 o = const s64[1] [1] t = const s64[1] [2] "
     "k = const f32[4, 1] [1, 2, 3, 4] u = unsqueeze(x, o) a = transpose(u) {perm=[0, 3, 1, 2]} "
     "i = transpose(a) " IN "c = conv(i, w) {padding=same_upper} b = transpose(c) " OUT
     "s = squeeze(b, t) d = add(s, k) r = relu(d) e = unsqueeze(r, t) j = transpose(e) " IN
     "f = conv(j, w) {padding=same_upper} g = transpose(f) " OUT "h = squeeze(g, t) "
     "y = transpose(h) {perm=[0, 2, 1]}",
     0},
    /* squeeze and excitation */
    {X,
     W "h = const s64[2] [2, 3] " CONV("a", "x", "w") "p = reduce(a, h) {kind=mean} "
                                                      "u = sigmoid(p) g = mul(a, u) " CONV(
                                                          "b", "g", "v") "y = relu(b)",
     2},
    /* a head: pooled, flattened, multiplied */
    {X,
     W "h = const s64[2] [2, 3] k = const f32[4, 5] @weights+0 " CONV(
         "a", "x", "w") "p = reduce(a, h) {kind=mean} f = flatten(p) {axis=1} y = matmul(f, k)",
     1},
    {X,
     W "h = const s64[2] [-1, -2] k = const f32[4, 5] @weights+0 " CONV(
         "a", "x", "w") "p = reduce(a, h) {kind=mean, keep=false} y = matmul(p, k)",
     1},
    /* pads, slices and splits in channels-first order */
    {X,
     W "d = const s64[8] [0, 0, 1, 2, 0, 0, 0, 1] " CONV("a", "x", "w") "p = pad(a, d) " CONV(
         "b", "p", "v") "y = relu(b)",
     2},
    {X,
     W "d = const s64[8] [0, 0, 1, 2, 0, 0, 0, 1] p = pad(x, d) " CONV("b", "p", "v") "y = relu(b)",
     2},
    {X,
     W "s = const s64[2] [1, 0] e = const s64[2] [7, 5] ax = const s64[2] [2, 3] " CONV(
         "a", "x", "w") "p = slice(a, s, e, ax) " CONV("b", "p", "v") "y = relu(b)",
     2},
    {X,
     W CONV("a", "x", "w") "p, q = split(a) {axis=1, parts=2} r = concat(q, p) {axis=1} " CONV(
         "b", "r", "v") "y = relu(b)",
     2},
    {X, W CONV("a", "x", "w") "p = softmax(a) {axis=1} " CONV("b", "p", "v") "y = relu(b)", 2},
    /* a channel shuffle: split channels, swap, merge; its own transpose stays */
    {X,
     W "s5 = const s64[5] [0, 2, 2, 8, 8] s4 = const s64[4] [0, 4, 8, 8] " CONV(
         "a", "x", "w") "f = reshape(a, s5) g = transpose(f) {perm=[0, 2, 1, 3, 4]} h = reshape(g, "
                        "s4) " CONV("b", "h", "v") "y = relu(b)",
     3},
    /* tokens of a vision transformer: flattened and turned, which is channels-last already */
    {X,
     W "s = const s64[3] [0, 4, 64] " CONV("a", "x", "w") "f = reshape(a, s) "
                                                          "y = transpose(f) {perm=[0, 2, 1]}",
     1},
    /* the order is needed: flattening channels-first */
    {X, W "s = const s64[2] [0, 256] " CONV("a", "x", "w") "y = reshape(a, s)", 2},
    /* as heavy an operand that comes channels-first: no gain, nothing moves */
    {X, W CONV("a", "x", "w") "y = add(a, x)", 2},
    {X,
     W "k = const f32[256, 5] @weights+0 " CONV("a", "x", "w") "f = flatten(a) {axis=1} "
                                                               "y = matmul(f, k)",
     1},
    /* weights as PyTorch has them; flattened by sizes; a batch of known size */
    {X,
     W "k = const f32[5, 256] @weights+0 " CONV("a", "x", "w") "f = flatten(a) {axis=1} "
                                                               "y = matmul(f, k) {transpose_b=true}",
     1},
    {X,
     W "k = const f32[5, 256] @weights+0 h = const s64[2] [-1, 256] "
       "b = const f32[5] [1, 2, 3, 4, 5] " CONV(
         "a", "x", "w") "f = reshape(a, h) y = matmul(f, k, b) {transpose_b=true, alpha=0.5}",
     1},
    {"x: f32[3, 4, 8, 6]",
     W "k = const f32[7, 192] @weights+0 h = const s64[2] [3, 192] " CONV(
         "a", "x", "w") "f = reshape(a, h) y = matmul(f, k) {transpose_b=true}",
     1},
    /* weights that another product reads as they are; what is flattened has another reader */
    {X ", z: f32[n, 256]",
     W "k = const f32[5, 256] @weights+0 " CONV("a", "x", "w") "f = flatten(a) {axis=1} "
                                                               "p = matmul(f, k) {transpose_b=true} "
                                                               "q = matmul(z, k) {transpose_b=true} "
                                                               "y = add(p, q)",
     1},
    {X,
     W "k = const f32[5, 256] @weights+0 o = const s64[1] [1] " CONV(
         "a", "x", "w") "f = flatten(a) {axis=1} p = matmul(f, k) {transpose_b=true} "
                        "q = cumsum(f, o) r = matmul(q, k) {transpose_b=true} y = add(p, r)",
     2},
    /* the order stays: other axes are merged, the weights are none, the depth is the rows */
    {X,
     W "k = const f32[5, 64] @weights+0 h = const s64[2] [-1, 64] " CONV(
         "a", "x", "w") "f = reshape(a, h) y = matmul(f, k) {transpose_b=true}",
     2},
    {X ", k: f32[5, 256]",
     W CONV("a", "x", "w") "f = flatten(a) {axis=1} y = matmul(f, k) {transpose_b=true}", 2},
    {"x: f32[3, 4, 8, 6]",
     W "k = const f32[3, 7] @weights+0 " CONV("a", "x", "w") "f = flatten(a) {axis=1} "
                                                             "y = matmul(f, k) {transpose_a=true}",
     2},
    {"a: f32[2, 5, 3], b: f32[2, 5, 4]", "t = transpose(a) {perm=[0, 2, 1]} y = matmul(t, b)", 0},
    {"a: f32[2, 3, 5], b: f32[2, 4, 5]", "t = transpose(b) {perm=[0, 2, 1]} y = matmul(a, t)", 0},
    {"a: f32[5, 2, 3], b: f32[2, 5, 4]", "t = transpose(a) {perm=[1, 2, 0]} y = matmul(t, b)", 1},
};

static void check_row(const row *r) {
  char text[4096];
  hone_pass_log log;
  snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", r->inputs, r->body);
  hone_graph *graph =
      rewrite_with(text, passes, rewrite_defaults, &log, bound("rewritten sums", "fp32"));
  if (!graph) return;
  int left = rewrite_count(graph, "transpose");
  if (left != r->transposes) {
    fprintf(stderr, "%d transposes, not %d, left of %s:\n%s", left, r->transposes, text,
            rewrite_print(graph));
    check_failed++;
  }
  hone_graph_free(graph);
}

TEST(transposes_vanish) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
}

/* Weights that are not folded stay, with the transpose: here of more bytes than may be. */
TEST(large_weights_stay) {
  for (int small = 0; small < 2; small++) {
    hone_pass_context context = rewrite_defaults;
    hone_pass_log log;
    context.fold_limit = small ? 5 * 256 * 4 : 5 * 256 * 4 - 1;
    hone_graph *graph = rewrite_with(
        "graph g(" X ") -> (y) { " W "k = const f32[5, 256] @weights+0 " CONV("a", "x", "w")
        "f = flatten(a) {axis=1} y = matmul(f, k) {transpose_b=true} }",
        passes, context, &log, bound("rewritten sums", "fp32"));
    CHECK(graph && rewrite_count(graph, "transpose") == (small ? 1 : 2));
    hone_graph_free(graph);
  }
}

/* A pad before the importer's transpose comes next to the conv, which takes it in. */
TEST(pads_meet_windows) {
  hone_pass_log log;
  hone_graph *graph = rewrite_with("graph g(" X ") -> (y) { " W
                                   "d = const s64[8] [0, 0, 1, 2, 0, 0, 0, 1] p = pad(x, d) " CONV(
                                       "b", "p", "v") "y = relu(b) }",
                                   passes, rewrite_defaults, &log, bound("rewritten sums", "fp32"));
  CHECK(graph && rewrite_count(graph, "pad") == 0);
  hone_graph_free(graph);
}

/* conv, bias, batch norm: one conv. */
TEST(norms_fold_into_weights) {
  static const struct {
    const char *body;
    int nodes;
  } cases[] = {
      {"w = const f32[3, 3, 4, 5] @weights+0 c = conv(x, w) d = add(c, k) e = mul(d, k) "
       "y = add(e, k)",
       1},
      {"w = const f32[3, 3, 4, 5] @weights+0 c = conv(x, w, k) e = mul(c, k) y = sub(e, k)", 1},
      {"w = const f32[3, 3, 2, 4] @weights+0 j = const f32[4] [1, 2, 3, 4] c = conv(x, w, j) "
       "{groups=2} y = mul(j, c)",
       1},
      {"w = const f32[2, 2, 5, 4] @weights+0 c = conv_transpose(x, w, k) {strides=[2, 2]} y = "
       "mul(c, k)",
       1},
      {"w = const f32[4, 5] @weights+0 c = matmul(x, w) d = mul(c, k) y = add(d, k)", 1},
      {"w = const f32[5, 4] @weights+0 c = matmul(x, w) {transpose_b=true} d = mul(c, k) y = "
       "add(d, k)",
       1},
      /* another axis than the channels, or weights that are not constant, or a result used twice */
      {"w = const f32[4, 8] @weights+0 c = matmul(x, w) h = const f32[8, 1] [1, 2, 3, 4, 5, 6, 7, "
       "8] "
       "y = mul(c, h)",
       2},
      {"c = matmul(x, x) {transpose_b=true} h = const f32[8] [1, 2, 3, 4, 5, 6, 7, 8] y = mul(c, "
       "h)",
       2},
      {"w = const f32[4, 5] @weights+0 c = matmul(x, w) d = mul(c, k) y = sub(d, c)", 3},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[1024];
    hone_pass_log log;
    snprintf(text, sizeof text,
             "graph g(x: f32[n, 8, 8, 4]) -> (y) { k = const f32[5] "
             "[0.5, -1, 2, 3, 0.25] %s }",
             cases[i].body);
    hone_graph *graph =
        rewrite_with(text, passes, rewrite_defaults, &log, bound("rewritten sums", "fp32"));
    CHECK(graph && rewrite_nodes(graph) == cases[i].nodes);
    if (graph && rewrite_nodes(graph) != cases[i].nodes)
      fprintf(stderr, "%s", rewrite_print(graph));
    hone_graph_free(graph);
  }
}

/* Scales round the weights anew, which fp32-strict forbids; a bias is added where it was. */
TEST(strict_keeps_weights) {
  hone_pass_context context = rewrite_defaults;
  hone_pass_log log;
  context.strict = true;
  hone_graph *graph = rewrite_with(
      "graph g(x: f32[3, 4]) -> (y) { w = const f32[4, 2] @weights+0 k = const f32[2] [3, 5]\n"
      "  c = matmul(x, w) b = add(c, k) y = mul(b, k) }",
      passes, context, &log, 0);
  CHECK(graph && rewrite_count(graph, "mul") == 1 && rewrite_count(graph, "add") == 0);
  hone_graph_free(graph);
}

/* What tells kernels not to transform: set by fp32-strict alone. */
TEST(strict_marks_convolutions) {
  static const hone_pass *const exact[] = {&hone_pass_propagate, &hone_pass_exact, NULL};
  for (int strict = 0; strict < 2; strict++) {
    hone_pass_context context = rewrite_defaults;
    hone_pass_log log;
    context.strict = strict;
    hone_graph *graph = rewrite_with(
        "graph g(x: f32[1, 5, 5, 2]) -> (y) { w = const f32[3, 3, 2, 1] @weights+0\n"
        "  y = conv(x, w) }",
        exact, context, &log, 0);
    CHECK(graph && hone_node_flag(graph->outputs[0].value->producer, "exact") == (strict == 1));
    hone_graph_free(graph);
  }
}

int main(void) {
  RUN(strict_marks_convolutions);
  RUN(transposes_vanish);
  RUN(large_weights_stay);
  RUN(pads_meet_windows);
  RUN(norms_fold_into_weights);
  RUN(strict_keeps_weights);
  return check_report();
}
