/* Algebra, views, shape arithmetic, folding, equal nodes: what fires, and what must not. */
#include "rewrites.h"

static const hone_pass *const passes[] = {&hone_pass_propagate,
                                          &hone_pass_simplify,
                                          &hone_pass_merge_equal,
                                          &hone_pass_propagate,
                                          &hone_pass_settle,
                                          &hone_pass_dead_code,
                                          NULL};

/* The body makes y; `nodes` are left, `op` among them (NULL: any). */
typedef struct row {
  const char *inputs, *body;
  int nodes;
  const char *op;
} row;

#define X        "x: f32[n, 4, 6]"
#define ATTENDED "q: f32[n, 4, 3, 5], k: f32[n, 4, 7, 5]"
#define CAUSAL   "q: f32[n, 2, 3, 5], k: f32[n, 2, 3, 5]"
#define LOWER    "m = const bool[3, 3] [true, false, false, true, true, false, true, true, true] "
#define RUNS     "k: f32[n, 2, s, 5]"
#define ROW(a, b, c, d, e, f) #a ", " #b ", " #c ", " #d ", " #e ", " #f
#define POSITIONS(by)                                                                              \
  "t = shape(k) {start=2, end=3} j = const s64[0] [] n = reshape(t, j) from = const s64[] 0 "     \
  "by = const s64[] " by " one = const s64[] 1 p = mul(n, by) "                                      \
  "r = range(from, p, by) f = const s64[2] [-1, 1] d = reshape(r, f) z = const f32[] 0 "            \
  "l = const f32[] -inf "
static const row rows[] = {
    {X, "z = const f32[] 0 a = add(x, z) y = relu(a)", 1, "relu"},
    {X, "z = const f32[1, 1] [1] a = mul(z, x) y = relu(a)", 1, "relu"},
    {"x: f32[6]", "z = const f32[2, 6] [0,0,0,0,0,0,0,0,0,0,0,0] y = add(x, z)", 1, "add"},
    {X, "z = const f32[] 0 y = sub(z, x)", 1, "sub"},
    {X, "i = identity(x) j = identity(i) y = relu(j)", 1, "relu"},
    {X, "y = identity(x)", 1, "identity"},
    {X, "c = cast(x) {to=f64} d = cast(c) {to=f32} y = relu(d)", 1, "relu"},
    {X, "c = cast(x) {to=f16} d = cast(c) {to=f32} y = relu(d)", 3, "cast"},
    {X, "t = transpose(x) {perm=[2, 0, 1]} u = transpose(t) {perm=[1, 2, 0]} y = relu(u)", 1,
     "relu"},
    {X, "t = transpose(x) {perm=[2, 0, 1]} y = transpose(t) {perm=[2, 0, 1]}", 1, "transpose"},
    {"x: f32[n, 1, 6]", "y = transpose(x) {perm=[1, 0, 2]}", 1, "reshape"},
    {X, "a = const s64[1] [1] u = unsqueeze(x, a) v = squeeze(u, a) y = relu(v)", 1, "relu"},
    {X, "s = const s64[2] [-1, 24] t = const s64[3] [-1, 3, 8] a = reshape(x, s) y = reshape(a, t)",
     1, "reshape"},
    {X,
     "s = const s64[2] [-1, 6] t = const s64[3] [-1, 4, 6] a = reshape(x, s) b = reshape(a, t) "
     "y = relu(b)",
     1, "relu"},
    {X, "r = relu(x) y = relu(r)", 1, "relu"},
    {X, "r = neg(x) s = neg(r) y = relu(s)", 1, "relu"},
    {X, "two = const f32[] 2 y = pow(x, two)", 1, "mul"},
    {X, "h = const f32[] 0.5 y = pow(x, h)", 1, "sqrt"},
    {X, "three = const f32[] 3 y = pow(x, three)", 1, "pow"},
    {X, "two = const f32[] 2 y = div(x, two)", 1, "mul"},
    {X, "a = const f32[] 2 b = const f32[] 3 s = add(x, a) y = add(b, s)", 1, "add"},
    {X, "a = const f32[] 2 b = const f32[] 3 s = mul(x, a) y = mul(s, b)", 1, "mul"},
    {X, "z = const f32[] 0 six = const f32[] 6 r = relu(x) y = min(r, six)", 1, "clip"},
    {X, "z = const f32[] 0 six = const f32[] 6 r = max(x, z) y = clip(r, _, six)", 1, "clip"},
    {X, "z = const f32[] 0 y = max(x, z)", 1, "relu"},
    {X, "z = const f32[] 2 y = max(z, x)", 1, "clip"},
    {X, "o = const f32[] 1 s = sqrt(x) y = div(o, s)", 1, "rsqrt"},
    {X, "t = const bool[] true r = relu(x) y = select(t, r, x)", 1, "relu"},
    {X, "a = relu(x) b = relu(x) y = add(a, b)", 2, "relu"},
    {X, "a = add(x, x) c = const f32[] 1 d = add(c, a) e = add(a, c) y = mul(d, e)", 3, "mul"},
    {X ", z: f32[n, 4, 6]", "a = mul(x, z) b = mul(z, x) y = sub(a, b)", 2, "sub"},
    {X ", z: f32[n, 4, 6]", "a = sub(x, z) b = sub(z, x) y = mul(a, b)", 3, "sub"},
    {X, "c = concat(x) {axis=1} y = relu(c)", 1, "relu"},
    {X,
     "s = const s64[1] [0] e = const s64[1] [4] a = const s64[1] [1] w = slice(x, s, e, a) "
     "y = relu(w)",
     1, "relu"},
    {X,
     "s = const s64[1] [0] e = const s64[1] [3] a = const s64[1] [1] w = slice(x, s, e, a) "
     "y = relu(w)",
     2, "slice"},
    {"x: f32[n, 9, 9, 4]",
     "w = const f32[3, 3, 4, 5] @weights+0 p = const s64[8] [0,1,2,0,0,1,0,0] "
     "q = pad(x, p) y = conv(q, w) {pads=[1, 1, 1, 1]}",
     1, "conv"},
    {"x: f32[n, 9, 9, 4]",
     "w = const f32[3, 3, 5, 5] @weights+0 p = const s64[8] [0,1,1,0,0,1,1,1] "
     "q = pad(x, p) y = conv(q, w)",
     2, "pad"},
    {"x: f32[n, 9, 9, 4]",
     "w = const f32[3, 3, 4, 5] @weights+0 p = const s64[8] [0,1,1,0,0,1,1,0] "
     "v = const f32[] 2 q = pad(x, p, v) y = conv(q, w)",
     2, "pad"},
    {X,
     "s = const s64[2] [-1, 6] w = const f32[6, 5] @weights+0 t = const s64[3] [-1, 4, 5] "
     "a = reshape(x, s) m = matmul(a, w) y = reshape(m, t)",
     1, "matmul"},
    {X,
     "s = const s64[2] [-1, 24] w = const f32[24, 5] @weights+0 t = const s64[3] [-1, 1, 5] "
     "a = reshape(x, s) m = matmul(a, w) y = reshape(m, t)",
     2, "matmul"},
    {"x: f32[n, 4, 3, 5], k: f32[n, 2, 7, 5]",
     "i = const s64[5] [0, 2, 1, 7, 5] "
     "w = const s64[5] [1, 2, 2, 7, 5] m = const s64[4] [0, 4, 7, 5] a = reshape(k, i) b = "
     "expand(a, w) "
     "c = reshape(b, m) y = attention(x, c, c)",
     1, "attention"},
    {"x: f32[n, 4, 3, 5], k: f32[n, 7, 2, 5]",
     "i = const s64[5] [0, 7, 2, 1, 5] "
     "w = const s64[5] [1, 7, 2, 2, 5] m = const s64[4] [0, 7, 4, 5] a = reshape(k, i) b = "
     "expand(a, w) "
     "c = reshape(b, m) d = transpose(c) {perm=[0, 2, 1, 3]} y = attention(x, d, d)",
     2, "attention"},
    /* the heads repeated as a whole, 0 1 0 1, is another order */
    {"x: f32[n, 4, 3, 5], k: f32[n, 2, 7, 5]",
     "i = const s64[5] [0, 1, 2, 7, 5] "
     "w = const s64[5] [1, 2, 2, 7, 5] m = const s64[4] [0, 4, 7, 5] a = reshape(k, i) b = "
     "expand(a, w) "
     "c = reshape(b, m) y = attention(x, c, c)",
     4, "expand"},
    /* factors of queries and keys are the scale, also before views and transposes */
    {ATTENDED,
     "c = const f32[] 0.7 d = const f32[] 3 a = mul(q, c) b = div(k, d) y = attention(a, b, k)",
     1, "attention"},
    {ATTENDED ", x: f32[n, 7, 20]",
     "c = const f32[] 0.7 s = const s64[4] [0, 0, 4, 5] b = mul(c, x) e = reshape(b, s) "
     "f = transpose(e) {perm=[0, 2, 1, 3]} y = attention(q, f, k) {scale=0.3}",
     3, "reshape"},
    /* read twice the factor counts twice; one for each feature is none */
    {ATTENDED, "c = const f32[] 0.7 a = mul(k, c) y = attention(a, a, k)", 1, "attention"},
    {ATTENDED,
     "c = const f32[] 0.7 a = mul(k, c) b = transpose(a) {perm=[1, 0, 2, 3]} "
     "y = attention(b, b, b)", 3,
     "mul"},
    {ATTENDED, "c = const f32[5] [1, 2, 3, 4, 5] a = mul(q, c) y = attention(a, k, k)", 2, "mul"},
    {ATTENDED, "c = const f32[] 0 a = mul(q, c) y = attention(a, k, k)", 2, "mul"},
    /* masks: 0 or -infinity, broadcast, all alike; a finite number is no -infinity */
    {ATTENDED ", m: bool[3, 7]",
     "z = const f32[] 0 l = const f32[] -inf a = select(m, z, l) y = attention(q, k, k, a)", 1,
     "attention"},
    {ATTENDED ", m: bool[3, 7]",
     "z = const f32[] 0 l = const f32[] -inf a = select(m, l, z) "
     "y = attention(q, k, k, a)", 2, "not"},
    {ATTENDED ", m: bool[3, 7]",
     "z = const f32[] 0 l = const f32[] -3e38 a = select(m, z, l) y = attention(q, k, k, a)", 2,
     "select"},
    {ATTENDED ", m: bool[7]",
     "s = const s64[4] [1, 4, 3, 7] a = expand(m, s) y = attention(q, k, k, a)", 1, "attention"},
    {ATTENDED ", m: f32[1, 1, 1]",
     "s = const s64[3] [1, 3, 6] a = expand(m, s) y = attention(q, k, k, a)", 2, "expand"},
    {ATTENDED ", m: bool[1, 1, 7]",
     "z = const f32[] 0 l = const f32[] -3e38 s = const s64[4] [1, 1, 3, 7] e = expand(m, s) "
     "a = select(e, z, l) y = attention(q, k, k, a)",
     2, "select"},
    {X ", w: f32[6]",
     "s = const s64[3] [0, 4, 6] t = shape(x) e = expand(w, t) c = const f32[] 2 a = mul(e, c) "
     "b = relu(e) y = sub(a, b)",
     5, "expand"},
    {ATTENDED,
     "s = const s64[3] [1, 3, 7] t = const bool[1] [true] a = expand(t, s) "
     "y = attention(q, k, k, a)", 1,
     "attention"},
    /* masks of later keys: as truths, as numbers, cut from a larger table, made of ones; of the first
     * four of five keys each query sees its own and those before */
    {CAUSAL, LOWER "i = const s64[1] [0] u = unsqueeze(m, i) y = attention(q, k, k, u)", 1,
     "attention"},
    {CAUSAL,
     "m = const f32[3, 3] [0, -inf, -inf, 0, 0, -inf, 0, 0, 0] "
     "y = attention(q, k, k, m) {scale=0.1}", 1,
     "attention"},
    {CAUSAL, "m = const f32[3, 3] [0, -3e38, -3e38, 0, 0, -3e38, 0, 0, 0] y = attention(q, k, k, m)", 1,
     "attention"},
    {CAUSAL,
     "m = const f32[2, 4, 4] [0, -1e4, -1e4, -1e4, 0, 0, -1e4, -1e4, 0, 0, 0, -1e4, 0, 0, 0, 0, "
     "0, -1e4, -1e4, -1e4, 0, 0, -1e4, -1e4, 0, 0, 0, -1e4, 0, 0, 0, 0] s = const s64[2] [0, 0] "
     "e = const s64[2] [3, 3] a = const s64[2] [2, 1] t = slice(m, s, e, a) "
     "y = attention(q, k, k, t)", 1,
     "attention"},
    {"q: f32[n, 2, s, 5], k: f32[n, 2, t, 5], z: f32[s, t]",
     "one = const f32[] 1 nil = const f32[] 0 low = const f32[] -inf h = shape(z) e = expand(one, h) "
     "u = trilu(e) {upper=false} c = equal(u, nil) m = select(c, low, nil) "
     "y = attention(q, k, k, m)", 1,
     "attention"},
    {"q: f32[n, 2, s, 5], k: f32[n, 2, t, 5], z: f32[s, t]",
     "low = const f32[1] [-3e38] h = shape(z) e = expand(low, h) i = const s64[] 1 "
     "m = trilu(e, i) y = attention(q, k, k, m)", 1, "attention"},
    {"q: f32[n, 2, 3, 5], k: f32[n, 2, 4, 5]",
     "m = const bool[3, 4] [true, false, false, false, true, true, false, false, "
     "true, true, true, false] y = attention(q, k, k, m)", 1, "attention"},
    /* cut from a table to the size of the run, in two steps; positions compared */
    {RUNS, "m = const f32[1, 1, 6, 6] [" ROW(1, 0, 0, 0, 0, 0) ", " ROW(1, 1, 0, 0, 0, 0) ", "
           ROW(1, 1, 1, 0, 0, 0) ", " ROW(1, 1, 1, 1, 0, 0) ", " ROW(1, 1, 1, 1, 1, 0) ", "
           ROW(1, 1, 1, 1, 1, 1) "] o = const s64[1] [0] a = const s64[1] [2] b = const s64[1] [3] "
           "e = shape(k) {start=2, end=3} u = slice(m, o, e, a) v = slice(u, o, e, b) z = const f32[] 0 "
           "w = equal(v, z) h = not(w) y = attention(k, k, k, h)", 1, "attention"},
    {RUNS, POSITIONS("1") "g = greater(r, d) m = select(g, l, z) y = attention(k, k, k, m)", 1,
     "attention"},
    {RUNS, POSITIONS("1") "o = add(d, one) g = less(r, o) m = select(g, z, l) "
                               "y = attention(k, k, k, m)", 1, "attention"},
    {RUNS, POSITIONS("1") "m = greater_equal(d, r) y = attention(k, k, k, m)", 1, "attention"},
    {RUNS, POSITIONS("1") "c = cast(d) {to=s32} x = cast(r) {to=s32} m = less_equal(x, c) "
                               "y = attention(k, k, k, m)", 1, "attention"},
    {RUNS, POSITIONS("1") "m = greater(d, r) y = attention(k, k, k, m)", 6, "greater"},
    {RUNS, POSITIONS("2") "m = greater_equal(d, r) y = attention(k, k, k, m)", 7, "greater_equal"},
    {RUNS, POSITIONS("1") "o = add(d, one) m = greater_equal(o, r) y = attention(k, k, k, m)", 7,
     "greater_equal"},
    /* beside another mask; where both are numbers the causal one has to hide whatever the other says */
    {CAUSAL ", p: bool[n, 1, 1, 3]",
     LOWER "a = and(m, p) y = attention(q, k, k, a)", 1,
     "attention"},
    {CAUSAL ", p: f32[n, 1, 1, 3]",
     "m = const f32[3, 3] [0, -inf, -inf, 0, 0, -inf, 0, 0, 0] a = add(p, m) "
     "y = attention(q, k, k, a)", 1,
     "attention"},
    {CAUSAL ", p: f32[n, 1, 1, 3]",
     LOWER "l = const f32[] -inf a = select(m, p, l) "
     "y = attention(q, k, k, a)", 1, "attention"},
    {CAUSAL ", p: f32[n, 1, 1, 3]",
     "m = const f32[3, 3] [0, -3e38, -3e38, 0, 0, -3e38, 0, 0, 0] a = add(p, m) "
     "y = attention(q, k, k, a)", 2, "add"},
    /* one element off, numbers that do not hide, the diagonal hidden, the last keys aligned, positions
     * that the run tells */
    {CAUSAL ", x: f32[3, 3]",
     "m = const bool[3, 3] [true, false, false, true, true, false, true, false, true] "
     "l = const f32[] -inf a = select(m, x, l) "
     "y = attention(q, k, k, a)", 2, "select"},
    {CAUSAL ", x: f32[3, 3]",
     "m = const bool[3, 3] [true, false, false, true, true, true, true, true, true] "
     "l = const f32[] -inf a = select(m, x, l) "
     "y = attention(q, k, k, a)", 2, "select"},
    {CAUSAL ", x: f32[3, 3]",
     "m = const f32[3, 3] [0, -9, -9, 0, 0, -9, 0, 0, 0] a = add(x, m) "
     "y = attention(q, k, k, a)", 2,
     "add"},
    {"q: f32[n, 2, s, 5], k: f32[n, 2, s, 5], x: f32[s, s]",
     "low = const f32[1] [-inf] h = shape(x) e = expand(low, h) m = trilu(e) "
     "y = attention(q, k, k, m)", 4,
     "trilu"},
    {"q: f32[n, 2, 3, 5], k: f32[n, 2, 4, 5], x: f32[3, 4]",
     "m = const bool[3, 4] [true, true, false, false, true, true, true, false, "
     "true, true, true, true] l = const f32[] -inf "
     "a = select(m, x, l) y = attention(q, k, k, a)", 2, "select"},
    {CAUSAL ", x: f32[3, 3], o: s64[]",
     LOWER "l = const f32[] -inf a = select(m, x, l) "
     "y = attention(q, k, k, a, _, o)", 2, "select"},
    /* one index is a slice; of an axis of unknown size it might be outside */
    {X, "i = const s64[] 1 y = gather(x, i) {axis=1}", 2, "slice"},
    {X, "i = const s64[1] [-1] y = gather(x, i) {axis=2}", 1, "slice"},
    {X, "i = const s64[2] [0, 1] y = gather(x, i) {axis=1}", 1, "gather"},
    {X, "i = const s64[] -1 y = gather(x, i) {axis=0}", 2, "slice"},
    {X, "i = const s64[] 1 y = gather(x, i) {axis=0}", 1, "gather"},
    {X,
     "a = relu(x) b = concat(x, a) {axis=1} c = concat(b, x, b) {axis=-2} y = concat(c, a) "
     "{axis=1}",
     3, "concat"},
    {X, "a = relu(x) b = exp(x) c = concat(x, a) {axis=1} d = concat(c, b) {axis=1} y = tanh(d)", 4,
     "concat"},
    {X, "a = relu(x) b = concat(x, a) {axis=1} c = concat(b, b) {axis=2} y = concat(c, c) {axis=1}",
     4, "concat"},
    {X,
     "i = const s64[1] [1] j = const s64[1] [3] k = const s64[1] [2] a = slice(x, i, j, i) "
     "y = slice(a, i, j, k)",
     1, "slice"},
    {X,
     "i = const s64[1] [0] j = const s64[1] [99] o = const s64[1] [1] t = const s64[1] [2] "
     "a = slice(x, i, j, o, t) b = slice(a, o, j, t, t) y = relu(b)",
     2, "slice"},
    /* of one axis the second cut counts from the first */
    {X, "i = const s64[1] [1] j = const s64[1] [3] a = slice(x, i, j, i) y = slice(a, i, j, i)", 2,
     "slice"},
    /* parts that are read where they lie: rows of products, heads of attention */
    {"x: f32[n, 3, 12]",
     "w = const f32[6, 5] @weights+0 a, b = split(x) {axis=2} p = matmul(a, w) "
     "q = matmul(b, w) y = sub(p, q)",
     5, "slice"},
    {"x: f32[3, n, 2, 5, 4]",
     "z = const s64[1] [0] a, b, c = split(x) {axis=0} q = squeeze(a, z) "
     "k = squeeze(b, z) v = squeeze(c, z) y = attention(q, k, v)",
     7, "slice"},
    {"x: f32[n, 6, 4]",
     "w = const f32[4, 5] @weights+0 a, b = split(x) {axis=1} p = matmul(a, w) "
     "q = matmul(b, w) y = sub(p, q)",
     4, "split"},
    {"x: f32[n, 6, 4]", "a, b = split(x) {axis=2} y = sub(a, b)", 2, "split"},
    {"x: f32[n, 3, 12]",
     "w = const f32[6, 5] @weights+0 a, b = split(x) {axis=2} p = matmul(a, w) "
     "q = matmul(b, w) r = sub(p, q) s = const s64[1] [2] t = reduce(a, s) {kind=max, keep=true} "
     "y = add(r, t)",
     6, "split"},
    /* a transposed convolution without strides is a plain one, unless it cuts off more than it adds */
    {"x: f32[2, 5, 6, 12], b: f32[8]",
     "w = const f32[3, 2, 4, 12] @weights+0 "
     "y = conv_transpose(x, w, b) {groups=2, pads=[1, 0, 2, 1], dilations=[1, 2]}",
     1, "conv"},
    {"x: f32[2, 5, 3]", "w = const f32[4, 7, 3] @weights+0 y = conv_transpose(x, w) {padding=valid}",
     1, "conv"},
    {"x: f32[2, 5, 3], w: f32[4, 7, 3]", "y = conv_transpose(x, w)", 3, "conv"},
    {"x: f32[2, 5, 3]", "w = const f32[4, 7, 3] @weights+0 y = conv_transpose(x, w) {strides=[2]}", 1,
     "conv_transpose"},
    {"x: f32[2, 7, 3]", "w = const f32[2, 7, 3] @weights+0 y = conv_transpose(x, w) {pads=[2, 1]}", 1,
     "conv_transpose"},
    {"x: f32[2, n, 3]", "w = const f32[4, 7, 3] @weights+0 y = conv_transpose(x, w)", 1,
     "conv_transpose"},
    /* a grouped convolution, by split or by slices; in another order it is another */
    {"x: f32[n, 9, 9, 8]",
     "w = const f32[3, 3, 4, 5] @weights+0 v = const f32[3, 3, 4, 5] @weights+64 "
     "e = const f32[5] [1, 2, 3, 4, 5] f = const f32[5] [6, 7, 8, 9, 0] a, b = split(x) {axis=3} "
     "c = conv(a, w, e) d = conv(b, v, f) y = concat(c, d) {axis=3}",
     1, "conv"},
    {"x: f32[n, 9, 9, 8]",
     "w = const f32[3, 3, 4, 5] @weights+0 v = const f32[3, 3, 4, 5] @weights+64 "
     "o = const s64[1] [0] m = const s64[1] [4] l = const s64[1] [99] k = const s64[1] [-1] "
     "a = slice(x, o, m, k) b = slice(x, m, l, k) "
     "c = conv(a, w) d = conv(b, v) y = concat(c, d) {axis=-1}",
     1, "conv"},
    {"x: f32[n, 9, 9, 8]",
     "w = const f32[3, 3, 4, 5] @weights+0 v = const f32[3, 3, 4, 5] @weights+64 "
     "a, b = split(x) {axis=3} c = conv(a, w) d = conv(b, v) y = concat(d, c) {axis=3}",
     5, "concat"},
    {"x: f32[n, 9, 9, 8]",
     "w = const f32[3, 3, 4, 5] @weights+0 v = const f32[3, 3, 4, 5] @weights+64 "
     "a, b = split(x) {axis=3} c = conv(a, w) {pads=[0, 2, 2, 0]} d = conv(b, v) {pads=[2, 0, 0, "
     "2]} "
     "y = concat(c, d) {axis=3}",
     5, "concat"},
    {"x: f32[n, 3, 4, 4]",
     "s = const f32[3] [1, 2, 3] b = const f32[3] [4, 5, 6] "
     "m = const f32[3] [7, 8, 9] v = const f32[3] [1, 1, 4] y = batch_norm(x, s, b, m, v) {axis=1}",
     2, "add"},
};

static void check_row(const row *r) {
  char text[2048];
  hone_pass_log log;
  snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", r->inputs, r->body);
  hone_graph *graph = rewrite_with(text, passes, rewrite_defaults, &log, bound("rewrite", "fp32"));
  if (!graph) return;
  if (rewrite_nodes(graph) != r->nodes || rewrite_count(graph, r->op) == 0) {
    fprintf(stderr, "%d nodes with %s wanted of %s:\n%s", r->nodes, r->op, text,
            rewrite_print(graph));
    check_failed++;
  }
  hone_graph_free(graph);
}

TEST(rows) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
}

/* fp32-strict: nothing that rounds otherwise. */
TEST(strict_keeps_roundings) {
  hone_pass_context context = rewrite_defaults;
  hone_pass_log log;
  context.strict = true;
  hone_graph *graph = rewrite_with(
      "graph g(x: f32[40]) -> (y) { t = const f32[] 3 u = const f32[] 0.1 a = div(x, t) b = mul(a, "
      "t) "
      "y = mul(b, u) }",
      passes, context, &log, 0);
  CHECK(graph && rewrite_nodes(graph) == 3);
  hone_graph_free(graph);
}

/* How exporters reshape: sizes taken from the input, sliced, multiplied and glued together again.
 */
TEST(shape_arithmetic_with_symbols) {
  hone_pass_log log;
  hone_graph *graph = rewrite_with(
      "graph g(x: f32[n, s, 12]) -> (y) {\n"
      "  i0 = const s64[] 0 i1 = const s64[] 1 axis = const s64[1] [0] heads = const s64[2] [3, "
      "4]\n"
      "  shape = shape(x) a = gather(shape, i0) {axis=0} b = gather(shape, i1) {axis=0}\n"
      "  a1 = unsqueeze(a, axis) b1 = unsqueeze(b, axis) to = concat(a1, b1, heads) {axis=0}\n"
      "  r = reshape(x, to) t = transpose(r) {perm=[0, 2, 1, 3]}\n"
      "  back = transpose(t) {perm=[0, 2, 1, 3]} four = const s64[] 4 c = const s64[] 3\n"
      "  w = mul(four, c) w1 = unsqueeze(w, axis) to2 = concat(a1, b1, w1) {axis=0}\n"
      "  flat = reshape(back, to2) y = relu(flat) }",
      passes, rewrite_defaults, &log, 0);
  CHECK(graph && rewrite_nodes(graph) == 1);
  if (graph && rewrite_nodes(graph) != 1) fprintf(stderr, "%s", rewrite_print(graph));
  hone_graph_free(graph);
}

/* PyTorch's expand: where(shape == -1, ones, shape). */
TEST(expand_to_own_shape_vanishes) {
  hone_pass_log log;
  hone_graph *graph = rewrite_with(
      "graph g(x: f32[n, 4]) -> (y) { m = const s64[1] [-1] s = shape(x) o = const s64[2] [1, 1]\n"
      "  e = equal(s, m) w = select(e, o, s) b = expand(x, w) y = relu(b) }",
      passes, rewrite_defaults, &log, 0);
  CHECK(graph && rewrite_nodes(graph) == 1);
  hone_graph_free(graph);
}

/* A size that only the run knows stays a computation. */
TEST(unknown_sizes_stay) {
  hone_pass_log log;
  hone_graph *graph = rewrite_with(
      "graph g(x: f32[n, m, 4]) -> (y) { i = const s64[2] [0, 1] t = const s64[1] [2]\n"
      "  s = shape(x) b = gather(s, i) {axis=0} u = mul(b, t) y = cast(u) {to=f32} }",
      passes, rewrite_defaults, &log, 0);
  CHECK(graph && rewrite_count(graph, "shape") == 1 && rewrite_count(graph, "mul") == 1);
  hone_graph_free(graph);
}

/* Sizes that nobody knows, but that come about alike, are one: the sum is of one shape. */
TEST(same_unknown_sizes_meet) {
  static const struct {
    const char *body;
    bool same;
  } cases[] = {
      {"a = conv(x, w) {strides=[2, 2]} b = conv(z, w) {strides=[2, 2]} y = add(a, b)", true},
      {"a = conv(x, w) {strides=[2, 2]} b = conv(z, w) {strides=[3, 3]} y = add(a, b)", false},
      {"s = shape(x) {start=1, end=2} a = slice(k, o, s, o) b = slice(k, o, s, o) c = add(a, b) "
       "d = add(c, a) y = add(b, d)",
       true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[512];
    hone_pass_context context = rewrite_defaults;
    snprintf(text, sizeof text,
             "graph g(x: f32[n, h, w, 2], z: f32[n, h, w, 2]) -> (y) { "
             "w = const f32[3, 3, 2, 2] @weights+0 k = const f32[9] @weights+0 "
             "o = const s64[1] [0] %s }",
             cases[i].body);
    hone_graph *graph = rewrite_parse(text);
    if (!graph) return;
    CHECK_OK(hone_pass_propagate.run(graph, &context));
    const hone_node *last = graph->last;
    CHECK(hone_shape_equal(&last->inputs[0].value->type.shape,
                           &last->inputs[1].value->type.shape) == cases[i].same);
    CHECK(!cases[i].same ||
          hone_shape_equal(&last->inputs[0].value->type.shape, &last->outputs[0]->type.shape));
    hone_graph_free(graph);
  }
}

/* What only the size of a later tensor was needed for is not computed. */
TEST(sizes_are_read_early) {
  hone_pass_log log;
  hone_graph *graph = rewrite_with(
      "graph g(x: f32[n, m, 4], z: f32[1, 4]) -> (y) { i = const s64[] 1 two = const s64[1] [0]\n"
      "  e = exp(x) t = transpose(e) {perm=[0, 1, 2]} s = shape(t) b = gather(s, i) {axis=0}\n"
      "  c = unsqueeze(b, two) k = const s64[1] [4] w = concat(c, k) {axis=0} y = expand(z, w) }",
      passes, rewrite_defaults, &log, 0);
  CHECK(graph && rewrite_count(graph, "exp") == 0 && rewrite_count(graph, "shape") == 1);
  hone_graph_free(graph);
}

TEST(constants_fold_within_limits) {
  hone_pass_context context = rewrite_defaults;
  hone_pass_log log;
  const char *text =
      "graph g(x: f32[64, 64]) -> (y) { w = const f32[64, 64] @weights+0\n"
      "  t = transpose(w) {perm=[1, 0]} y = matmul(x, t) }";
  hone_graph *graph = rewrite_with(text, passes, context, &log, 0);
  CHECK(graph && rewrite_nodes(graph) == 1);
  hone_graph_free(graph);
  context.fold_limit = 1000;
  graph = rewrite_with(text, passes, context, &log, 0);
  CHECK(graph && rewrite_nodes(graph) == 2);
  hone_graph_free(graph);
  graph = rewrite_with(
      "graph g(x: f32[512, 512]) -> (y) { o = const f32[] 1 s = const s64[2] [512, 512]\n"
      "  e = expand(o, s) y = sub(x, e) }",
      passes, rewrite_defaults, &log, 0);
  CHECK(graph && rewrite_fired(&log, "fold constants") == 0 &&
        rewrite_fired(&log, "drop expand") == 1);
  hone_graph_free(graph);
}

/* Random numbers differ from draw to draw: neither folded nor merged. */
TEST(random_nodes_stay) {
  hone_pass_log log;
  hone_graph *graph = rewrite_parse(
      "graph g(x: f32[2]) -> (y) { s = const s64[1] [2] a = random_normal(s) b = random_normal(s)\n"
      "  d = sub(a, b) y = add(x, d) }");
  hone_pass_context context = rewrite_defaults;
  context.log = &log;
  log.count = 0;
  for (int i = 0; graph && passes[i]; i++) CHECK_OK(passes[i]->run(graph, &context));
  CHECK(graph && rewrite_count(graph, "random_normal") == 2);
  hone_graph_free(graph);
}

/* Graph outputs keep their names, also where nothing is left to compute. */
TEST(outputs_keep_their_names) {
  hone_pass_log log;
  hone_graph *graph = rewrite_with(
      "graph g(x: f32[2]) -> (a, b, c) { i = identity(x) a = identity(i) b = relu(x) j = "
      "identity(b)\n"
      "  c = identity(j) }",
      passes, rewrite_defaults, &log, 0);
  CHECK(graph && rewrite_nodes(graph) == 3);
  hone_graph_free(graph);
}

/* A norm that only a product reads stands beside it, the view before both. */
TEST(views_go_before_norms) {
#define NORMED "w = const f32[6, 8] @weights+0 c = const f32[6] @weights+64 s = const s64[2] [-1, 6] "
  static const struct {
    const char *inputs, *body;
    int fired;
  } norms[] = {
      {"x: f32[n, 1, 6]", NORMED "m = layer_norm(x, c, c) v = reshape(m, s) y = matmul(v, w)", 1},
      {"x: f32[n, 1, 6]",
       NORMED "i = const s64[1] [1] m = rms_norm(x, c) {axis=2} v = squeeze(m, i) y = matmul(v, w)",
       1},
      /* what else reads the norm, another reader, a view that a view takes back, rows cut anew, a
       * norm of two axes, a scale with an axis more */
      {"x: f32[n, 1, 6]",
       NORMED "m = layer_norm(x) v = reshape(m, s) k = matmul(v, w) a = const s64[2] [0, 1] "
              "f = const s64[1] [0] q = reduce(m, a) {kind=max, keep=false} "
              "r = reduce(k, f) {kind=max, keep=false} y = concat(q, r) {axis=-1}",
       0},
      {"x: f32[n, 1, 6]", NORMED "m = layer_norm(x) v = reshape(m, s) y = relu(v)", 0},
      {"x: f32[n, 4, 6]",
       NORMED "t = const s64[3] [-1, 4, 8] m = layer_norm(x) v = reshape(m, s) k = matmul(v, w) "
              "y = reshape(k, t)",
       0},
      {"x: f32[n, 4, 3]", NORMED "m = layer_norm(x) v = reshape(m, s) y = matmul(v, w)", 0},
      {"x: f32[n, 1, 6]",
       NORMED "m = layer_norm(x) {axis=1} v = reshape(m, s) y = matmul(v, w)", 0},
      {"x: f32[n, 1, 6]",
       NORMED "d = const f32[1, 6] @weights+64 m = layer_norm(x, d) v = reshape(m, s) "
              "y = matmul(v, w)",
       0},
  };
  for (size_t i = 0; i < sizeof norms / sizeof *norms; i++) {
    char text[1024];
    hone_pass_log log;
    snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", norms[i].inputs, norms[i].body);
    hone_graph *graph = rewrite_with(text, passes, rewrite_defaults, &log, bound("rewrite", "fp32"));
    if (graph && rewrite_fired(&log, "view before norm") != norms[i].fired) {
      fprintf(stderr, "view %zu before a norm:\n%s", i, rewrite_print(graph));
      check_failed++;
    }
    hone_graph_free(graph);
  }
}

int main(void) {
  RUN(rows);
  RUN(strict_keeps_roundings);
  RUN(shape_arithmetic_with_symbols);
  RUN(expand_to_own_shape_vanishes);
  RUN(unknown_sizes_stay);
  RUN(same_unknown_sizes_meet);
  RUN(sizes_are_read_early);
  RUN(constants_fold_within_limits);
  RUN(random_nodes_stay);
  RUN(outputs_keep_their_names);
  RUN(views_go_before_norms);
  return check_report();
}
