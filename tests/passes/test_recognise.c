/* Every spelling fires, computes the same, and its near miss does not fire. */
#include "rewrites.h"

typedef struct spelling {
  const char *op;     /* what is to be recognised; NULL: nothing may be */
  const char *inputs; /* of the graph */
  const char *body;   /* makes y */
} spelling;

#define ERF "s = const f32[] 0.70710678 h = const f32[] 0.5 one = const f32[] 1 "
#define TANH                                                                \
  "k = const f32[] 0.044715 c = const f32[] 0.7978846 h = const f32[] 0.5 " \
  "one = const f32[] 1 three = const f32[] 3 "
#define NORM                                                        \
  "a = const s64[1] [-1] e = const f32[] 1e-5 two = const f32[] 2 " \
  "w = const f32[6] @weights+0 b = const f32[6] @weights+24 "
#define X   "x: f32[n, 5, 6]"
#define QKV "q: f32[n, 2, 5, 4], t: f32[n, 2, 4, 7], v: f32[n, 2, 7, 3]"

#define SDPA                                                                                       \
  "z = const f32[] 0 low = const f32[] -inf c = const f32[] 0.7071068 "                             \
  "may = const bool[2, 5, 1] [true, true, false, true, true, false, false, false, false, false] "   \
  "hide = not(may) m = select(may, z, low) t = transpose(k) {perm=[0, 1, 3, 2]} "                   \
  "q1 = mul(q, c) t1 = mul(t, c) s = matmul(q1, t1) "

static const spelling spellings[] = {
    {"gelu", X,
     ERF "r = const f32[] 1.4142135 d = div(x, r) f = erf(d) g = add(f, one) "
         "m = mul(x, g) y = mul(m, h)"},
    {"gelu", X, ERF "d = mul(s, x) f = erf(d) g = add(one, f) m = mul(h, x) y = mul(g, m)"},
    {"gelu", X, ERF "d = mul(x, s) f = erf(d) g = add(f, one) m = mul(g, h) y = mul(x, m)"},
    {"gelu", X, ERF "d = mul(x, s) f = erf(d) g = mul(f, h) m = add(g, h) y = mul(x, m)"},
    {NULL, X, ERF "d = mul(x, one) f = erf(d) g = add(f, one) m = mul(x, g) y = mul(m, h)"},
    {NULL, X ", z: f32[n, 5, 6]",
     ERF "d = mul(z, s) f = erf(d) g = add(f, one) m = mul(x, g) "
         "y = mul(m, h)"},
    {"gelu", X,
     TANH "p = pow(x, three) q = mul(p, k) u = add(x, q) i = mul(u, c) t = tanh(i) "
          "g = add(t, one) m = mul(x, h) y = mul(m, g)"},
    {"gelu", X,
     TANH "p = mul(x, x) p3 = mul(p, x) q = mul(k, p3) u = add(x, q) i = mul(c, u) "
          "t = tanh(i) g = add(t, one) m = mul(g, h) y = mul(x, m)"},
    {"gelu", X,
     TANH "p = mul(x, x) q = mul(p, k) u = add(one, q) v = mul(x, c) i = mul(v, u) "
          "t = tanh(i) g = add(t, one) m = mul(x, g) y = mul(h, m)"},
    {"silu", X, "s = sigmoid(x) y = mul(s, x)"},
    {"swish", X, "c = const f32[] 1.702 m = mul(x, c) s = sigmoid(m) y = mul(x, s)"},
    {"mish", X, "s = softplus(x) t = tanh(s) y = mul(x, t)"},
    {"mish", X,
     "one = const f32[] 1 e = exp(x) p = add(e, one) s = log(p) t = tanh(s) y = mul(t, x)"},
    {"hard_swish", X,
     "three = const f32[] 3 z = const f32[] 0 six = const f32[] 6 "
     "a = add(x, three) c = clip(a, z, six) m = mul(x, c) y = div(m, six)"},
    {"hard_swish", X, "s = hard_sigmoid(x) {alpha=0.16666667, beta=0.5} y = mul(x, s)"},
    {"hard_swish", X,
     "three = const f32[] 3 z = const f32[] 0 six = const f32[] 6 "
     "a = add(x, three) c = clip(a, z, six) d = div(c, six) y = mul(x, d)"},
    {NULL, X,
     "three = const f32[] 3 z = const f32[] 0 five = const f32[] 5 a = add(x, three) "
     "c = clip(a, z, five) m = mul(x, c) y = div(m, five)"},
    {"softmax", X,
     "a = const s64[1] [-1] m = reduce(x, a) {kind=max} d = sub(x, m) e = exp(d) "
     "s = reduce(e, a) {kind=sum} y = div(e, s)"},
    {"layer_norm", X,
     NORM "m = reduce(x, a) {kind=mean} d = sub(x, m) p = pow(d, two) "
          "v = reduce(p, a) {kind=mean} ve = add(v, e) r = sqrt(ve) n = div(d, r) s = mul(n, w) "
          "y = add(s, b)"},
    {"layer_norm", X,
     NORM
     "m = reduce(x, a) {kind=mean} d = sub(x, m) d2 = sub(x, m) p = mul(d2, d2) "
     "v = reduce(p, a) {kind=mean} ve = add(v, e) r = sqrt(ve) i = reciprocal(r) n = mul(d, i) "
     "s = mul(w, n) y = add(b, s)"},
    {"layer_norm", X,
     NORM "m = reduce(x, a) {kind=mean} d = sub(x, m) p = mul(d, d) "
          "v = reduce(p, a) {kind=mean} ve = add(v, e) r = rsqrt(ve) s = mul(r, w) xs = mul(x, s) "
          "ms = mul(m, s) t = sub(b, ms) y = add(xs, t)"},
    {NULL, X,
     "a = const s64[1] [1] e = const f32[] 1e-5 m = reduce(x, a) {kind=mean} d = sub(x, m) "
     "p = mul(d, d) v = reduce(p, a) {kind=mean} ve = add(v, e) r = sqrt(ve) y = div(d, r)"},
    {"lp_norm", X,
     NORM "m = reduce(x, a) {kind=mean} d = sub(x, m) p = mul(d, d) "
          "v = reduce(p, a) {kind=sum} ve = add(v, e) r = sqrt(ve) y = div(d, r)"},
    {"lp_norm", X,
     NORM "p = pow(x, two) v = reduce(p, a) {kind=sum} ve = add(v, e) r = sqrt(ve) "
          "i = reciprocal(r) y = mul(i, x)"},
    {"lp_norm", X,
     "a = const s64[1] [1] e = const f32[] 0.5 v = reduce(x, a) {kind=sum_square} "
     "m = max(v, e) r = sqrt(m) y = div(x, r)"},
    {"lp_norm", X,
     "a = const s64[1] [-1] e = const f32[] 1.5 s = shape(x) v = reduce(x, a) {kind=l2} "
     "m = clip(v, e) w = expand(m, s) y = div(x, w)"},
    {"lp_norm", X,
     "a = const s64[1] [2] e = const f32[] 1.5 v = reduce(x, a) {kind=l2} m = max(e, v) "
     "y = div(x, m)"},
    {"lp_norm", X,
     NORM "p = mul(x, x) v = reduce(p, a) {kind=sum} m = max(v, e) r = rsqrt(m) "
          "y = mul(x, r)"},
    {"reduce", X, "a = const s64[2] [1, 2] b = abs(x) y = reduce(b, a) {kind=sum, keep=false}"},
    {"reduce", X,
     "a = const s64[1] [1] two = const f32[] 2 b = pow(x, two) s = reduce(b, a) {kind=sum} "
     "y = sqrt(s)"},
    {"reduce", X,
     "a = const s64[1] [1] e = exp(x) s = reduce(e, a) {kind=sum, keep=false} y = log(s)"},
    {"reduce", X,
     "a = const s64[1] [1] m = reduce(x, a) {kind=max} d = sub(x, m) e = exp(d) "
     "s = reduce(e, a) {kind=sum} l = log(s) y = add(l, m)"},
    {"log_softmax", X, "a = const s64[1] [1] l = reduce(x, a) {kind=log_sum_exp} y = sub(x, l)"},
    {"log_softmax", X,
     "a = const s64[1] [-1] m = reduce(x, a) {kind=max} d = sub(x, m) e = exp(d) "
     "s = reduce(e, a) {kind=sum} l = log(s) y = sub(d, l)"},
    /* no guard, a guard below zero, an upper bound, the mean of the squares along another axis */
    {NULL, X, "a = const s64[1] [2] v = reduce(x, a) {kind=l2} y = div(x, v)"},
    {NULL, X,
     "a = const s64[1] [2] e = const f32[] -1.5 v = reduce(x, a) {kind=l2} m = max(e, v) "
     "y = div(x, m)"},
    {NULL, X,
     "a = const s64[1] [2] e = const f32[] 1.5 v = reduce(x, a) {kind=l2} m = clip(v, _, e) "
     "y = div(x, m)"},
    {NULL, X,
     "a = const s64[1] [1] e = const f32[] 1e-5 p = mul(x, x) v = reduce(p, a) {kind=mean} "
     "w = add(v, e) r = sqrt(w) y = div(x, r)"},
    /* the exponents are read twice */
    {NULL, X,
     "a = const s64[1] [1] e = exp(x) s = reduce(e, a) {kind=sum} l = log(s) y = add(e, l)"},
    {"rms_norm", X,
     NORM "p = pow(x, two) v = reduce(p, a) {kind=mean} ve = add(v, e) r = sqrt(ve) "
          "i = reciprocal(r) n = mul(x, i) y = mul(w, n)"},
    {"attention", QKV,
     "c = const f32[] 0.5 s = matmul(q, t) u = mul(s, c) p = softmax(u) {axis=-1} "
     "y = matmul(p, v)"},
    {"attention", QKV ", mask: f32[n, 1, 1, 7]",
     "c = const f32[] 2.5 s = matmul(q, t) u = div(s, c) "
     "w = add(u, mask) p = softmax(w) {axis=3} y = matmul(p, v)"},
    {"attention", QKV ", mask: bool[1, 1, 5, 7]",
     "c = const f32[] 0.5 low = const f32[] -1e9 "
     "o = const bool[1] [true] w0 = or(mask, o) "
     "s = matmul(q, t) u = mul(s, c) w = select(w0, u, low) p = softmax(w) {axis=-1} y = matmul(p, "
     "v)"},
    {"attention", QKV,
     "c = const f32[] 0.7 q1 = mul(q, c) t1 = mul(t, c) s = matmul(q1, t1) "
     "p = softmax(s) {axis=-1} y = matmul(p, v)"},
    {NULL, QKV,
     "c = const f32[] 0.5 s = matmul(q, t) u = mul(s, c) p = softmax(u) {axis=2} "
     "y = matmul(p, v)"},
    {"attention", "q: f32[n, 2, 5, 4], k: f32[n, 2, 7, 4], v: f32[n, 2, 7, 3]",
     "c = const f32[] 0.5 "
     "s = matmul(q, k) {transpose_b=true} u = mul(c, s) p = softmax(u) {axis=-1} y = matmul(p, v)"},
    {"attention", QKV ", mask: f32[n, 1, 1, 7], m0: bool[5, 7]",
     "c = const f32[] 2 "
     "low = const f32[] -1e9 o = const bool[1] [true] may = or(m0, o) s = matmul(q, t) u = div(s, "
     "c) "
     "w = select(may, u, low) z = add(w, mask) p = softmax(z) {axis=-1} y = matmul(p, v)"},
    {"attention", "q: f32[6, 5, 4], t: f32[6, 4, 7], v: f32[6, 7, 3]",
     "s = matmul(q, t) "
     "p = softmax(s) {axis=-1} y = matmul(p, v)"},
    {"attention", "q: f32[6, 5, 4], t: f32[6, 4, 7], v: f32[6, 7, 3], mask: f32[6, 5, 7]",
     "c = const f32[] 0.5 r = mul(q, c) s = matmul(r, t) u = add(mask, s) p = softmax(u) {axis=2} "
     "y = matmul(p, v)"},
    /* as torch.onnx writes scaled_dot_product_attention from 2.9 on: a query and a head see nothing */
    {"attention", "q: f32[n, 2, 5, 4], k: f32[n, 2, 7, 4], v: f32[n, 2, 7, 3]",
     SDPA "a = add(s, m) p = softmax(a) {axis=-1} i = is_nan(p) w = select(i, z, p) y = matmul(w, v)"},
    {"attention", "q: f32[n, 2, 5, 4], k: f32[n, 2, 7, 4], v: f32[n, 2, 7, 3]",
     SDPA "p = softmax(s) {axis=-1} i = is_nan(p) w = select(i, z, p) y = matmul(w, v)"},
    {"attention", "q: f32[n, 2, 5, 4], k: f32[n, 2, 7, 4], v: f32[n, 2, 7, 3]",
     SDPA "u = select(hide, low, s) p = softmax(u) {axis=-1} i = is_nan(p) w = select(i, z, p) "
          "y = matmul(w, v)"},
    {"attention", "q: f32[6, 5, 4], k: f32[6, 7, 4], v: f32[6, 7, 3], mask: f32[6, 5, 7]",
     "c = const f32[] 2 z = const f32[] 0 k1 = div(k, c) t = transpose(k1) {perm=[0, 2, 1]} "
     "s = matmul(q, t) u = add(mask, s) p = softmax(u) {axis=2} i = is_nan(p) w = select(i, z, p) "
     "y = matmul(w, v)"},
    /* another axis, another number than 0, the guard of something else, weights that are read twice */
    {NULL, "q: f32[n, 2, 5, 4], k: f32[n, 2, 7, 4], v: f32[n, 2, 7, 3]",
     SDPA "a = add(s, m) p = softmax(a) {axis=2} i = is_nan(p) w = select(i, z, p) y = matmul(w, v)"},
    {NULL, "q: f32[n, 2, 5, 4], k: f32[n, 2, 7, 4], v: f32[n, 2, 7, 3]",
     SDPA "a = add(s, m) p = softmax(a) {axis=-1} i = is_nan(p) w = select(i, c, p) y = matmul(w, v)"},
    {NULL, "q: f32[n, 2, 5, 4], k: f32[n, 2, 7, 4], v: f32[n, 2, 7, 3]",
     SDPA "a = add(s, m) p = softmax(a) {axis=-1} i = is_nan(a) w = select(i, z, p) y = matmul(w, v)"},
    {NULL, "q: f32[n, 2, 5, 4], k: f32[n, 2, 7, 4], v: f32[n, 2, 7, 3]",
     SDPA "a = add(s, m) p = softmax(a) {axis=-1} i = is_nan(p) w = select(i, z, p) o = matmul(w, v) "
          "l = const s64[1] [3] r = reduce(w, l) {kind=max} y = add(o, r)"},
    {NULL, "q: f32[5, 4], t: f32[4, 7], v: f32[7, 3]",
     "s = matmul(q, t) p = softmax(s) {axis=-1} "
     "y = matmul(p, v)"},
    {NULL, QKV ", c: f32[7]",
     "s = matmul(q, t) u = mul(s, c) p = softmax(u) {axis=-1} "
     "y = matmul(p, v)"},
};

static const hone_pass *const passes[] = {&hone_pass_propagate,   &hone_pass_simplify,
                                          &hone_pass_merge_equal, &hone_pass_recognise,
                                          &hone_pass_simplify,    &hone_pass_dead_code,
                                          NULL};

static void check_spelling(const spelling *s, hone_pass_context context) {
  static const char *const made[] = {"gelu",       "silu",    "swish",      "mish",
                                     "hard_swish", "softmax", "layer_norm", "rms_norm",
                                     "attention",  "lp_norm", "log_softmax"};
  char text[4096];
  hone_pass_log log;
  snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", s->inputs, s->body);
  hone_graph *graph = rewrite_with(text, passes, context, &log, bound("rewrite", "fp32"));
  if (!graph) return;
  for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
    bool softmax_in_miss = !s->op && strcmp(made[i], "softmax") == 0;
    int wanted = s->op && strcmp(s->op, made[i]) == 0;
    if (softmax_in_miss) continue;
    if (rewrite_count(graph, made[i]) != wanted) {
      fprintf(stderr, "%d of %s wanted:\n%s", wanted, made[i], rewrite_print(graph));
      check_failed++;
    }
  }
  if (s->op) CHECK(rewrite_nodes(graph) <= (strcmp(s->op, "reduce") == 0 ? 1 : 6));
  hone_graph_free(graph);
}

TEST(spellings) {
  for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
    check_spelling(&spellings[i], rewrite_defaults);
}

/* A part that is used elsewhere, or is an output, must stay. */
TEST(open_patterns_stay) {
  hone_pass_log log;
  hone_graph *graph = rewrite_with("graph g(x: f32[3]) -> (y, f) { " ERF
                                   "d = mul(x, s) f = erf(d) g = add(f, one) m = mul(x, g) "
                                   "y = mul(m, h) }",
                                   passes, rewrite_defaults, &log, bound("rewrite", "fp32"));
  CHECK(graph && rewrite_count(graph, "gelu") == 0 && rewrite_count(graph, "erf") == 1);
  hone_graph_free(graph);
}

/* The replacement takes the names of what it replaces and of the user's nodes. */
TEST(sources_are_collected) {
  hone_pass_log log;
  hone_graph *graph = rewrite_with(
      "graph g(x: f32[3]) -> (y) { s = sigmoid(x) # from \"a\"\n y = mul(s, x) # from \"b\"\n }",
      passes, rewrite_defaults, &log, bound("rewrite", "fp32"));
  CHECK(graph && graph->first->source_count == 2 && rewrite_fired(&log, "silu") == 1);
  hone_graph_free(graph);
}

int main(void) {
  RUN(spellings);
  RUN(open_patterns_stay);
  RUN(sources_are_collected);
  return check_report();
}
