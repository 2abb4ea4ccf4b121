/* quantize and dequantize on the CPU backend: every type, scales of all forms, given at run. */
#include "cpu_bodies.h"

static char text[4096];
#define BODY(...)   (snprintf(text, sizeof text, __VA_ARGS__), text)
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static const char *const wholes[] = {"u8", "s8", "u16", "s16", "u4", "s4", "u2", "s2"};

/* Of x, of the scales, and the attributes that say how they go together. */
static const char *const forms[][3] = {
    {"[3, 7, 130]", "[]", "axis=1"},
    {"[3, 7, 130]", "[1]", "axis=0"},
    {"[3, 7, 130]", "[7]", "axis=1"},
    {"[3, 7, 130]", "[130]", "axis=-1"},
    {"[5, 301]", "[5]", "axis=0"},
    {"[3, 130]", "[3, 9]", "axis=1, block=16"},
    {"[2, 10, 33]", "[2, 4, 33]", "axis=1, block=3"},
    {"[6, 1]", "[3, 1]", "axis=0, block=2"},
    {"[0, 4]", "[4]", "axis=1"},
};

TEST(dequantize) {
  static const char *const more[] = {"s32", "f8e4m3", "f8e5m2", "f4e2m1"};
  for (size_t f = 0; f < COUNT(forms); f++) {
    const char *const *form = forms[f];
    for (size_t t = 0; t < COUNT(wholes); t++)
      check_body(BODY("graph g(x: %s%s, s: f32%s, z: %s%s) -> (o) {\n"
                      " o = dequantize(x, s, z) {%s}\n}",
                      wholes[t], form[0], form[1], wholes[t], form[1], form[2]),
                 0);
    for (size_t t = 0; t < COUNT(more); t++)
      check_body(BODY("graph g(x: %s%s, s: f32%s) -> (o) { o = dequantize(x, s) {%s} }", more[t],
                      form[0], form[1], form[2]),
                 0);
    check_body(BODY("graph g(x: s8%s, s: f16%s) -> (o) { o = dequantize(x, s) {dtype=f16, %s} }",
                    form[0], form[1], form[2]),
               0);
    check_body(BODY("graph g(x: s8%s, s: f64%s) -> (o) { o = dequantize(x, s) {dtype=f64, %s} }",
                    form[0], form[1], form[2]),
               0);
  }
}

/* Scales of both signs; some quotients saturate. */
TEST(quantize) {
  static const char *const floats[] = {"f8e4m3", "f8e5m2", "f8e4m3fnuz", "f4e2m1"};
  for (size_t f = 0; f < COUNT(forms); f++) {
    const char *const *form = forms[f];
    for (size_t t = 0; t < COUNT(wholes); t++)
      check_body(BODY("graph g(x: f32%s, r: f32%s, z: %s%s) -> (o) {\n"
                      " s = mul(r, r)\n o = quantize(x, s, z) {dtype=%s, %s}\n}",
                      form[0], form[1], wholes[t], form[1], wholes[t], form[2]),
                 0);
    for (size_t t = 0; t < COUNT(floats); t++)
      check_body(BODY("graph g(x: f32%s, s: f32%s) -> (o) {\n"
                      " o = quantize(x, s) {dtype=%s, saturate=%s, %s}\n}",
                      form[0], form[1], floats[t], t % 2 ? "true" : "false", form[2]),
                 0);
    check_body(BODY("graph g(x: f32%s, s: f32%s) -> (o) {\n"
                    " o = quantize(x, s) {dtype=s8, precision=f16, %s}\n}",
                    form[0], form[1], form[2]),
               0);
    check_body(BODY("graph g(x: s32%s, s: f32%s) -> (o) { o = quantize(x, s) {dtype=s8, %s} }",
                    form[0], form[1], form[2]),
               0);
    check_body(BODY("graph g(x: f64%s, s: f64%s) -> (o) { o = quantize(x, s) {dtype=s32, %s} }",
                    form[0], form[1], form[2]),
               0);
  }
}

int main(void) {
  RUN(dequantize);
  RUN(quantize);
  CHECK(bodies_on_kernels > 300);
  return check_report();
}
