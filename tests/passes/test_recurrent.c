/* Loops that are recurrent nets become one, compute the same, and near misses stay loops. */
#include "rewrites.h"

static const hone_pass *const passes[] = {&hone_pass_regions,
                                          &hone_pass_propagate,
                                          &hone_pass_simplify,
                                          &hone_pass_recurrent,
                                          &hone_pass_propagate,
                                          &hone_pass_dead_code,
                                          NULL};

typedef struct loop {
  const char *op;     /* what it is; NULL: it stays a loop */
  const char *inputs; /* beside x and the states h and c; one, which the body calls k */
  const char *before; /* the loop */
  const char *head;   /* of the loop: trips, condition */
  const char *more;   /* in the body: whether to go on */
  const char *cell;   /* in the body: makes h1 and c1 out of row, h0 and c0 */
} loop;

#define WEIGHTS                                                        \
  "w = const f32[5, 12] @weights+0 r = const f32[3, 12] @weights+400 " \
  "b = const f32[12] @weights+800 "
#define GATES "p = matmul(row, w) q = matmul(h0, r) s = add(p, q) t = add(s, b) "
#define CUT   "i, f, g, o = split(t) {axis=1, parts=4} "
#define LSTM                                                                         \
  "is = sigmoid(i) fs = sigmoid(f) gt = tanh(g) os = sigmoid(o) kept = mul(fs, c0) " \
  "new = mul(is, gt) c1 = add(kept, new) ct = tanh(c1) h1 = mul(os, ct) "
#define SEVEN "n = const s64[] 7 more = less(i1, n) "
#define YES   "yes = const bool[] true "
#define GRU_WEIGHTS                                                  \
  "w = const f32[5, 9] @weights+0 r = const f32[3, 9] @weights+400 " \
  "b = const f32[9] @weights+800 k = const f32[9] @weights+900 one = const f32[] 1 "
#define GRU_CUT(from, a, b, c) a ", " b ", " c " = split(" from ") {axis=1, parts=3} "
#define LATE \
  GRU_WEIGHTS "p0 = matmul(row, w) p = add(p0, b) q0 = matmul(h0, r) q = add(q0, k) "      \
             GRU_CUT("p", "pz", "pr", "ph") GRU_CUT("q", "qz", "qr", "qh")                            \
             "az = add(pz, qz) z = sigmoid(az) ar = add(pr, qr) u = sigmoid(ar) late = mul(u, qh) "   \
             "ah = add(ph, late) fresh = tanh(ah) kept = mul(z, h0) "

static const loop loops[] = {
    {"lstm", "", YES, "_, yes", SEVEN, WEIGHTS GATES CUT LSTM},
    /* Other orders, the bias elsewhere, gates cut by slices. */
    {"lstm", "", YES, "_, yes", "n = const s64[] 7 more = greater(n, i1) ",
     WEIGHTS
     "p0 = matmul(row, w) p = add(b, p0) q = matmul(h0, r) t = add(q, p) "
     "a = const s64[1] [1] n0 = const s64[1] [0] n3 = const s64[1] [3] n6 = const s64[1] [6] "
     "n9 = const s64[1] [9] n12 = const s64[1] [12] f = slice(t, n0, n3, a) i = slice(t, n3, n6, "
     "a) "
     "o = slice(t, n6, n9, a) g = slice(t, n9, n12, a) is = sigmoid(i) fs = sigmoid(f) gt = "
     "tanh(g) "
     "os = sigmoid(o) kept = mul(c0, fs) new = mul(gt, is) c1 = add(new, kept) ct = tanh(c1) "
     "h1 = mul(ct, os) "},
    /* Input and state in one product, and a bias of the forget gate alone. */
    {"lstm", "", YES, "_, yes", SEVEN,
     "w = const f32[8, 12] @weights+0 b = const f32[12] @weights+800 one = const f32[] 1 "
     "j = concat(row, h0) {axis=1} p = matmul(j, w) t = add(p, b) " CUT
     "ff = add(f, one) is = sigmoid(i) fs = sigmoid(ff) gt = tanh(g) os = sigmoid(o) "
     "kept = mul(fs, c0) new = mul(is, gt) c1 = add(kept, new) ct = tanh(c1) h1 = mul(os, ct) "},
    /* As many turns as told while running, and as rows. */
    {"lstm", ", n: s64[]", "z0 = const s64[] 0 yes = less(z0, n) ", "_, yes", "more = less(i1, k) ",
     WEIGHTS GATES CUT LSTM},
    {"lstm", "", "n = const s64[] 4 ", "n, _", "more = identity(go) ", WEIGHTS GATES CUT LSTM},
    {"gru", "", YES, "_, yes", SEVEN,
     LATE "rest = sub(one, z) new = mul(rest, fresh) h1 = add(kept, new) c1 = identity(c0) "},
    {"gru", "", YES, "_, yes", SEVEN,
     "w = const f32[8, 6] @weights+0 b = const f32[6] @weights+400 v = const f32[8, 3] "
     "@weights+800 "
     "k = const f32[3] @weights+1200 one = const f32[] 1 j = concat(row, h0) {axis=1} "
     "p = matmul(j, w) t = add(p, b) s = sigmoid(t) u, z = split(s) {axis=1, parts=2} "
     "past = mul(u, h0) l = concat(row, past) {axis=1} m = matmul(l, v) ah = add(m, k) "
     "fresh = tanh(ah) rest = sub(one, z) new = mul(rest, fresh) kept = mul(z, h0) "
     "h1 = add(kept, new) c1 = identity(c0) "},
    {"rnn", "", YES, "_, yes", SEVEN,
     "w = const f32[5, 3] @weights+0 r = const f32[3, 3] @weights+400 p = matmul(row, w) "
     "q = matmul(h0, r) s = add(p, q) h1 = tanh(s) c1 = identity(c0) "},
    /* Near misses: a gate without a squash, the state of two turns ago, a clipped state, other
     * steps, one turn whatever the limit says, weights of another gate than it seems. */
    {NULL, "", YES, "_, yes", SEVEN,
     WEIGHTS GATES CUT
     "is = sigmoid(i) gt = tanh(g) os = sigmoid(o) kept = mul(f, c0) new = mul(is, gt) "
     "c1 = add(kept, new) ct = tanh(c1) h1 = mul(os, ct) "},
    {NULL, "", YES, "_, yes", SEVEN,
     WEIGHTS GATES CUT
     "is = sigmoid(i) fs = sigmoid(f) gt = tanh(g) os = sigmoid(o) kept = mul(fs, h0) "
     "new = mul(is, gt) c1 = add(kept, new) ct = tanh(c1) h1 = mul(os, ct) "},
    {NULL, "", YES, "_, yes", SEVEN,
     WEIGHTS GATES CUT
     "m = const f32[] 0.1 is = sigmoid(i) fs = sigmoid(f) gt = tanh(g) os = sigmoid(o) "
     "kept = mul(fs, c0) new = mul(is, gt) all = add(kept, new) c1 = min(all, m) ct = tanh(c1) "
     "h1 = mul(os, ct) "},
    {NULL, "", YES, "_, yes", "n = const s64[] 6 more = less(i0, n) ", WEIGHTS GATES CUT LSTM},
    {NULL, ", n: s64[]", YES, "_, yes", "more = less(i1, k) ", WEIGHTS GATES CUT LSTM},
    {NULL, "", YES, "_, yes", SEVEN,
     LATE "rest = sub(one, u) new = mul(rest, fresh) h1 = add(kept, new) c1 = identity(c0) "},
};

static hone_graph *build(const loop *l, const char *outputs) {
  char text[4096];
  hone_pass_log log;
  snprintf(
      text, sizeof text,
      "graph g(x: f32[7, m, 5], h: f32[m, 3], c: f32[m, 3]%s) -> (%s) { zero = const s64[] 0 %s\n"
      "  count, hn, cn, ys = loop(%s, zero, h, c, x%s) {carried=3}\n"
      "    region body(turn: s64[], go: bool[], i0: s64[], h0: f32[m, 3], c0: f32[m, 3], "
      "xs: f32[7, m, 5]%s) -> (more, i1, h1, c1, h1) {\n"
      "      step = const s64[] 1 i1 = add(i0, step) row = gather(xs, i0) {axis=0} %s %s } }",
      l->inputs, outputs, l->before, l->head, *l->inputs ? ", n" : "",
      *l->inputs ? ", k: s64[]" : "", l->more, l->cell);
  return rewrite_with(text, passes, rewrite_defaults, &log, bound("rewritten sums", "fp32"));
}

TEST(loops) {
  static const char *const made[] = {"lstm", "gru", "rnn"};
  for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
    const loop *l = &loops[i];
    hone_graph *graph = build(l, "hn, ys");
    if (!graph) continue;
    bool right = rewrite_count(graph, "loop") == (l->op == NULL);
    for (int k = 0; k < 3; k++)
      right = right && rewrite_count(graph, made[k]) == (l->op && strcmp(l->op, made[k]) == 0);
    if (!right) fprintf(stderr, "case %zu: %s", i, rewrite_print(graph));
    CHECK(right);
    hone_graph_free(graph);
  }
}

TEST(all_results_of_an_lstm) {
  hone_graph *graph = build(&loops[0], "cn, hn, ys");
  CHECK(graph && rewrite_count(graph, "lstm") == 1 && rewrite_count(graph, "loop") == 0);
  hone_graph_free(graph);
}

TEST(what_else_the_loop_gives_keeps_it) {
  hone_graph *graph = build(&loops[0], "count, hn");
  CHECK(graph && rewrite_count(graph, "lstm") == 0 && rewrite_count(graph, "loop") == 1);
  hone_graph_free(graph);
}

int main(void) {
  RUN(loops);
  RUN(all_results_of_an_lstm);
  RUN(what_else_the_loop_gives_keeps_it);
  return check_report();
}
