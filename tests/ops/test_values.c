/* Values of the moving, reducing and normalising ops: each row computes `y` and says what it has to
 * be. Expected values are NumPy's, written out. */
#include <math.h>

#include "numerics.h"
#include "ops/harness.h"

static const struct row {
  const char *what, *body;
} rows[] = {
    /* views */
    {"reshape with 0 and -1",
     "x = const s32[2, 3, 2] [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]\n"
     "s = const host s64[2] [0, -1] y = reshape(x, s)\n"
     "w = const s32[2, 6] [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]"},
    {"reshape of nothing",
     "x = const f32[0, 3] [] s = const host s64[2] [5, 0]\n"
     "y = reshape(x, s) {allow_zero=true} w = const f32[5, 0] []"},
    {"flatten at the end",
     "x = const f32[2, 1] [1, 2] y = flatten(x) {axis=2}\n"
     "w = const f32[2, 1] [1, 2]"},
    {"squeeze of all ones", "x = const f32[1, 2, 1] [1, 2] y = squeeze(x) w = const f32[2] [1, 2]"},
    {"unsqueeze at both ends",
     "x = const f32[2] [1, 2] a = const host s64[2] [-1, 0]\n"
     "y = unsqueeze(x, a) w = const f32[1, 2, 1] [1, 2]"},
    {"bitcast",
     "x = const f32[2] [1, -2] y = bitcast(x) {to=u32}\n"
     "w = const u32[2] [1065353216, 3221225472]"},
    /* movement */
    {"transpose of packed elements",
     "x = const s4[2, 3] [1, 2, 3, -4, -5, -6] y = transpose(x)\n"
     "w = const s4[3, 2] [1, -4, 2, -5, 3, -6]"},
    {"transpose of strings",
     "x = const str[2, 2] [\"a\", \"b\", \"c\", \"d\"]\n"
     "y = transpose(x) {perm=[1, 0]} w = const str[2, 2] [\"a\", \"c\", \"b\", \"d\"]"},
    {"concat with an empty part",
     "x = const s8[2, 1] [1, 2] e = const s8[2, 0] []\n"
     "z = const s8[2, 2] [3, 4, 5, 6] y = concat(x, e, z) {axis=-1}\n"
     "w = const s8[2, 3] [1, 3, 4, 2, 5, 6]"},
    {"split by sizes, second part",
     "x = const f32[5] [1, 2, 3, 4, 5] s = const host s64[2] [2, 3]\n"
     "_, y = split(x, s) w = const f32[3] [3, 4, 5]"},
    {"split into parts that do not divide",
     "x = const f32[5] [1, 2, 3, 4, 5]\n"
     "_, _, y = split(x) {parts=3} w = const f32[1] [5]"},
    {"slice backwards to the front",
     "x = const f32[5] [0, 1, 2, 3, 4]\n"
     "a = const host s64[1] [-1] b = const host s64[1] [-9223372036854775808]\n"
     "c = const host s64[1] [-2] y = slice(x, a, b, _, c) w = const f32[3] [4, 2, 0]"},
    {"slice past the end",
     "x = const f32[3] [0, 1, 2] a = const host s64[1] [1]\n"
     "b = const host s64[1] [9223372036854775807] y = slice(x, a, b) w = const f32[2] [1, 2]"},
    {"slice of nothing",
     "x = const f32[3] [0, 1, 2] a = const host s64[1] [2]\n"
     "b = const host s64[1] [1] y = slice(x, a, b) w = const f32[0] []"},
    {"expand both ways",
     "x = const f32[2, 1] [1, 2] s = const host s64[1] [3]\n"
     "y = expand(x, s) w = const f32[2, 3] [1, 1, 1, 2, 2, 2]"},
    {"tile of pairs of bits",
     "x = const u2[3] [1, 2, 3] r = const host s64[1] [2]\n"
     "y = tile(x, r) w = const u2[6] [1, 2, 3, 1, 2, 3]"},
    {"pad and cut",
     "x = const f32[3] [1, 2, 3] p = const host s64[2] [-1, 2] v = const f32[] 9\n"
     "y = pad(x, p, v) w = const f32[4] [2, 3, 9, 9]"},
    {"pad by reflection, more than once around",
     "x = const f32[3] [1, 2, 3]\n"
     "p = const host s64[2] [3, 2] y = pad(x, p) {mode=reflect}\n"
     "w = const f32[8] [2, 3, 2, 1, 2, 3, 2, 1]"},
    {"pad by wrapping an axis",
     "x = const f32[1, 3] [1, 2, 3] p = const host s64[2] [1, 1]\n"
     "a = const host s64[1] [-1] y = pad(x, p, _, a) {mode=wrap}\n"
     "w = const f32[1, 5] [3, 1, 2, 3, 1]"},
    {"gather with negative indices",
     "x = const s16[2, 3] [1, 2, 3, 4, 5, 6]\n"
     "i = const s64[2] [-1, 0] y = gather(x, i) {axis=1} w = const s16[2, 2] [3, 1, 6, 4]"},
    {"gather_elements",
     "x = const f32[2, 2] [1, 2, 3, 4] i = const s32[2, 2] [0, 0, 1, 0]\n"
     "y = gather_elements(x, i) {axis=1} w = const f32[2, 2] [1, 1, 4, 3]"},
    {"gather_nd in batches",
     "x = const s32[2, 2, 2] [0, 1, 2, 3, 4, 5, 6, 7]\n"
     "i = const s64[2, 1] [1, 0] y = gather_nd(x, i) {batch_dims=1} w = const s32[2, 2] [2, 3, 4, "
     "5]"},
    {"scatter_elements adding twice",
     "x = const f32[3] [1, 1, 1] i = const s64[2] [1, -2]\n"
     "u = const f32[2] [2, 3] y = scatter_elements(x, i, u) {reduction=add}\n"
     "w = const f32[3] [1, 6, 1]"},
    {"scatter_nd of rows",
     "x = const f32[3, 2] [0, 0, 0, 0, 0, 0] i = const s64[2, 1] [2, 0]\n"
     "u = const f32[2, 2] [1, 2, 3, 4] y = scatter_nd(x, i, u)\n"
     "w = const f32[3, 2] [3, 4, 0, 0, 1, 2]"},
    {"tensor_scatter around the end",
     "x = const f32[1, 3, 1] [0, 0, 0]\n"
     "u = const f32[1, 2, 1] [7, 8] s = const s64[1] [2]\n"
     "y = tensor_scatter(x, u, s) {mode=circular} w = const f32[1, 3, 1] [8, 0, 7]"},
    {"reverse_sequence",
     "x = const f32[3, 2] [1, 2, 3, 4, 5, 6] l = const s64[2] [3, 2]\n"
     "y = reverse_sequence(x, l) w = const f32[3, 2] [5, 4, 3, 2, 1, 6]"},
    {"compress by a short condition",
     "x = const f32[2, 3] [1, 2, 3, 4, 5, 6]\n"
     "c = const bool[2] [false, true] y = compress(x, c) {flat=false, axis=1}\n"
     "w = const f32[2, 1] [2, 5]"},
    {"select of strings",
     "c = const bool[2] [true, false] a = const str[2] [\"a\", \"b\"]\n"
     "b = const str[] \"z\" y = select(c, a, b) w = const str[2] [\"a\", \"z\"]"},
    {"shape cut", "x = const f32[2, 0, 3] [] y = shape(x) {start=-2} w = const s64[2] [0, 3]"},
    {"size", "x = const f32[2, 3] [1, 2, 3, 4, 5, 6] y = size(x) w = const s64[] 6"},
    {"range downwards",
     "a = const host s64[] 5 b = const host s64[] -1 c = const host s64[] -2\n"
     "y = range(a, b, c) w = const s64[3] [5, 3, 1]"},
    {"eye_like",
     "x = const f32[2, 3] [9, 9, 9, 9, 9, 9] y = eye_like(x) {k=1, dtype=s8}\n"
     "w = const s8[2, 3] [0, 1, 0, 0, 0, 1]"},
    {"one_hot with an index outside",
     "i = const s64[3] [1, -1, 7] d = const host s64[] 3\n"
     "v = const f32[2] [5, 2] y = one_hot(i, d, v) w = const f32[3, 3] [5, 2, 5, 5, 5, 2, 5, 5, "
     "5]"},
    {"trilu, lower, below the diagonal",
     "x = const s32[2, 3] [1, 2, 3, 4, 5, 6]\n"
     "k = const host s64[] -1 y = trilu(x, k) {upper=false} w = const s32[2, 3] [0, 0, 0, 4, 0, "
     "0]"},
    {"trilu far away",
     "x = const s32[2, 2] [1, 2, 3, 4] k = const host s64[] 9223372036854775807\n"
     "y = trilu(x, k) w = const s32[2, 2] [0, 0, 0, 0]"},
    /* casts */
    {"cast of reals to integers",
     "x = const f32[4] [2.9, -2.9, nan, 300] y = cast(x) {to=u8}\n"
     "w = const u8[4] [2, 254, 0, 44]"},
    {"cast saturates in 8 bits",
     "x = const f32[3] [1000, -inf, 0.3] y = cast(x) {to=f8e4m3}\n"
     "w = const f8e4m3[3] [448, -448, 0.3125]"},
    {"cast past the range",
     "x = const f32[2] [1000, 1] y = cast(x) {to=f8e5m2, saturate=false}\n"
     "w = const f8e5m2[2] [1024, 1]"},
    {"cast of a large u64",
     "x = const u64[1] [18446744073709551615] y = cast(x) {to=f32}\n"
     "w = const f32[1] [18446744073709551616]"},
    {"cast to text",
     "x = const f32[4] [0.1, 1, -inf, 1e-07] y = cast(x) {to=str}\n"
     "w = const str[4] [\"0.1\", \"1.0\", \"-inf\", \"1e-07\"]"},
    {"cast from text",
     "x = const str[4] [\" +INF\", \"-1e2\", \"7\", \"0.5\"] y = cast(x) {to=f32}\n"
     "w = const f32[4] [inf, -100, 7, 0.5]"},
    {"text is equal",
     "x = const str[3] [\"a\", \"b\", \"\"] z = const str[] \"b\" y = equal(x, z)\n"
     "w = const bool[3] [false, true, false]"},
    /* reductions */
    {"mean of the middle axis",
     "x = const f32[1, 2, 2] [1, 2, 3, 6] a = const host s64[1] [-2]\n"
     "y = reduce(x, a) {kind=mean} w = const f32[1, 1, 2] [2, 4]"},
    {"two axes apart",
     "x = const s32[2, 2, 2] [1, 2, 3, 4, 5, 6, 7, 8]\n"
     "a = const host s64[2] [0, 2] y = reduce(x, a) {kind=sum, keep=false} w = const s32[2] [14, "
     "22]"},
    {"over nothing",
     "x = const f32[2, 0] [] a = const host s64[1] [1]\n"
     "y = reduce(x, a) {kind=max} w = const f32[2, 1] [-inf, -inf]"},
    {"no axes, none meant",
     "x = const f32[2] [3, -4] y = reduce(x) {kind=l1, empty_is_all=false}\n"
     "w = const f32[2] [3, 4]"},
    {"l2", "x = const f32[2] [3, -4] y = reduce(x) {kind=l2, keep=false} w = const f32[] 5"},
    {"log_sum_exp does not overflow",
     "x = const f32[2] [1000, 1000]\n"
     "y = reduce(x) {kind=log_sum_exp, keep=false} w = const f32[] 1000.6932"},
    {"unsigned maximum",
     "x = const u64[2] [18446744073709551615, 1]\n"
     "y = reduce(x) {kind=max, keep=false} w = const u64[] 18446744073709551615"},
    {"bool minimum",
     "x = const bool[2] [true, false] y = reduce(x) {kind=min, keep=false}\n"
     "w = const bool[] false"},
    {"last of the greatest",
     "x = const f32[4] [1, 5, 5, 2]\n"
     "y = arg_reduce(x) {kind=max, last=true, keep=false} w = const s64[] 2"},
    {"NaN is the greatest",
     "x = const f32[3] [1, nan, 5] y = arg_reduce(x) {kind=max}\n"
     "w = const s64[1] [1]"},
    {"cumsum, exclusive, backwards",
     "x = const f32[3] [1, 2, 3] a = const host s64[] 0\n"
     "y = cumsum(x, a) {exclusive=true, reverse=true} w = const f32[3] [5, 3, 0]"},
    {"cumulative product wraps",
     "x = const u8[3] [100, 3, 2] a = const host s64[] -1\n"
     "y = cumsum(x, a) {kind=prod} w = const u8[3] [100, 44, 88]"},
    {"softmax far from 0",
     "x = const f32[2] [1000, 1000] y = softmax(x) w = const f32[2] [0.5, 0.5]"},
    {"hardmax takes the first",
     "x = const f32[2, 2] [1, 3, 1, 2] y = hardmax(x) {axis=0}\n"
     "w = const f32[2, 2] [1, 1, 0, 0]"},
    {"topk, smallest, ties by place",
     "x = const s32[4] [2, 1, 2, 1] k = const host s64[1] [3]\n"
     "_, y = topk(x, k) {largest=false} w = const s64[3] [1, 3, 0]"},
    {"nonzero", "x = const s8[2, 2] [0, 3, 4, 0] y = nonzero(x) w = const s64[2, 2] [0, 1, 1, 0]"},
    {"unique in order of appearance",
     "x = const f32[5] [2, 1, 2, 3, 1] y = unique(x) {sorted=false}\n"
     "w = const f32[3] [2, 1, 3]"},
    {"unique's inverse",
     "x = const f32[5] [2, 1, 2, 3, 1] _, _, y, _ = unique(x)\n"
     "w = const s64[5] [1, 0, 1, 2, 0]"},
    {"unique columns",
     "x = const s32[2, 3] [1, 0, 1, 2, 5, 2] y = unique(x) {flat=false, axis=1}\n"
     "w = const s32[2, 2] [0, 1, 5, 2]"},
    {"det with a swap", "x = const f32[2, 2] [0, 2, 3, 4] y = det(x) w = const f32[] -6"},
    /* normalisations */
    {"layer_norm",
     "x = const f32[2, 2] [1, 3, 5, 5] s = const f32[2] [2, 2] b = const f32[2] [1, 1]\n"
     "y = layer_norm(x, s, b) {epsilon=0.0} z = reduce(y) {kind=min, keep=false}\n"
     "w = const f32[2, 2] [-1, 3, nan, nan]"},
    {"rms_norm",
     "x = const f32[2] [3, 4] s = const f32[1] [5] y = rms_norm(x, s) {epsilon=0}\n"
     "w = const f32[2] [4.2426405, 5.656854]"},
    {"batch_norm on axis 1",
     "x = const f32[1, 2, 2] [1, 2, 3, 4] s = const f32[2] [2, 1]\n"
     "b = const f32[2] [0, 1] m = const f32[2] [1, 3] v = const f32[2] [4, 1]\n"
     "y = batch_norm(x, s, b, m, v) {epsilon=0, axis=1} w = const f32[1, 2, 2] [0, 1, 1, 2]"},
    {"group_norm, channels last",
     "x = const f32[1, 2, 2] [1, 10, 3, 30]\n"
     "y = group_norm(x) {groups=2, epsilon=0} w = const f32[1, 2, 2] [-1, -1, 1, 1]"},
    {"instance_norm, channels first",
     "x = const f32[1, 2, 2] [1, 3, 10, 30]\n"
     "y = instance_norm(x) {epsilon=0, axis=1} w = const f32[1, 2, 2] [-1, 1, -1, 1]"},
    {"lp_norm leaves zeros",
     "x = const f32[2, 2] [3, 4, 0, 0] y = lp_norm(x)\n"
     "w = const f32[2, 2] [0.6, 0.8, 0, 0]"},
    {"lrn",
     "x = const f32[1, 3] [1, 2, 3] y = lrn(x) {size=3, alpha=3, beta=1, bias=0}\n"
     "w = const f32[1, 3] [0.2, 0.14285715, 0.23076923]"},
};

/* Equal, or for floats within a few ulps. */
static bool matches(const hone_datum *y, const hone_datum *w) {
  if (y->dtype != w->dtype || !hone_shape_equal(&y->shape, &w->shape)) return false;
  for (size_t i = 0; i < hone_datum_count(w); i++) {
    if (y->dtype == HONE_STR) {
      const hone_string *a = (const hone_string *)y->data + i,
                        *b = (const hone_string *)w->data + i;
      if (a->size != b->size || memcmp(a->data, b->data, a->size) != 0) return false;
    } else if (hone_dtype_class_of(y->dtype) != HONE_CLASS_FLOAT) {
      if (hone_load_int(y->dtype, y->data, i) != hone_load_int(w->dtype, w->data, i)) return false;
    } else {
      double a = hone_load_real(y->dtype, y->data, i), b = hone_load_real(w->dtype, w->data, i);
      double most = bound("reference value", "fp32") * fabs(b);
      if (a != b && !(a != a && b != b) && !(fabs(a - b) <= most)) return false;
    }
  }
  return true;
}

TEST(rows_come_out) {
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char text[2000];
    snprintf(text, sizeof text, "hone 1\ngraph t() -> (y, w) {\n%s\n}\n", rows[i].body);
    hone_arena memory = {0};
    hone_datum out[2] = {{0}};
    int before = check_failed;
    hone_graph *graph = parse(text);
    if (graph) {
      CHECK_OK(hone_interpret(graph, NULL, out, &memory));
      CHECK(out[0].data && matches(&out[0], &out[1]));
    }
    if (check_failed != before) fprintf(stderr, "in: %s\n", rows[i].what);
    hone_graph_free(graph);
    hone_arena_free(&memory);
  }
}

/* Shape rules with symbols: what the printed graph has to say. */
static const struct shaped {
  const char *what, *body, *wanted;
} shaped[] = {
    {"-1 beside a symbol", "s = const host s64[2] [0, -1] y = reshape(x, s)", "y: f32[n, 12]"},
    {"-1 takes the symbol", "s = const host s64[3] [-1, 4, 3] y = reshape(x, s)",
     "y: f32[n, 4, 3]"},
    {"a shape that was computed",
     "d = shape(x) z = const host s64[] 0 b = gather(d, z) e = const host s64[1] [0]\n"
     "u = unsqueeze(b, e) k = const host s64[2] [6, 2] s = concat(u, k) {axis=0} y = reshape(x, s)",
     "y: f32[n, 6, 2]"},
    {"flatten", "y = flatten(x)", "y: f32[n, 12]"},
    {"a slice of everything",
     "a = const host s64[1] [0] b = const host s64[1] [9223372036854775807]\n"
     "y = slice(x, a, b)",
     "y: f32[n, 3, 4]"},
    {"expand to a shape", "d = shape(x) c = const f32[] 1 y = expand(c, d)", "y: f32[n, 3, 4]"},
    {"concat of known sizes", "y = concat(x, x) {axis=2}", "y: f32[n, 3, 8]"},
    {"reduce", "a = const host s64[1] [-1] y = reduce(x, a) {kind=max}", "y: f32[n, 3, 1]"},
    {"gather", "i = const s64[2, 2] [0, 1, 2, 0] y = gather(x, i) {axis=1}", "y: f32[n, 2, 2, 4]"},
    {"a range as long as a dimension",
     "d = shape(x) {end=1} e = squeeze(d) z = const host s64[] 0 o = const host s64[] 1\n"
     "y = range(z, e, o)",
     "y: s64[n]"},
    {"split of a known axis", "y, _ = split(x) {axis=2}", "y: f32[n, 3, 2]"},
};

TEST(symbols_stay) {
  for (size_t i = 0; i < sizeof shaped / sizeof shaped[0]; i++) {
    char text[1000];
    snprintf(text, sizeof text, "hone 1\ngraph t(x: f32[n, 3, 4]) -> (y) {\n%s\n}\n",
             shaped[i].body);
    hone_graph *graph = parse(text);
    hone_text printed = {0};
    if (!graph) continue;
    CHECK_OK(hone_graph_print(graph, 64, NULL, NULL, &printed));
    if (!printed.data || !strstr(printed.data, shaped[i].wanted)) {
      fprintf(stderr, "%s:\n%s", shaped[i].what, printed.data ? printed.data : "");
      CHECK(!"the wanted shape");
    }
    hone_text_free(&printed);
    hone_graph_free(graph);
  }
}

/* Sizes that overflow, axes outside, indices outside: refused, never computed. */
static const struct refused {
  const char *body, *message;
} refused[] = {
    {"x = const f32[2] [1, 2] s = const host s64[2] [4611686018427387904, 4] y = reshape(x, s)",
     "numbers of elements"},
    {"x = const f32[2] [1, 2] s = const host s64[2] [-1, -1] y = reshape(x, s)", "more than one"},
    {"x = const f32[2] [1, 2] s = const host s64[1] [-3] y = reshape(x, s)", "-3 in the shape"},
    {"x = const f32[2] [1, 2] s = const host s64[9] [1, 1, 1, 1, 1, 1, 1, 1, 2] y = reshape(x, s)",
     "8 are the most"},
    {"x = const f32[2] [1, 2] r = const host s64[1] [9223372036854775807] y = tile(x, r)",
     "overflows"},
    {"x = const f32[2] [1, 2] r = const host s64[1] [4611686018427387903] y = tile(x, r)", "large"},
    {"x = const f32[2] [1, 2] p = const host s64[2] [9223372036854775807, 1] y = pad(x, p)",
     "pads"},
    {"x = const f32[2] [1, 2] p = const host s64[2] [-2, -1] y = pad(x, p)", "pads"},
    {"x = const f32[2] [1, 2] i = const s64[1] [2] y = gather(x, i)", "index 2"},
    {"x = const f32[2] [1, 2] i = const s64[1] [-3] y = gather_elements(x, i)", "index -3"},
    {"x = const f32[2] [1, 2] i = const s64[1, 1] [5] u = const f32[1] [1]\n"
     "y = scatter_nd(x, i, u)",
     "index 5"},
    {"x = const f32[2] [1, 2] y = softmax(x) {axis=1}", "axis 1 of 1"},
    {"x = const f32[2] [1, 2] y = transpose(x) {perm=[1]}", "not a permutation"},
    {"x = const f32[2] [1, 2] k = const host s64[] 3 y = topk(x, k)", "k is 3"},
    {"x = const f32[2] [1, 2] a = const host s64[1] [0] b = const host s64[1] [1]\n"
     "c = const host s64[1] [0] y = slice(x, a, b, _, c)",
     "step of 0"},
    {"x = const f32[5] [1, 2, 3, 4, 5] s = const host s64[2] [2, 2] y, _ = split(x, s)", "add up"},
    {"a = const host s64[] 0 b = const host s64[] 5 c = const host s64[] 0 y = range(a, b, c)",
     "do not lead"},
    {"a = const host f32[] 0 b = const host f32[] inf c = const host f32[] 1 y = range(a, b, c)",
     "do not lead"},
    {"x = const f32[2, 2] [1, 2, 3, 4] l = const s64[2] [3, 1] y = reverse_sequence(x, l)",
     "length 3"},
    {"x = const str[1] [\"q\"] y = cast(x) {to=f32}", "'q' is not a number"},
    {"y = concat() {axis=0}", "nothing to join"},
};

TEST(hostile_rows_are_refused) {
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    char text[1000];
    hone_arena memory = {0};
    hone_datum out;
    hone_graph *graph = NULL;
    snprintf(text, sizeof text, "hone 1\ngraph t() -> (y) {\n%s\n}\n", refused[i].body);
    hone_status *status =
        hone_graph_parse(text, strlen(text), hone_op_find, (hone_bytes){NULL, 0}, &graph);
    if (!status) status = hone_interpret(graph, NULL, &out, &memory);
    if (!status || !strstr(hone_status_message(status), refused[i].message)) {
      fprintf(stderr, "%s\n%s\n", refused[i].body, hone_status_message(status));
      CHECK(!"the wanted refusal");
    }
    hone_status_free(status);
    hone_graph_free(graph);
    hone_arena_free(&memory);
  }
}

int main(void) {
  RUN(rows_come_out);
  RUN(symbols_stay);
  RUN(hostile_rows_are_refused);
  return check_report();
}
