/* No op runs on the reference: every op of ops.def over all types that a processor computes in,
 * through the passes, and what they leave asked of the backend's table. VERBOSE=1 prints all that has
 * no kernel, other types included. */
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "check.h"
#include "ir/text.h"
#include "passes/pass.h"

/* A node of the op, or several with the one that the row is about; $ is the type asked for. Ops of
 * pointwise.def need no row. */
typedef struct example {
  const char *op, *text;
} example;

#define X345     "graph g(x: $[3, 4, 5]) -> (o) {"
#define SEQUENCE "graph g(x: $[3, 2, 5]) -> (o) {"
#define RUN_WEIGHTS(gates) \
  "graph g(x: $[3, 2, 5], w: $[1, " gates ", 5], r: $[1, " gates ", 4]) -> (o) {"

#define SIXTEEN "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16"
#define SIXTY_FOUR SIXTEEN ", " SIXTEEN ", " SIXTEEN ", " SIXTEEN
#define BYTES "[" SIXTY_FOUR ", " SIXTY_FOUR ", " SIXTY_FOUR ", " SIXTY_FOUR "]"

static const example examples[] = {
    {"cast", X345 " o = cast(x) {to=f32} }"},
    {"cast", X345 " o = cast(x) {to=s64} }"},
    {"cast", "graph g(x: f32[3, 4]) -> (o) { o = cast(x) {to=$} }"},
    {"bitcast", X345 " o = bitcast(x) {to=$} }"},
    {"select", "graph g(c: bool[3, 1], x: $[3, 4], y: $[4]) -> (o) { o = select(c, x, y) }"},
    {"reduce", X345 " o = reduce(x) {kind=sum} }"},
    {"reduce", X345 " o = reduce(x) {kind=prod} }"},
    {"reduce", X345 " a = const s64[1] [1]\n o = reduce(x, a) {kind=max} }"},
    {"reduce", X345 " a = const s64[1] [1]\n o = reduce(x, a) {kind=log_sum_exp} }"},
    {"arg_reduce", X345 " o = arg_reduce(x) {kind=max, axis=1} }"},
    {"cumsum", X345 " a = const s64[] 1\n o = cumsum(x, a) }"},
    {"softmax", X345 " o = softmax(x) }"},
    {"log_softmax", X345 " o = log_softmax(x) {axis=1} }"},
    {"hardmax", X345 " o = hardmax(x) }"},
    {"batch_norm",
     "graph g(x: $[2, 3, 5], s: $[5], b: $[5], m: $[5], v: $[5]) -> (o) {"
     " o = batch_norm(x, s, b, m, v) }"},
    {"layer_norm", "graph g(x: $[3, 4, 5], s: $[5], b: $[5]) -> (o) { o = layer_norm(x, s, b) }"},
    {"layer_norm", "graph g(x: $[3, 4, 5]) -> (o, m, i) { o, m, i = layer_norm(x) {axis=1} }"},
    {"rms_norm", "graph g(x: $[3, 4, 5], s: $[5]) -> (o) { o = rms_norm(x, s) }"},
    {"instance_norm",
     "graph g(x: $[2, 3, 5], s: $[5], b: $[5]) -> (o) {"
     " o = instance_norm(x, s, b) }"},
    {"group_norm",
     "graph g(x: $[2, 3, 6], s: $[6], b: $[6]) -> (o) {"
     " o = group_norm(x, s, b) {groups=2} }"},
    {"lp_norm", X345 " o = lp_norm(x) {axis=1} }"},
    {"lrn", X345 " o = lrn(x) {size=3} }"},
    {"det", "graph g(x: $[3, 4, 4]) -> (o) { o = det(x) }"},
    {"topk", "graph g(x: $[3, 40]) -> (v, p) { k = const s64[1] [3]\n v, p = topk(x, k) }"},
    {"unique", "graph g(x: $[3, 4]) -> (y, i, n, c) { y, i, n, c = unique(x) }"},
    {"unique", "graph g(x: $[3, 4]) -> (y, n) { y, _, n, _ = unique(x) {flat=false, axis=1} }"},
    {"nonzero", X345 " o = nonzero(x) }"},
    {"random_uniform",
     "graph g() -> (o) { s = const s64[2] [3, 4]\n"
     " o = random_uniform(s) {dtype=$} }"},
    {"random_normal",
     "graph g() -> (o) { s = const s64[2] [3, 4]\n"
     " o = random_normal(s) {dtype=$} }"},
    {"bernoulli", X345 " o = bernoulli(x) }"},
    {"bernoulli", "graph g(x: f32[3, 4]) -> (o) { o = bernoulli(x) {dtype=$} }"},
    {"multinomial", "graph g(x: $[3, 4]) -> (o) { o = multinomial(x) {samples=5} }"},
    {"transpose", X345 " o = transpose(x) {perm=[2, 0, 1]} }"},
    {"concat", "graph g(x: $[3, 4], y: $[3, 5]) -> (o) { o = concat(x, y) {axis=1} }"},
    {"split", "graph g(x: $[6, 4]) -> (o, p) { o, p = split(x) {axis=1, parts=2} }"},
    {"slice", X345 " b = const s64[1] [1] e = const s64[1] [4] a = const s64[1] [2]\n"
                   " t = const s64[1] [2]\n o = slice(x, b, e, a, t) }"},
    {"expand", "graph g(x: $[3, 1, 5]) -> (o) { s = const s64[3] [3, 4, 5]\n o = expand(x, s) }"},
    {"tile", X345 " s = const s64[3] [2, 1, 3]\n o = tile(x, s) }"},
    {"pad", "graph g(x: $[3, 4]) -> (o) { p = const s64[4] [1, 2, 0, 1]\n o = pad(x, p) }"},
    {"pad",
     "graph g(x: $[3, 4]) -> (o) { p = const s64[4] [1, 2, 0, 1]\n"
     " o = pad(x, p) {mode=reflect} }"},
    {"gather", "graph g(x: $[3, 4], i: s64[5]) -> (o) { o = gather(x, i) }"},
    {"gather_elements",
     "graph g(x: $[3, 4], i: s64[3, 2]) -> (o) {"
     " o = gather_elements(x, i) {axis=1} }"},
    {"gather_nd", "graph g(x: $[3, 4], i: s64[5, 1]) -> (o) { o = gather_nd(x, i) }"},
    {"scatter_elements",
     "graph g(x: $[3, 4], i: s64[3, 2], u: $[3, 2]) -> (o) {"
     " o = scatter_elements(x, i, u) {axis=1} }"},
    {"scatter_elements",
     "graph g(x: $[3, 4], i: s64[3, 2], u: $[3, 2]) -> (o) {"
     " o = scatter_elements(x, i, u) {axis=1, reduction=add} }"},
    {"scatter_nd",
     "graph g(x: $[3, 4], i: s64[2, 1], u: $[2, 4]) -> (o) {"
     " o = scatter_nd(x, i, u) }"},
    {"tensor_scatter",
     "graph g(x: $[2, 4, 5], u: $[2, 2, 5], s: s64[2]) -> (o) {"
     " o = tensor_scatter(x, u, s) }"},
    {"reverse_sequence", "graph g(x: $[4, 5, 3], n: s64[5]) -> (o) { o = reverse_sequence(x, n) }"},
    {"compress", "graph g(x: $[3, 4], c: bool[4]) -> (o) { o = compress(x, c) {axis=1} }"},
    {"one_hot", "graph g(i: s64[5], v: $[2]) -> (o) { d = const s64[] 3\n o = one_hot(i, d, v) }"},
    {"one_hot", "graph g(i: $[5], v: f32[2]) -> (o) { d = const s64[] 3\n o = one_hot(i, d, v) }"},
    {"trilu", X345 " o = trilu(x) }"},
    {"conv", "graph g(x: $[1, 5, 6, 3], w: $[3, 3, 3, 4]) -> (o) { o = conv(x, w) }"},
    {"conv_integer",
     "graph g(x: $[1, 5, 6, 2], z: $[]) -> (o) {"
     " w = const $[1, 2, 2, 1] [1, 0, 2, 1]\n o = conv_integer(x, w, z) }"},
    {"conv_transpose",
     "graph g(x: $[1, 5, 6, 3], w: $[3, 3, 4, 3]) -> (o) {"
     " o = conv_transpose(x, w) }"},
    {"matmul", "graph g(a: $[3, 4], b: $[4, 5]) -> (o) { o = matmul(a, b) }"},
    {"matmul_integer",
     "graph g(a: $[3, 4], z: $[]) -> (o) {"
     " b = const $[4, 2] [1, 0, 2, 1, 3, 1, 1, 0]\n"
     " o = matmul_integer(a, b, z) }"},
    {"einsum",
     "graph g(a: $[3, 4], b: $[4, 5]) -> (o) {"
     " o = einsum(a, b) {equation=\"ij,jk->ki\"} }"},
    {"einsum",
     "graph g(a: $[3, 4], b: $[4, 5], c: $[5, 3]) -> (o) {"
     " o = einsum(a, b, c) {equation=\"ij,jk,ki->i\"} }"},
    {"pool", "graph g(x: $[1, 5, 6, 3]) -> (o) { o = pool(x) {kind=max, window=[3, 3]} }"},
    {"pool", "graph g(x: $[1, 5, 6, 3]) -> (o) { o = pool(x) {kind=avg, window=[3, 3]} }"},
    {"pool", "graph g(x: $[1, 5, 6, 3]) -> (o, i) { o, i = pool(x) {kind=max, window=[3, 3]} }"},
    {"lstm", RUN_WEIGHTS("16") " o = lstm(x, w, r) }"},
    {"gru", RUN_WEIGHTS("12") " o = gru(x, w, r) }"},
    {"rnn", RUN_WEIGHTS("4") " o = rnn(x, w, r) }"},
    {"attention",
     "graph g(q: $[1, 2, 3, 8], k: $[1, 2, 5, 8], v: $[1, 2, 5, 8]) -> (o) {"
     " o = attention(q, k, v) }"},
    {"attention",
     "graph g(q: $[1, 2, 3, 8], k: $[1, 2, 5, 8], v: $[1, 2, 5, 8], m: $[3, 5])"
     " -> (o, s) { o, s = attention(q, k, v, m) {scores=weights, softcap=2.0} }"},
    {"attention",
     "graph g(q: $[2, 2, 3, 8], k: $[2, 1, 5, 8], v: $[2, 1, 5, 6], n: s64[2])"
     " -> (o) { o = attention(q, k, v, _, n) {causal=true, left=3} }"},
    {"linear_attention",
     "graph g(q: $[1, 3, 2, 4], k: $[1, 3, 2, 4], v: $[1, 3, 2, 5],"
     " d: $[1, 3, 2, 1], b: $[1, 3, 2, 1]) -> (o, s) {"
     " o, s = linear_attention(q, k, v, _, d, b) }"},
    {"rotary_embedding",
     "graph g(x: $[1, 2, 3, 8], c: $[1, 3, 4], s: $[1, 3, 4]) -> (o) {"
     " o = rotary_embedding(x, c, s) }"},
    {"deform_conv",
     "graph g(x: $[1, 5, 6, 3], w: $[3, 3, 3, 4], f: $[1, 3, 4, 18]) -> (o) {"
     " o = deform_conv(x, w, f) }"},
    {"byte_mean", X345 " o = byte_mean(x) }"},
    {"byte_table", X345 " o = byte_table(x) {table=" BYTES "} }"},
    {"quantize", "graph g(x: $[3, 4], s: $[], z: u8[]) -> (o) { o = quantize(x, s, z) }"},
    {"quantize", "graph g(x: f32[3, 4], s: f32[], z: $[]) -> (o) { o = quantize(x, s, z) }"},
    {"dequantize", "graph g(x: $[3, 4], s: f32[], z: $[]) -> (o) { o = dequantize(x, s, z) }"},
    {"dequantize", "graph g(x: u8[3, 4], s: $[], z: u8[]) -> (o) { o = dequantize(x, s, z) }"},
    {"resize",
     "graph g(x: $[1, 5, 6, 3]) -> (o) { s = const f32[4] [1.0, 2.0, 1.5, 1.0]\n"
     " o = resize(x, _, s) }"},
    {"resize",
     "graph g(x: $[1, 5, 6, 3]) -> (o) { s = const f32[4] [1.0, 2.0, 1.5, 1.0]\n"
     " o = resize(x, _, s) {mode=linear} }"},
    {"resize",
     "graph g(x: $[1, 5, 6, 3]) -> (o) { s = const f32[4] [1.0, 2.0, 1.5, 1.0]\n"
     " o = resize(x, _, s) {mode=cubic, antialias=true} }"},
    {"resize",
     "graph g(x: $[1, 5, 6, 3]) -> (o) { n = const s64[4] [1, 4, 4, 3]\n"
     " r = const f32[8] [0, 0.1, 0.2, 0, 1, 0.8, 0.9, 1]\n"
     " o = resize(x, r, _, n) {mode=linear, coordinates=tf_crop_and_resize} }"},
    {"grid_sample", "graph g(x: $[1, 5, 6, 3], i: $[1, 3, 4, 2]) -> (o) { o = grid_sample(x, i) }"},
    {"affine_grid",
     "graph g(t: $[1, 2, 3]) -> (o) { s = const s64[4] [1, 3, 4, 5]\n"
     " o = affine_grid(t, s) }"},
    {"roi_align",
     "graph g(x: $[2, 5, 6, 3], r: $[3, 4], b: s64[3]) -> (o) {"
     " o = roi_align(x, r, b) {height=2, width=2, samples=2} }"},
    {"max_roi_pool",
     "graph g(x: $[2, 5, 6, 3], r: $[3, 5]) -> (o) {"
     " o = max_roi_pool(x, r) {height=2, width=2} }"},
    {"max_unpool",
     "graph g(x: $[1, 2, 3, 4], i: s64[1, 2, 3, 4]) -> (o) {"
     " o = max_unpool(x, i) {window=[2, 2], strides=[2, 2]} }"},
    {"col2im",
     "graph g(x: $[1, 10, 4]) -> (o) { i = const s64[1] [8] b = const s64[1] [5]\n"
     " o = col2im(x, i, b) }"},
    {"nms",
     "graph g(b: $[1, 6, 4], s: $[1, 2, 6]) -> (o) { m = const s64[] 3\n"
     " o = nms(b, s, m) }"},
    {"nms",
     "graph g(b: $[1, 6, 4], s: $[1, 2, 6], v: $[]) -> (o, p) { m = const s64[] 3\n"
     " o, p = nms(b, s, m, _, _, v) }"},
    {"complex_join", "graph g(x: $[3, 2]) -> (o) { o = complex_join(x) }"},
    {"complex_parts", "graph g(x: $[3, 4]) -> (o) { o = complex_parts(x) }"},
    {"dft", "graph g(x: $[2, 12, 1]) -> (o) { o = dft(x) }"},
    {"stft", "graph g(x: $[2, 40, 1], w: $[12]) -> (o) { s = const s64[] 5\n o = stft(x, s, w) }"},
    {"tf_idf_vectorizer",
     "graph g(x: $[3, 5]) -> (o) { o = tf_idf_vectorizer(x) {mode=tf,"
     " starts=[0], columns=[0, 1], pool_ints=[2, 3]} }"},
    {"couple_pairs", "graph g(x: $[5, 3]) -> (o) { o = couple_pairs(x) {classes=3} }"},
    {"tree_ensemble",
     "graph g(x: $[3, 2]) -> (o) { r = const s64[1] [0] v = const f32[1] [0]\n"
     " n = const s64[1, 5] [0, 7, 0, 1, 0] t = const s64[1] [0]\n"
     " w = const f32[1] [1.5] o = tree_ensemble(x, r, n, v, t, w) {outputs=1} }"},
};

/* Computed while planning, or views, or on objects: no backend is asked. */
static const char *const on_the_host[] = {"range", "window", "mel_weight_matrix", "image_decoder"};

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static bool is_computed_in(hone_dtype dtype) {
  hone_dtype_class class = hone_dtype_class_of(dtype);
  unsigned bits = hone_dtype_bits(dtype);
  return class == HONE_CLASS_FLOAT ? bits >= 16 : class < HONE_CLASS_STRING && bits >= 8;
}

enum { REFUSED, ON_A_KERNEL, ON_THE_REFERENCE };

/* Whether a group of the graph has no kernel. A node outside of groups is none that a kernel could
 * take: the group pass says so. */
static int find_kernels(const hone_graph *graph) {
  for (const hone_node *n = graph->first; n; n = n->next)
    if (n->op == &hone_op_group && hone_backend_cpu.candidates(n->regions[0], NULL, 0) == 0)
      return ON_THE_REFERENCE;
  return ON_A_KERNEL;
}

static int try_text(const char *text) {
  hone_pass_context context = {.compute = HONE_F32, .fold_limit = 1 << 20};
  hone_graph *graph = NULL;
  hone_status *status = hone_graph_parse(text, strlen(text), hone_op_find, (hone_bytes){0}, &graph);
  if (!status) status = hone_run_passes(graph, &context);
  int found = status ? REFUSED : find_kernels(graph);
  if (status && getenv("VERBOSE")) fprintf(stderr, "  %s\n", hone_status_message(status));
  hone_status_free(status);
  hone_graph_free(graph);
  return found;
}

/* The example with the type's name for each $. */
static int try_type(const char *text, hone_dtype dtype) {
  char filled[1024];
  size_t size = 0;
  const char *name = hone_dtype_name(dtype);
  for (; *text && size + strlen(name) + 2 < sizeof filled; text++)
    if (*text == '$')
      size += (size_t)sprintf(filled + size, "%s", name);
    else
      filled[size++] = *text;
  filled[size] = 0;
  return try_text(filled);
}

/* All examples of an op: which types one of them has on the reference. */
static void try_op(const char *op, const char *const *texts, size_t count) {
  int taken = 0;
  for (int t = 1; t < HONE_DTYPE_COUNT; t++) {
    hone_dtype dtype = (hone_dtype)t;
    const char *name = hone_dtype_name(dtype);
    bool lacks = false;
    if (dtype == HONE_STR) continue;
    for (size_t i = 0; i < count; i++) {
      int found = try_type(texts[i], dtype);
      taken += found != REFUSED;
      lacks = lacks || found == ON_THE_REFERENCE;
      if (found == ON_THE_REFERENCE && getenv("VERBOSE"))
        printf("%-20s %-10s %s\n", op, name, texts[i]);
    }
    if (!is_computed_in(dtype) || !lacks) continue;
    fprintf(stderr, "%s of %s runs on the reference\n", op, name);
    check_failed++;
  }
  if (taken == 0) fprintf(stderr, "no example of %s is taken\n", op);
  CHECK(taken > 0);
}

TEST(every_op_has_a_kernel) {
  size_t count;
  const hone_op *const *ops = hone_op_list(&count);
  const uint32_t outside = HONE_HAS_REGIONS | HONE_OBJECTS | HONE_VIEW | HONE_SHAPE_ONLY;
  for (size_t i = 0; i < count; i++) {
    const char *texts[16];
    size_t found = 0;
    bool host = false;
    for (size_t k = 0; k < COUNT(on_the_host); k++)
      host = host || strcmp(on_the_host[k], ops[i]->name) == 0;
    if (host || (ops[i]->facts & outside)) continue;
    for (size_t k = 0; k < COUNT(examples) && found < COUNT(texts); k++)
      if (strcmp(examples[k].op, ops[i]->name) == 0) texts[found++] = examples[k].text;
    static char pointwise[256];
    int least, most;
    hone_op_arity(ops[i]->inputs, &least, &most);
    if (found == 0 && (ops[i]->facts & HONE_POINTWISE)) {
      snprintf(pointwise, sizeof pointwise,
               "graph g(x: $[3, 5], y: $[5], z: $[3, 1]) -> (o) { o = %s(%s) }", ops[i]->name,
               most == 1   ? "x"
               : most == 2 ? "x, y"
                           : "x, y, z");
      texts[found++] = pointwise;
    }
    if (found == 0) fprintf(stderr, "op %s has no example here\n", ops[i]->name);
    CHECK(found > 0);
    try_op(ops[i]->name, texts, found);
  }
}

int main(void) {
  RUN(every_op_has_a_kernel);
  return check_report();
}
