/* Products of every type and with operands known at run only, on the CPU backend. */
#include "cpu_bodies.h"

static char text[4096];
#define BODY(...)   (snprintf(text, sizeof text, __VA_ARGS__), text)
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static const char *const types[] = {"f32", "f64", "s32", "u32", "s64",
                                    "u64", "s8",  "u8",  "s16", "u16"};
static double tolerance(size_t type) {
  return type < 2 ? bound("product", type ? "fp64" : "fp32") : 0;
}

TEST(matmuls) {
  static const char *const shapes[][3] = {{"[5, 7]", "[7, 3]", ""},
                                          {"[131, 20]", "[20, 70]", ""},
                                          {"[5, 300]", "[300, 129]", ""}, /* sums beyond a byte */
                                          {"[7, 5]", "[7, 33]", "transpose_a=true"},
                                          {"[9, 6]", "[40, 6]", "transpose_b=true"},
                                          {"[3, 1, 4, 6]", "[2, 6, 5]", ""},
                                          {"[6]", "[2, 6, 5]", ""},
                                          {"[2, 4, 6]", "[6]", ""},
                                          {"[6]", "[6]", ""},
                                          {"[4, 0]", "[0, 3]", ""},
                                          {"[0, 4]", "[4, 3]", ""}};
  for (size_t t = 0; t < COUNT(types); t++)
    for (size_t i = 0; i < COUNT(shapes); i++)
      check_body(BODY("graph g(a: %s%s, b: %s%s) -> (o) { o = matmul(a, b) {%s} }", types[t],
                      shapes[i][0], types[t], shapes[i][1], shapes[i][2]),
                 tolerance(t));
}

TEST(scaled_with_any_bias) {
  static const char *const biases[] = {"[]", "[1]", "[13]", "[5, 1]", "[5, 13]", "[1, 13]"};
  for (size_t i = 0; i < COUNT(biases); i++)
    for (int t = 0; t < 2; t++)
      check_body(BODY("graph g(a: %s[5, 7], b: %s[13, 7], c: %s%s) -> (o) {\n"
                      " y = matmul(a, b, c) {transpose_b=true, alpha=0.5}\n o = relu(y)\n}",
                      types[t], types[t], types[t], biases[i]),
                 tolerance((size_t)t));
  check_body(
      "graph g(a: f32[2, 3, 5, 7], b: f32[7, 4], c: f32[3, 1, 4]) -> (o) {\n"
      " o = matmul(a, b, c)\n}",
      tolerance(0));
  check_body("graph g(a: f32[2, 5, 7], b: f32[7], c: f32[2, 1]) -> (o) { o = matmul(a, b, c) }",
             tolerance(0));
}

TEST(convs) {
  static const char *const rows[][3] = {
      {"[2, 9, 7, 4]", "[3, 3, 4, 6]", "pads=[1, 1, 1, 1], strides=[2, 1]"},
      {"[1, 20, 6]", "[3, 2, 9]", "groups=3, dilations=[2]"},
      {"[1, 4, 5, 6, 3]", "[2, 2, 3, 3, 40]", "padding=same_upper"},
      {"[1, 30, 8]", "[4, 1, 8]", "groups=8, pads=[3, 0]"},
      {"[2, 5, 6, 20]", "[1, 1, 20, 33]", ""}};
  for (size_t t = 0; t < COUNT(types); t++)
    for (size_t i = 0; i < COUNT(rows); i++) {
      check_body(BODY("graph g(x: %s%s, w: %s%s) -> (o) { o = conv(x, w) {%s} }", types[t],
                      rows[i][0], types[t], rows[i][1], rows[i][2]),
                 tolerance(t));
    }
  check_body(
      "graph g(x: f32[1, 9, 7, 4], w: f32[3, 3, 4, 6], b: f32[6]) -> (o) {\n"
      " y = conv(x, w, b)\n o = relu(y)\n}",
      tolerance(0));
  check_body(
      "graph g(x: f32[1, 9, 7, 4], w: f32[3, 3, 4, 6], r: f32[1, 7, 5, 6]) -> (o) {\n"
      " b = const f32[6] [1, 2, 3, 4, 5, 6]\n y = conv(x, w, b)\n z = add(y, r)\n o = relu(z)\n}",
      tolerance(0));
}

TEST(transposed_convs) {
  static const char *const rows[][3] = {
      {"[2, 5, 4, 4]", "[3, 3, 6, 4]", "pads=[1, 1, 0, 1], strides=[2, 3]"},
      {"[1, 6, 6]", "[4, 3, 6]", "groups=2, dilations=[2], output_padding=[1], strides=[2]"},
      {"[1, 3, 4, 2, 5]", "[2, 2, 3, 2, 5]", "strides=[1, 2, 2]"},
      {"[2, 5, 6, 19]", "[4, 4, 1, 19]", "groups=19, pads=[1, 1, 1, 1], strides=[2, 2]"}};
  for (size_t t = 0; t < COUNT(types); t++)
    for (size_t i = 0; i < COUNT(rows); i++)
      check_body(BODY("graph g(x: %s%s, w: %s%s) -> (o) { o = conv_transpose(x, w) {%s} }",
                      types[t], rows[i][0], types[t], rows[i][1], rows[i][2]),
                 tolerance(t));
}

int main(void) {
  RUN(matmuls);
  RUN(scaled_with_any_bias);
  RUN(convs);
  RUN(transposed_convs);
  CHECK(bodies_on_kernels > 200);
  return check_report();
}
