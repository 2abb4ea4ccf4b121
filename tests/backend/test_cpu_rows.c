/* Reductions, softmax and normalisations on the CPU backend. */
#include "cpu_bodies.h"

static char text[4096];
#define BODY(...)   (snprintf(text, sizeof text, __VA_ARGS__), text)
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static const char *const shapes[] = {"[3, 7, 5]", "[2, 70, 33]", "[1, 4, 300]", "[5, 3, 1]",
                                     "[4, 300, 19]"};

TEST(reductions) {
  static const char *const kinds[] = {"sum", "mean", "max",     "min",         "prod",
                                      "l1",  "l2",   "log_sum", "log_sum_exp", "sum_square"};
  static const char *const axes[] = {"[1] [0]",    "[1] [1]",       "[1] [-1]",  "[2] [0, 2]",
                                     "[2] [1, 2]", "[3] [0, 1, 2]", "[2] [0, 1]"};
  for (size_t k = 0; k < COUNT(kinds); k++)
    for (size_t a = 0; a < COUNT(axes); a++)
      for (size_t s = 0; s < COUNT(shapes); s++) {
        bool logs = strcmp(kinds[k], "log_sum") == 0;
        /* Logarithms of positive sums only, products of few elements. */
        if (strcmp(kinds[k], "prod") == 0 && s > 0) continue;
        check_body(
            BODY("graph g(x: f32%s) -> (o) {\n y = %s(x)\n a = const s64%s\n"
                 " o = reduce(y, a) {kind=%s, keep=%s}\n}",
                 shapes[s], logs ? "abs" : "neg", axes[a], kinds[k], a % 2 ? "true" : "false"),
            bound("reduction", "fp32"));
      }
  check_body("graph g(x: f32[40, 9]) -> (o) { o = reduce(x) {kind=mean} }",
             bound("reduction", "fp32"));
  check_body(
      "graph g(x: f32[0, 9]) -> (o) { a = const s64[1] [0]\n"
      " o = reduce(x, a) {kind=sum} }",
      0);
  check_body("graph g(x: f32[0, 9]) -> (o) { o = reduce(x) {kind=max} }", 0);
}

/* Few outputs of many rows: some rows a part, then their sums. */
TEST(reductions_of_pixels) {
  static const char *const kinds[] = {"sum", "mean", "max", "min", "l1", "l2", "sum_square"};
  static const char *const pixels[] = {"[1, 13, 11, 5]", "[2, 9, 10, 19]", "[1, 65, 1, 300]",
                                       "[3, 8, 8, 32]"};
  for (size_t k = 0; k < COUNT(kinds); k++)
    for (size_t s = 0; s < COUNT(pixels); s++)
      check_body(BODY("graph g(x: f32%s) -> (o) {\n a = const s64[2] [1, 2]\n"
                      " o = reduce(x, a) {kind=%s, keep=true}\n}",
                      pixels[s], kinds[k]),
                 bound("reduction", "fp32"));
}

TEST(reductions_of_any_type) {
  static const char *const types[] = {"f64", "s64", "u64", "s32", "u32", "s16", "u8", "s8"};
  static const char *const kinds[] = {"sum", "mean",       "max", "min",         "prod",
                                      "l1",  "sum_square", "l2",  "log_sum_exp", "log_sum"};
  static const char *const axes[] = {"[1] [1]", "[1] [-1]", "[2] [0, 2]", "[3] [0, 1, 2]"};
  for (size_t t = 0; t < COUNT(types); t++)
    for (size_t k = 0; k < COUNT(kinds) - (t ? 0 : 1); k++) /* no sign: sums are not negative */
      for (size_t a = 0; a < COUNT(axes); a++)
        for (size_t s = 0; s < 3; s++)
          check_body(BODY("graph g(x: %s%s) -> (o) {\n a = const s64%s\n"
                          " o = reduce(x, a) {kind=%s}\n}",
                          types[t], shapes[s], axes[a], kinds[k]),
                     bound("reduction", "fp64"));
  check_body(
      "graph g(x: s32[0, 9]) -> (o) { a = const s64[1] [0]\n"
      " o = reduce(x, a) {kind=max} }",
      0);
}

TEST(softmaxes) {
  for (size_t s = 0; s < COUNT(shapes); s++)
    for (int axis = -1; axis < 2; axis++) {
      check_body(BODY("graph g(x: f32%s) -> (o) { o = softmax(x) {axis=%d} }", shapes[s], axis),
                 bound("softmax", "fp32"));
      check_body(BODY("graph g(x: f32%s, b: f32[1]) -> (o) {\n y = add(x, b)\n"
                      " z = log_softmax(y) {axis=%d}\n o = relu(z)\n}",
                      shapes[s], axis),
                 bound("row", "fp32"));
    }
  check_body("graph g(x: f32[3, 5000]) -> (o) { o = softmax(x) }", bound("softmax", "fp32"));
  /* long sums: in one chain of f32 they were off by 3e-5 */
  check_body("graph g(x: f32[9000, 2]) -> (o) { y = floor(x)\n"
             " o = log_softmax(y) {axis=0} }",
             bound("row", "fp32"));
}

/* Of type f32 or f64. */
static double row(int wide) {
  return bound("row", wide ? "fp64" : "fp32");
}

TEST(lines) {
  static const char *const types[] = {"f32", "f64"};
  static const char *const ops[] = {"softmax", "log_softmax", "hardmax", "lp_norm"};
  for (size_t s = 0; s < COUNT(shapes); s++)
    for (int axis = -1; axis < 2; axis++)
      for (int t = 0; t < 2; t++) {
        for (int op = 0; op < 4; op++)
          check_body(BODY("graph g(x: %s%s) -> (o) { o = %s(x) {axis=%d} }", types[t], shapes[s],
                          ops[op], axis),
                     row(t));
        check_body(BODY("graph g(x: %s%s) -> (o) { o = lp_norm(x) {axis=%d, p=1} }", types[t],
                        shapes[s], axis),
                   row(t));
      }
  check_body("graph g(x: f32[3, 4]) -> (o) { z = sub(x, x)\n o = lp_norm(z) {axis=0} }", 0);
  check_body("graph g(x: f32[3, 5, 7]) -> (o) { o = lp_norm(x) {axis=1, floor=9, epsilon=0.5} }",
             row(0));
  check_body("graph g(x: f32[9, 33]) -> (o) { o = lp_norm(x) {axis=1, epsilon=2, p=1} }", row(0));
  check_body("graph g(x: f64[9, 5]) -> (o) { o = lp_norm(x) {axis=1, floor=7} }", row(1));
}

TEST(local_responses) {
  static const char *const rows[] = {"size=5", "size=4, alpha=0.5, beta=0.6, bias=2.0",
                                     "size=1, alpha=2.0", "size=99, alpha=0.3, beta=0.75"};
  for (size_t s = 0; s < COUNT(shapes); s++)
    for (size_t i = 0; i < COUNT(rows) * 2; i++)
      check_body(BODY("graph g(x: %s%s) -> (o) { o = lrn(x) {%s} }", i % 2 ? "f64" : "f32",
                      shapes[s], rows[i / 2]),
                 bound("window", i % 2 ? "fp64" : "fp32"));
}

TEST(norms) {
  check_body("graph g(x: f32[5, 70], s: f32[70], b: f32[70]) -> (o) { o = layer_norm(x, s, b) }",
             bound("normalisation", "fp32"));
  check_body(
      "graph g(x: f32[3, 4, 5]) -> (o, m, v) {\n"
      " o, m, v = layer_norm(x) {axis=1, epsilon=0.01}\n}",
      bound("normalisation", "fp32"));
  check_body("graph g(x: f32[7, 33], s: f32[33]) -> (o) { o = rms_norm(x, s) }",
             bound("normalisation", "fp32"));
}

TEST(pools) {
  static const char *const rows[][2] = {
      {"[2, 9, 11, 5]", "window=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]"},
      {"[1, 8, 8, 64]", "window=[2, 2], strides=[2, 2]"},
      {"[1, 13, 20]", "window=[4], strides=[3], ceil=true, pads=[2, 1]"},
      {"[1, 5, 6, 7, 3]", "window=[2, 3, 2], dilations=[1, 2, 1], padding=same_upper"},
      {"[1, 9, 9, 17]", "window=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1], count_pads=true"},
  };
  for (size_t i = 0; i < COUNT(rows); i++)
    for (int max = 0; max < 2; max++)
      check_body(BODY("graph g(x: f32%s) -> (o) { o = pool(x) {kind=%s, %s} }", rows[i][0],
                      max ? "max" : "avg", rows[i][1]),
                 bound("window", "fp32"));
}

TEST(pools_of_bf16) {
  for (int channels = 1; channels < 70; channels += 17)
    check_body(BODY("graph g(x: bf16[2, 9, 11, %d]) -> (o) {\n"
                    " o = pool(x) {kind=max, window=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]}\n}",
                    channels),
               0);
}

TEST(pools_of_bytes) {
  check_body(
      "graph g(x: u8[1, 9, 11, 20]) -> (o) {\n"
      " o = pool(x) {kind=max, window=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]}\n}",
      0);
  check_body("graph g(x: s8[1, 9, 3]) -> (o) { o = pool(x) {kind=max, window=[2]} }", 0);
}

TEST(pools_of_any_kind) {
  static const char *const types[] = {"f32", "f64", "s32", "u8"};
  static const char *const rows[][2] = {
      {"[2, 9, 11, 5]", "window=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]"},
      {"[1, 13, 300]", "window=[4], strides=[3], ceil=true, pads=[2, 1]"},
      {"[1, 5, 6, 7, 3]", "window=[2, 3, 2], dilations=[1, 2, 1], padding=same_upper"}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    for (size_t t = 0; t < COUNT(types); t++)
      check_body(BODY("graph g(x: %s%s) -> (o, i) {\n"
                      " o, i = pool(x) {kind=max, column_major=%s, %s}\n}",
                      types[t], rows[i][0], t % 2 ? "true" : "false", rows[i][1]),
                 0);
    for (size_t t = 0; t < 2; t++) {
      double tolerance = bound("window", t ? "fp64" : "fp32");
      check_body(BODY("graph g(x: %s%s) -> (o) { o = pool(x) {kind=lp, p=%d, %s} }", types[t],
                      rows[i][0], (int)i + 1, rows[i][1]),
                 tolerance);
      check_body(BODY("graph g(x: %s%s) -> (o) { o = pool(x) {kind=avg, count_pads=true, %s} }",
                      types[t], rows[i][0], rows[i][1]),
                 tolerance);
    }
  }
  check_body("graph g(x: f32[1, 20, 21, 3]) -> (o) { o = pool(x) {kind=max, window=[17, 19]} }", 0);
}

TEST(norms_of_doubles) {
  static const char *const rows[][3] = {
      {"[5, 70]", "[70]", "-1"}, {"[3, 4, 5]", "[4, 5]", "1"}, {"[2, 3, 1]", "[1]", "2"}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    check_body(BODY("graph g(x: f64%s, s: f64%s, b: f64%s) -> (o, m, v) {\n"
                    " o, m, v = layer_norm(x, s, b) {axis=%s}\n}",
                    rows[i][0], rows[i][1], rows[i][1], rows[i][2]),
               row(1));
    check_body(BODY("graph g(x: f64%s, s: f64%s) -> (o) { o = rms_norm(x, s) {axis=%s} }",
                    rows[i][0], rows[i][1], rows[i][2]),
               row(1));
  }
  static const char *const channels[][3] = {{"[2, 3, 4, 6]", "[6]", "-1"},
                                            {"[2, 6, 5, 7]", "[6]", "1"},
                                            {"[3, 5, 4, 7]", "[4]", "2"},
                                            {"[0, 6, 5]", "[6]", "1"}};
  for (size_t i = 0; i < COUNT(channels); i++) {
    const char *const *c = channels[i];
    for (int groups = 1; groups < 3; groups++)
      check_body(BODY("graph g(x: f64%s, s: f64%s, b: f64%s) -> (o) {\n"
                      " o = group_norm(x, s, b) {groups=%d, axis=%s}\n}",
                      c[0], c[1], c[1], groups, c[2]),
                 row(1));
    check_body(BODY("graph g(x: f64%s, s: f64%s, b: f64%s) -> (o) {\n"
                    " o = instance_norm(x, s, b) {axis=%s}\n}",
                    c[0], c[1], c[1], c[2]),
               row(1));
    check_body(BODY("graph g(x: f64%s, s: f64%s, b: f64%s, m: f64%s, w: f64%s) -> (o) {\n"
                    " v = abs(w)\n o = batch_norm(x, s, b, m, v) {axis=%s}\n}",
                    c[0], c[1], c[1], c[1], c[1], c[2]),
               row(1));
  }
}

TEST(channel_norms) {
  static const char *const channels[][3] = {{"[2, 3, 4, 6]", "[6]", "-1"},
                                            {"[2, 300, 8]", "[8]", "-1"},
                                            {"[2, 6, 5, 7]", "[6]", "1"},
                                            {"[1, 5, 600]", "[600]", "-1"}};
  for (size_t i = 0; i < COUNT(channels); i++) {
    const char *const *c = channels[i];
    for (int groups = 1; groups < 3; groups++)
      check_body(BODY("graph g(x: f32%s, s: f32%s, b: f32%s) -> (o) {\n"
                      " o = group_norm(x, s, b) {groups=%d, axis=%s}\n}",
                      c[0], c[1], c[1], groups, c[2]),
                 bound("normalisation", "fp32"));
    check_body(BODY("graph g(x: f32%s, s: f32%s, b: f32%s) -> (o) {\n"
                    " o = instance_norm(x, s, b) {axis=%s}\n}",
                    c[0], c[1], c[1], c[2]),
               bound("channel normalisation", "fp32"));
    check_body(BODY("graph g(x: f32%s, s: f32%s, b: f32%s, m: f32%s, w: f32%s) -> (o) {\n"
                    " v = abs(w)\n o = batch_norm(x, s, b, m, v) {axis=%s}\n}",
                    c[0], c[1], c[1], c[1], c[1], c[2]),
               bound("channel normalisation", "fp32"));
  }
}

TEST(arg_reductions) {
  static const char *const types[] = {"f32", "f64", "s8",  "s16", "s32", "s64",
                                      "u8",  "u16", "u32", "u64", "bool"};
  for (size_t t = 0; t < COUNT(types); t++)
    for (int axis = -1; axis < 2; axis++)
      for (int last = 0; last < 2; last++)
        check_body(BODY("graph g(x: %s[3, 70, 4]) -> (o) {\n"
                        " o = arg_reduce(x) {kind=%s, axis=%d, last=%s}\n}",
                        types[t], axis ? "max" : "min", axis, last ? "true" : "false"),
                   0);
}

TEST(resizes) {
  static const char *const modes[] = {
      "mode=nearest",
      "mode=nearest, coordinates=asymmetric, nearest=floor",
      "mode=linear",
      "mode=linear, coordinates=align_corners",
      "mode=linear, antialias=true",
      "mode=cubic",
      "mode=cubic, coordinates=pytorch_half_pixel, exclude_outside=true"};
  static const char *const rows[][2] = {{"[1, 5, 6, 3]", "[1.0, 2.0, 2.5, 1.0]"},
                                        {"[2, 3, 5, 7]", "[1.0, 1.0, 2.0, 0.6]"},
                                        {"[2, 9, 70]", "[1.0, 0.5, 1.0]"},
                                        {"[3, 8]", "[1.0, 1.0]"}};
  for (size_t m = 0; m < COUNT(modes); m++)
    for (size_t i = 0; i < COUNT(rows); i++)
      check_body(BODY("graph g(x: f32%s) -> (o) {\n s = const f32[%d] %s\n"
                      " o = resize(x, _, s) {%s}\n}",
                      rows[i][0], i < 2 ? 4 : 4 - (int)i + 1, rows[i][1], modes[m]),
                 bound("window", "fp32"));
  static const char *const types[] = {"f64", "s8", "s32", "s64", "u8", "u64", "bool"};
  for (size_t t = 0; t < COUNT(types); t++)
    for (size_t m = 0; m < COUNT(modes); m++)
      for (size_t i = 0; i < 2; i++)
        check_body(BODY("graph g(x: %s%s) -> (o) {\n s = const f32[4] %s\n"
                        " o = resize(x, _, s) {%s}\n}",
                        types[t], rows[i][0], rows[i][1], modes[m]),
                   t ? 0 : row(1));
  for (size_t m = 0; m < 3; m++)
    check_body(BODY("graph g(x: %s[1, 5, 6, 3]) -> (o) { n = const s64[4] [1, 9, 4, 3]\n"
                    " r = const f32[8] [0, 0.1, -0.2, 0, 1, 0.8, 1.9, 1]\n"
                    " o = resize(x, r, _, n) {mode=%s, coordinates=tf_crop_and_resize,"
                    " extrapolation=3} }",
                    m ? "f64" : "s64", m < 2 ? "nearest" : "linear"),
               row(1));
  check_body(
      "graph g(x: u8[1, 4, 4, 3]) -> (o) { s = const s64[2] [9, 3]\n"
      " o = resize(x, _, _, s) {mode=nearest, axes=[1, 2]} }",
      0);
}

int main(void) {
  RUN(resizes);
  RUN(pools);
  RUN(pools_of_bf16);
  RUN(pools_of_bytes);
  RUN(norms_of_doubles);
  RUN(channel_norms);
  RUN(arg_reductions);
  RUN(reductions);
  RUN(reductions_of_pixels);
  RUN(reductions_of_any_type);
  RUN(pools_of_any_kind);
  RUN(softmaxes);
  RUN(lines);
  RUN(local_responses);
  RUN(norms);
  CHECK(bodies_on_kernels > 300);
  return check_report();
}
