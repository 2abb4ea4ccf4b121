/* Bodies that move elements on the CPU backend. */
#include "cpu_bodies.h"

static char text[4096];
#define BODY(...) (snprintf(text, sizeof text, __VA_ARGS__), text)
static const char *const types[] = {"f32", "f64", "f16", "u8", "c128"};

TEST(transposes) {
  static const char *const rows[][2] = {
      {"[5, 7]", "[1, 0]"},
      {"[40, 33]", "[1, 0]"},
      {"[75, 51]", "[1, 0]"},
      {"[2, 20, 18, 3]", "[0, 3, 1, 2]"},
      {"[2, 3, 20, 18]", "[0, 2, 3, 1]"},
      {"[3, 4, 5, 6]", "[3, 1, 0, 2]"},
      {"[2, 3, 4]", "[0, 1, 2]"},
      {"[7]", "[0]"},
      {"[2, 0, 3]", "[2, 0, 1]"},
      {"[2, 9, 4, 8]", "[0, 2, 1, 3]"},
      {"[2, 35, 4]", "[0, 2, 1]"}, /* planes and pixels of bytes */
      {"[2, 2, 33]", "[0, 2, 1]"},
      {"[3, 17, 16]", "[0, 2, 1]"},
      {"[48, 2, 3]", "[2, 0, 1]"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (size_t t = 0; t < 4; t++)
      check_body(BODY("graph g(x: %s%s) -> (o) { o = transpose(x) {perm=%s} }", types[t],
                      rows[i][0], rows[i][1]),
                 0);
}

TEST(same_bytes) {
  static const char *const pairs[][2] = {
      {"f32", "s32"}, {"s16", "bf16"}, {"u8", "s8"}, {"u64", "f64"}, {"s4", "u4"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    check_body(
        BODY("graph g(x: %s[3, 67]) -> (o) { o = bitcast(x) {to=%s} }", pairs[i][0], pairs[i][1]),
        0);
  check_body("graph g(x: f32[5, 33, 2]) -> (o) { c = complex_join(x) o = complex_parts(c) }", 0);
  check_body("graph g(x: f64[70, 2]) -> (o) { c = complex_join(x) o = complex_parts(c) }", 0);
}

TEST(pieces) {
  for (size_t t = 0; t < 4; t++) {
    for (int axis = -1; axis < 2; axis++) {
      check_body(BODY("graph g(a: %s[3, 4], b: %s[3, 4], c: %s[3, 4]) -> (o) {\n"
                      " o = concat(a, b, c) {axis=%d}\n}",
                      types[t], types[t], types[t], axis),
                 0);
      check_body(BODY("graph g(a: %s[6, 4]) -> (o, p) {\n o, p = split(a) {axis=%d, parts=2}\n}",
                      types[t], axis),
                 0);
    }
    check_body(BODY("graph g(a: %s[6, 70]) -> (o, q) {\n s = const s64[3] [10, 20, 40]\n"
                    " o, _, q = split(a, s) {axis=1}\n}",
                    types[t]),
               0);
  }
}

TEST(slices) {
  static const char *const rows[][4] = {
      {"[1, 2]", "[4, 9]", "[0, 1]", "[1, 1]"},
      {"[-1]", "[-100]", "[1]", "[-2]"},
      {"[5, -1]", "[0, 0]", "[0, 2]", "[-1, -3]"},
      {"[3]", "[3]", "[0]", "[1]"},
  };
  for (size_t i = 0; i < 4; i++)
    check_body(BODY("graph g(x: f32[6, 11, 5]) -> (o) {\n s = const s64[%d] %s\n"
                    " e = const s64[%d] %s\n a = const s64[%d] %s\n t = const s64[%d] %s\n"
                    " o = slice(x, s, e, a, t)\n}",
                    1 + (i % 2 == 0 && i < 3), rows[i][0], 1 + (i % 2 == 0 && i < 3), rows[i][1],
                    1 + (i % 2 == 0 && i < 3), rows[i][2], 1 + (i % 2 == 0 && i < 3), rows[i][3]),
               0);
}

TEST(repeats) {
  check_body(
      "graph g(x: f32[3, 1, 5]) -> (o) { s = const s64[4] [2, 3, 4, 5]\n"
      " o = expand(x, s) }",
      0);
  check_body("graph g(x: u8[3, 5]) -> (o) { s = const s64[2] [2, 3]\n o = tile(x, s) }", 0);
  check_body("graph g(x: f32[9, 1, 3]) -> (o) { s = const s64[3] [1, 70, 4]\n o = tile(x, s) }", 0);
  check_body("graph g(x: u8[2, 3, 1]) -> (o) { s = const s64[3] [3, 2, 90]\n o = tile(x, s) }", 0);
  check_body("graph g(x: s64[40, 1]) -> (o) { s = const s64[2] [40, 9]\n o = expand(x, s) }", 0);
  check_body("graph g(x: s64[3, 5]) -> (o) { s = const s64[2] [2, 0]\n o = tile(x, s) }", 0);
}

TEST(pads) {
  static const char *const modes[] = {"constant", "edge", "reflect", "wrap"};
  static const char *const pads[] = {"[1, 2, 0, 3]", "[0, 0, 0, 0]", "[-1, 2, 3, -2]",
                                     "[7, 1, 9, 12]"};
  for (int m = 0; m < 4; m++)
    for (int p = 0; p < 4; p++) {
      check_body(BODY("graph g(x: f32[4, 5]) -> (o) { p = const s64[4] %s\n"
                      " o = pad(x, p) {mode=%s} }",
                      pads[p], modes[m]),
                 0);
      check_body(BODY("graph g(x: s32[4, 5], v: s32[]) -> (o) { p = const s64[4] %s\n"
                      " o = pad(x, p, v) {mode=%s} }",
                      pads[p], modes[m]),
                 0);
    }
  for (int m = 0; m < 4; m++)
    check_body(BODY("graph g(x: f32[1, 2, 3]) -> (o) { p = const s64[6] [3, 9, 0, 2, 0, 17]\n"
                    " o = pad(x, p) {mode=%s} }",
                    modes[m]),
               0);
  check_body("graph g(x: f32[0, 2]) -> (o) { p = const s64[4] [1, 0, 2, 1]\n o = pad(x, p) }", 0);
  check_body(
      "graph g(x: u8[2, 4, 5]) -> (o) { p = const s64[2] [2, 1]\n a = const s64[1] [-1]\n"
      " o = pad(x, p, _, a) }",
      0);
}

TEST(gathers) {
  for (int axis = 0; axis < 3; axis++)
    for (size_t t = 0; t < 4; t++)
      check_body(BODY("graph g(x: %s[4, 5, 6], i: s64[3, 2]) -> (o) {\n"
                      " o = gather(x, i) {axis=%d}\n}",
                      types[t], axis),
                 0);
  check_body(
      "graph g(x: f32[4, 70]) -> (o) { i = const s32[4] [-1, 0, -4, 2]\n"
      " o = gather(x, i) }",
      0);
}

TEST(indices) {
  for (size_t t = 0; t < 4; t++) {
    check_body(
        BODY("graph g(x: %s[4, 4, 6], i: s64[3, 2]) -> (o) { o = gather_nd(x, i) }", types[t]), 0);
    check_body(BODY("graph g(x: %s[4, 5, 6], i: s64[4, 3, 1]) -> (o) {\n"
                    " o = gather_nd(x, i) {batch_dims=1}\n}",
                    types[t]),
               0);
    check_body(BODY("graph g(x: %s[4, 5, 6], i: s32[4, 3, 6]) -> (o) {\n"
                    " o = gather_elements(x, i) {axis=1}\n}",
                    types[t]),
               0);
    check_body(BODY("graph g(x: %s[4, 5, 6], i: s64[3, 1], u: %s[3, 5, 6]) -> (o) {\n"
                    " o = scatter_nd(x, i, u)\n}",
                    types[t], types[t]),
               0);
    check_body(BODY("graph g(x: %s[4, 5], i: s64[4, 3], u: %s[4, 3]) -> (o) {\n"
                    " o = scatter_elements(x, i, u) {axis=-1}\n}",
                    types[t], types[t]),
               0);
  }
}

int main(void) {
  RUN(indices);
  RUN(transposes);
  RUN(same_bytes);
  RUN(pieces);
  RUN(slices);
  RUN(repeats);
  RUN(pads);
  RUN(gathers);
  CHECK(bodies_on_kernels > 100);
  return check_report();
}
