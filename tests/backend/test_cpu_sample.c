/* Sampling pictures, regions and turning embeddings on the CPU backend. */
#include "cpu_bodies.h"

static char text[4096];
#define BODY(...)   (snprintf(text, sizeof text, __VA_ARGS__), text)
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static const char *const reals[] = {"f32", "f64"};
static const char *const precisions[] = {"fp32", "fp64"};

TEST(grids) {
  static const char *const rows[][2] = {
      {"[2, 5, 7, 3]", "[2, 4, 3, 2]"},  {"[1, 6, 4, 37]", "[1, 3, 5, 2]"},
      {"[2, 4, 9, 2]", "[2, 9, 11, 2]"}, {"[1, 3, 4, 5, 9]", "[1, 2, 3, 3, 3]"},
      {"[2, 9, 20]", "[2, 6, 1]"},       {"[1, 1, 1, 2]", "[1, 0, 4, 2]"}};
  static const char *const modes[] = {"nearest", "linear", "cubic"};
  static const char *const paddings[] = {"zeros", "border", "reflection"};
  for (size_t i = 0; i < COUNT(rows) * 2; i++)
    for (int m = 0; m < 3; m++)
      for (int p = 0; p < 3; p++)
        for (int align = 0; align < 2; align++)
          check_body(BODY("graph g(x: %s%s, g: %s%s) -> (o) {\n"
                          " o = grid_sample(x, g) {mode=%s, padding=%s, align_corners=%s}\n}",
                          reals[i % 2], rows[i / 2][0], reals[i % 2], rows[i / 2][1], modes[m],
                          paddings[p], align ? "true" : "false"),
                     bound("sample", precisions[i % 2]));
}

TEST(regions) {
  static const char *const attrs[] = {
      "height=3, width=4, samples=2", "height=5, width=1, half_pixel=false, scale=0.5",
      "height=2, width=2, mode=max, samples=3", "height=1, width=1, samples=9, scale=2.0"};
  for (size_t i = 0; i < COUNT(attrs); i++)
    for (int channels = 3; channels < 40; channels += 30)
      for (int t = 0; t < 2; t++)
        check_body(BODY("graph g(x: %s[4, 9, 11, %d], r: f32[6, 4], b: s64[6]) -> (o) {\n"
                        " c = const f32[4] [1.0, 1.5, 9.0, 7.0]\n p = abs(r)\n q = mul(p, c)\n"
                        " o = roi_align(x, q, b) {%s}\n}",
                        reals[t], channels, attrs[i]),
                   bound("sample", precisions[t]));
}

TEST(pooled_regions) {
  for (int channels = 3; channels < 40; channels += 30)
    for (int t = 0; t < 2; t++)
      check_body(BODY("graph g(x: %s[4, 19, 21, %d], r: %s[6, 5]) -> (o) {\n"
                      " c = const %s[5] [1.0, 1.5, 2.0, 9.0, 7.0]\n p = abs(r)\n q = mul(p, c)\n"
                      " o = max_roi_pool(x, q) {height=2, width=3, scale=1.1}\n}",
                      reals[t], channels, reals[t], reals[t]),
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
  static const char *const filters[] = {"6", "40", "4"};
  for (size_t i = 0; i < COUNT(rows) * 2; i++) {
    const char *const *r = rows[i / 2], *t = reals[i % 2];
    double tolerance = bound("deformed convolution", precisions[i % 2]);
    check_body(BODY("graph g(x: %s[2, 7, 9, 8], w: %s%s, f: %s%s, b: %s[%s], m: %s%s) -> (o) {\n"
                    " y = deform_conv(x, w, f, b, m) {%s}\n o = relu(y)\n}",
                    t, t, r[0], t, r[1], t, filters[i / 2], t, r[2], r[3]),
               tolerance);
    check_body(BODY("graph g(x: %s[2, 7, 9, 8], w: %s%s, f: %s%s) -> (o) {\n"
                    " o = deform_conv(x, w, f) {%s}\n}",
                    t, t, r[0], t, r[1], r[3]),
               tolerance);
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
  for (int i = 0; i < 4; i++)
    for (int size = 14; size < 130; size += 50) {
      const char *flag = i / 2 ? "true" : "false", *t = reals[i % 2];
      double tolerance = bound("window", precisions[i % 2]);
      check_body(BODY("graph g(x: %s[2, 3, 5, %d], c: %s[2, 5, 7], s: %s[2, 5, 7]) -> (o) {\n"
                      " o = rotary_embedding(x, c, s) {interleaved=%s}\n}",
                      t, size, t, t, flag),
                 tolerance);
      check_body(BODY("graph g(x: %s[2, 3, 5, %d], c: %s[4, 6], s: %s[4, 6], p: s64[2, 5])"
                      " -> (o) {\n o = rotary_embedding(x, c, s, p) {interleaved=%s}\n}",
                      t, size, t, t, flag),
                 tolerance);
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
