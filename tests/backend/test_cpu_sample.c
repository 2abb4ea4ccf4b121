/* Sampling pictures, regions and turning embeddings on the CPU backend. */
#include "cpu_bodies.h"

static char text[4096];
#define BODY(...)   (snprintf(text, sizeof text, __VA_ARGS__), text)
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

TEST(grids) {
  static const char *const rows[][2] = {{"[2, 5, 7, 3]", "[2, 4, 3, 2]"},
                                        {"[1, 6, 4, 37]", "[1, 3, 5, 2]"},
                                        {"[1, 3, 4, 5, 9]", "[1, 2, 3, 3, 3]"},
                                        {"[2, 9, 20]", "[2, 6, 1]"},
                                        {"[1, 1, 1, 2]", "[1, 0, 4, 2]"}};
  static const char *const modes[] = {"nearest", "linear", "cubic"};
  static const char *const paddings[] = {"zeros", "border", "reflection"};
  for (size_t i = 0; i < COUNT(rows); i++)
    for (int m = 0; m < 3; m++)
      for (int p = 0; p < 3; p++)
        for (int align = 0; align < 2; align++)
          check_body(BODY("graph g(x: f32%s, g: f32%s) -> (o) {\n"
                          " o = grid_sample(x, g) {mode=%s, padding=%s, align_corners=%s}\n}",
                          rows[i][0], rows[i][1], modes[m], paddings[p], align ? "true" : "false"),
                     bound("sample", "fp32"));
}

TEST(regions) {
  static const char *const attrs[] = {
      "height=3, width=4, samples=2", "height=5, width=1, half_pixel=false, scale=0.5",
      "height=2, width=2, mode=max, samples=3", "height=1, width=1, samples=9, scale=2.0"};
  for (size_t i = 0; i < COUNT(attrs); i++)
    for (int channels = 3; channels < 40; channels += 30)
      check_body(BODY("graph g(x: f32[4, 9, 11, %d], r: f32[6, 4], b: s64[6]) -> (o) {\n"
                      " c = const f32[4] [1.0, 1.5, 9.0, 7.0]\n p = abs(r)\n q = mul(p, c)\n"
                      " o = roi_align(x, q, b) {%s}\n}",
                      channels, attrs[i]),
                 bound("sample", "fp32"));
}

TEST(pooled_regions) {
  for (int channels = 3; channels < 40; channels += 30)
    check_body(BODY("graph g(x: f32[4, 19, 21, %d], r: f32[6, 5]) -> (o) {\n"
                    " c = const f32[5] [1.0, 1.5, 2.0, 9.0, 7.0]\n p = abs(r)\n q = mul(p, c)\n"
                    " o = max_roi_pool(x, q) {height=2, width=3, scale=1.1}\n}",
                    channels),
               0);
}

TEST(affine_grids) {
  static const char *const types[] = {"f32", "f64"};
  for (int t = 0; t < 2; t++)
    for (int align = 0; align < 2; align++) {
      check_body(BODY("graph g(t: %s[2, 2, 3]) -> (o) { s = const s64[4] [2, 3, 5, 7]\n"
                      " o = affine_grid(t, s) {align_corners=%s} }",
                      types[t], align ? "true" : "false"),
                 bound("window", t ? "fp64" : "fp32"));
      check_body(BODY("graph g(t: %s[1, 3, 4]) -> (o) { s = const s64[5] [1, 1, 3, 1, 4]\n"
                      " o = affine_grid(t, s) {align_corners=%s} }",
                      types[t], align ? "true" : "false"),
                 bound("window", t ? "fp64" : "fp32"));
    }
}

TEST(deformed_convs) {
  static const char *const rows[][4] = {
      /* w, offset, mask, attributes; x has 8 channels */
      {"[3, 3, 8, 6]", "[2, 7, 9, 18]", "[2, 7, 9, 9]", "pads=[1, 1, 1, 1]"},
      {"[3, 3, 4, 40]", "[2, 4, 5, 72]", "[2, 4, 5, 36]",
       "pads=[1, 1, 1, 1], strides=[2, 2], groups=2, offset_groups=4"},
      {"[2, 1, 2, 4]", "[2, 5, 9, 8]", "[2, 5, 9, 4]",
       "groups=4, offset_groups=2, dilations=[2, 1]"}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    const char *const *r = rows[i];
    check_body(
        BODY("graph g(x: f32[2, 7, 9, 8], w: f32%s, f: f32%s, b: f32[%s], m: f32%s) -> (o) {\n"
             " y = deform_conv(x, w, f, b, m) {%s}\n o = relu(y)\n}",
             r[0], r[1],
             i == 0   ? "6"
             : i == 1 ? "40"
                      : "4",
             r[2], r[3]),
        bound("deformed convolution", "fp32"));
    check_body(BODY("graph g(x: f32[2, 7, 9, 8], w: f32%s, f: f32%s) -> (o) {\n"
                    " o = deform_conv(x, w, f) {%s}\n}",
                    r[0], r[1], r[3]),
               bound("deformed convolution", "fp32"));
  }
}

TEST(unpooling) {
  check_body(
      "graph g(x: f32[2, 3, 5, 4], i: s64[2, 3, 5, 4]) -> (o) {\n c = const s64[] 70\n"
      " j = mul(i, c)\n o = max_unpool(x, j) {window=[2, 3], strides=[2, 2]}\n}",
      0);
  check_body(
      "graph g(x: u8[1, 2, 4], i: s64[1, 2, 4]) -> (o) {\n s = const s64[3] [1, 2, 20]\n"
      " o = max_unpool(x, i, s) {window=[3], pads=[1, 0]}\n}",
      0);
}

TEST(columns_to_images) {
  check_body(
      "graph g(x: f32[2, 18, 12]) -> (o) {\n i = const s64[2] [5, 6] b = const s64[2] [3, 2]\n"
      " o = col2im(x, i, b) {pads=[0, 1, 0, 0], dilations=[1, 3]}\n}",
      bound("window", "fp32"));
  check_body(
      "graph g(x: f32[1, 10, 4]) -> (o) {\n i = const s64[1] [11] b = const s64[1] [5]\n"
      " o = col2im(x, i, b) {strides=[2]}\n}",
      bound("window", "fp32"));
  static const char *const types[] = {"f64", "s8", "u16", "s32", "u64"};
  for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
    char body[256];
    snprintf(body, sizeof body,
             "graph g(x: %s[3, 10, 4]) -> (o) {\n i = const s64[1] [11] b = const s64[1] [5]\n"
             " o = col2im(x, i, b) {strides=[2]}\n}",
             types[t]);
    check_body(body, bound("window", "fp64"));
  }
}

TEST(determinants) {
  check_body("graph g(x: f32[2, 3, 5, 5]) -> (o) { o = det(x) }", bound("determinant", "fp32"));
  check_body("graph g(x: f64[7, 1, 1]) -> (o) { o = det(x) }", 0);
  check_body("graph g(x: f64[4, 9, 9]) -> (o) { o = det(x) }", bound("determinant", "fp64"));
}

TEST(rotary_embeddings) {
  for (int interleaved = 0; interleaved < 2; interleaved++)
    for (int size = 14; size < 130; size += 50) {
      const char *flag = interleaved ? "true" : "false";
      check_body(BODY("graph g(x: f32[2, 3, 5, %d], c: f32[2, 5, 7], s: f32[2, 5, 7]) -> (o) {\n"
                      " o = rotary_embedding(x, c, s) {interleaved=%s}\n}",
                      size, flag),
                 bound("window", "fp32"));
      check_body(BODY("graph g(x: f32[2, 3, 5, %d], c: f32[4, 6], s: f32[4, 6], p: s64[2, 5])"
                      " -> (o) {\n o = rotary_embedding(x, c, s, p) {interleaved=%s}\n}",
                      size, flag),
                 bound("window", "fp32"));
    }
}

int main(void) {
  RUN(grids);
  RUN(regions);
  RUN(pooled_regions);
  RUN(affine_grids);
  RUN(deformed_convs);
  RUN(unpooling);
  RUN(columns_to_images);
  RUN(determinants);
  RUN(rotary_embeddings);
  CHECK(bodies_on_kernels > 250);
  return check_report();
}
