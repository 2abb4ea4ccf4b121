/* Reading and writing through moves: layouts, and bodies that need no copy, with the answers of the
 * reference. Room: tests. */
#include "backend/layout.h"

#include "cpu_bodies.h"

static float weights[1024];

/* Where element `index` (row-major over `shape`) lies. */
static int64_t place(const hone_layout *layout, const hone_shape *shape, int64_t index) {
  int64_t at = layout->at;
  for (int i = shape->rank - 1; i >= 0; i--) {
    at += index % shape->dim[i] * layout->stride[i];
    index /= shape->dim[i];
  }
  return at;
}

/* Whether the reshape of a transposed tensor has a layout, and that it is the right one. */
static void check_reshape(hone_shape from, const int64_t *perm, hone_shape to, bool possible) {
  hone_layout layout = hone_layout_dense(&from), before;
  hone_shape turned = from;
  size_t count = 0;
  hone_layout_transpose(&layout, from.rank, perm);
  for (int i = 0; i < from.rank; i++) turned.dim[i] = from.dim[perm[i]];
  before = layout;
  CHECK(hone_layout_reshape(&layout, &turned, &to) == possible);
  CHECK(hone_shape_count(&to, &count));
  for (size_t i = 0; possible && i < count; i++)
    CHECK(place(&layout, &to, (int64_t)i) == place(&before, &turned, (int64_t)i));
}

#define SHAPE(...)                                                           \
  hone_shape_of((int)(sizeof((hone_dim[]){__VA_ARGS__}) / sizeof(hone_dim)), \
                (hone_dim[]){__VA_ARGS__})

TEST(reshapes) {
  check_reshape(SHAPE(2, 3, 20), (int64_t[]){0, 1, 2}, SHAPE(2, 3, 4, 5), true);
  check_reshape(SHAPE(2, 3, 20), (int64_t[]){2, 0, 1}, SHAPE(4, 5, 6), true);
  check_reshape(SHAPE(2, 3, 4), (int64_t[]){0, 2, 1}, SHAPE(8, 3), false);
  check_reshape(SHAPE(2, 3, 4), (int64_t[]){1, 0, 2}, SHAPE(3, 8), false);
  check_reshape(SHAPE(2, 3, 4), (int64_t[]){2, 1, 0}, SHAPE(24), false);
  check_reshape(SHAPE(1, 3, 1, 4), (int64_t[]){2, 1, 0, 3}, SHAPE(1, 12, 1, 1), true);
  check_reshape(SHAPE(1, 1), (int64_t[]){1, 0}, SHAPE(1, 1, 1), true);
  check_reshape(SHAPE(3, 0, 2), (int64_t[]){1, 0, 2}, SHAPE(6, 0), true);
}

/* Two thirds of a projection for batches of 3, tokens of 2, heads of 4: batches and heads merge into one
 * axis, which takes two steps, and part again. */
TEST(steps_merge_and_part) {
  hone_shape packed = SHAPE(2, 3, 4, 5), merged = SHAPE(2, 12, 5), parted = SHAPE(3, 4, 2, 5);
  hone_shape torn = SHAPE(2, 6, 2, 5);
  hone_layout lies = {.at = 20, .stride = {180, 60, 5, 1}}, layout = {0};
  hone_steps steps = hone_steps_of(&lies, &packed);
  CHECK(hone_steps_reshape(&steps, &merged) && !hone_steps_layout(&steps, &layout));
  hone_steps_transpose(&steps, (int64_t[]){1, 0, 2});
  CHECK(hone_steps_reshape(&steps, &parted) && hone_steps_layout(&steps, &layout));
  CHECK(layout.at == 20 && layout.stride[0] == 60 && layout.stride[1] == 5);
  CHECK(layout.stride[2] == 180 && layout.stride[3] == 1);
  /* the step of 3 is not cut in 2 */
  CHECK(!hone_steps_reshape(&steps, &torn));
}

TEST(untranspose_is_the_inverse) {
  const int64_t perm[] = {2, 0, -1, 1};
  hone_shape shape = SHAPE(2, 3, 4, 5);
  hone_layout dense = hone_layout_dense(&shape), layout = dense;
  hone_layout_transpose(&layout, 4, perm);
  hone_layout_untranspose(&layout, 4, perm);
  CHECK(memcmp(&layout, &dense, sizeof dense) == 0);
}

/* The body computes what the reference does in `phases` phases: one a kernel, and one a copy. */
static void check_phases(const char *text, int phases) {
  check_body(text, bound("product", "fp32"));
  if (body_phases != phases) fprintf(stderr, "%d phases, not %d:\n%s\n", body_phases, phases, text);
  CHECK(body_phases == phases);
}

#define HEADS "{perm=[0, 2, 1, 3]}"

TEST(attention_by_strides) {
  check_phases(
      "graph g(q: f32[2, 5, 4, 16], k: f32[2, 9, 2, 16], v: f32[2, 9, 2, 8]) -> (o) {\n"
      " a = transpose(q) " HEADS " b = transpose(k) " HEADS " c = transpose(v) " HEADS
      "\n"
      " d = attention(a, b, c)\n o = transpose(d) " HEADS "\n}",
      1);
  /* one wide projection: queries of four heads, keys and values of two */
  check_phases(
      "graph g(x: f32[3, 7, 128]) -> (o) {\n"
      " i = const s64[1] [0] j = const s64[1] [64] k = const s64[1] [96]\n"
      " l = const s64[1] [128] z = const s64[1] [-1] s = const s64[4] [0, 0, -1, 16]\n"
      " a = slice(x, i, j, z) b = slice(x, j, k, z) c = slice(x, k, l, z)\n"
      " d = reshape(a, s) e = reshape(b, s) f = reshape(c, s)\n"
      " q = transpose(d) " HEADS " m = transpose(e) " HEADS " v = transpose(f) " HEADS
      "\n"
      " y = attention(q, m, v) {causal=true}\n o = transpose(y) " HEADS "\n}",
      1);
  /* batch and heads in one axis */
  check_phases(
      "graph g(x: f32[7, 6, 24]) -> (o) {\n"
      " i = const s64[1] [0] j = const s64[1] [8] k = const s64[1] [16]\n"
      " l = const s64[1] [24] z = const s64[1] [2] u = const s64[1] [0]\n"
      " a = slice(x, i, j, z) b = slice(x, j, k, z) c = slice(x, k, l, z)\n"
      " d = transpose(a) {perm=[1, 0, 2]} e = transpose(b) {perm=[1, 0, 2]}\n"
      " f = transpose(c) {perm=[1, 0, 2]} q = unsqueeze(d, u) m = unsqueeze(e, u)\n"
      " v = unsqueeze(f, u) y = attention(q, m, v)\n w = squeeze(y, u)\n"
      " o = transpose(w) {perm=[1, 0, 2]}\n}",
      1);
}

/* As torch.onnx writes nn.MultiheadAttention: tokens before batches, batches and heads in one axis. */
TEST(attention_of_packed_batches) {
  check_phases(
      "graph g(x: f32[7, 3, 96]) -> (o) {\n"
      " s = const s64[4] [7, 3, 3, 32] i = const s64[1] [0] j = const s64[1] [1]\n"
      " k = const s64[1] [2] l = const s64[1] [3] h = const s64[3] [7, 12, 8]\n"
      " w = const s64[4] [3, 4, 7, 8]\n"
      " a = reshape(x, s) b = transpose(a) {perm=[2, 0, 1, 3]}\n"
      " q0 = slice(b, i, j, i) k0 = slice(b, j, k, i) v0 = slice(b, k, l, i)\n"
      " q1 = reshape(q0, h) k1 = reshape(k0, h) v1 = reshape(v0, h)\n"
      " q2 = transpose(q1) {perm=[1, 0, 2]} k2 = transpose(k1) {perm=[1, 0, 2]}\n"
      " v2 = transpose(v1) {perm=[1, 0, 2]} q3 = reshape(q2, w) k3 = reshape(k2, w)\n"
      " v3 = reshape(v2, w) y = attention(q3, k3, v3)\n o = transpose(y) {perm=[2, 0, 1, 3]}\n}",
      1);
}

/* What strides do not reach is copied: features apart, a view that tears, a result read twice. */
TEST(copies_where_strides_do_not_reach) {
  check_phases(
      "graph g(q: f32[2, 4, 16, 5], k: f32[2, 4, 9, 16]) -> (o) {\n"
      " a = transpose(q) {perm=[0, 1, 3, 2]}\n o = attention(a, k, k)\n}",
      2);
  check_phases(
      "graph g(x: f32[4, 3, 32], k: f32[2, 4, 9, 16]) -> (o) {\n"
      " a = transpose(x) {perm=[1, 0, 2]} s = const s64[4] [2, 4, 3, 16]\n"
      " q = reshape(a, s) y = attention(q, k, k)\n o = transpose(y) " HEADS "\n}",
      2);
  check_phases(
      "graph g(q: f32[2, 4, 5, 16], k: f32[2, 4, 9, 16]) -> (y, o) {\n"
      " y = attention(q, k, k)\n o = transpose(y) " HEADS "\n}",
      2);
}

/* Convolutions of every kind on a slice of the channels, and behind a cast. */
TEST(convolutions_by_pitch) {
  static const char *const windows[] = {
      "w = const f32[3, 3, 9, 5] @weights+0 o = conv(a, w) {pads=[1, 1, 1, 1]}",
      "w = const f32[1, 1, 9, 5] @weights+0 c = conv(a, w) o = relu(c)",
      "w = const f32[3, 3, 9, 5] @weights+0 o = conv(a, w) {strides=[2, 2]}",
      "w = const f32[3, 3, 1, 9] @weights+0 o = conv(a, w) {pads=[1, 1, 1, 1], groups=9}",
      "w = const f32[3, 3, 3, 6] @weights+0 o = conv(a, w) {dilations=[2, 1], groups=3}",
      "w = const f32[2, 2, 5, 9] @weights+0 o = conv_transpose(a, w) {strides=[2, 2]}",
      ("w = const bf16[3, 3, 9, 5] @weights+0 l = cast(a) {to=bf16} c = conv(l, w) "
       "o = cast(c) {to=f32}"),
  };
  for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
    char text[1024];
    bool low = strstr(windows[i], "bf16") != NULL;
    snprintf(text, sizeof text,
             "graph g(x: f32[2, 9, 8, 31]) -> (o) {\n i = const s64[1] [3] j = const s64[1] [12]"
             " z = const s64[1] [-1]\n a = slice(x, i, j, z) %s\n}",
             windows[i]);
    body_fill(low ? HONE_BF16 : HONE_F32, weights, sizeof weights / (low ? 2 : 4), 5);
    check_body(text, low ? bound("convolution", "bf16") : bound("convolution", "fp32"));
  }
  body_fill(HONE_F32, weights, 1024, 5);
}

TEST(products_by_strides) {
  check_phases(
      "graph g(a: f32[3, 7, 2, 20], b: f32[3, 9, 40]) -> (o) {\n"
      " p = transpose(a) " HEADS
      " s = const s64[4] [3, 9, 2, 20]\n"
      " c = reshape(b, s) q = transpose(c) {perm=[0, 2, 3, 1]}\n o = matmul(p, q)\n}",
      1);
  /* a slice of the rows of a product with constant weights */
  check_phases(
      "graph g(x: f32[3, 7, 50]) -> (o) {\n w = const f32[20, 9] @weights+0\n"
      " i = const s64[1] [11] j = const s64[1] [31] z = const s64[1] [2]\n"
      " a = slice(x, i, j, z)\n b = matmul(a, w)\n o = relu(b)\n}",
      1);
  check_phases(
      "graph g(x: f32[3, 7, 50]) -> (o) {\n w = const f32[20, 9] @weights+0\n"
      " i = const s64[2] [11, 1] j = const s64[2] [31, 5] z = const s64[2] [2, 1]\n"
      " a = slice(x, i, j, z)\n o = matmul(a, w)\n}",
      2);
}

int main(void) {
  body_fill(HONE_F32, weights, 1024, 5);
  body_weights = (hone_bytes){weights, sizeof weights};
  RUN(reshapes);
  RUN(steps_merge_and_part);
  RUN(untranspose_is_the_inverse);
  RUN(attention_by_strides);
  RUN(attention_of_packed_batches);
  RUN(copies_where_strides_do_not_reach);
  RUN(convolutions_by_pitch);
  RUN(products_by_strides);
  CHECK(bodies_on_kernels > 10);
  return check_report();
}
