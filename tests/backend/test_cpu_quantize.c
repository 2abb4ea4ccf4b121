/* quantize and dequantize on the CPU backend: every type, scales of all forms, given at run. */
#include "cpu_bodies.h"
#include "backend/cpu/lines/strips.h"

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

/* Quotients by one scale are those of a division, also next to where they round another way. */
static void check_one_scale(const hone_strips *strips, float scale, float zero) {
  enum { LENGTH = 4099 };
  static float x[LENGTH];
  static uint8_t y[LENGTH];
  const float special[] = {NAN, INFINITY, -INFINITY, 0x1.8p127f, -0x1.8p127f, 0x1p-149f, -0.0f};
  uint32_t seed = 1;
  for (int i = 0; i < LENGTH; i++) {
    seed = seed * 1664525 + 1013904223;
    x[i] = scale * ((float)(seed >> 23) - 100.5f - zero);
    for (uint32_t k = 0; k < (seed >> 8) % 3; k++) x[i] = nextafterf(x[i], i % 2 ? INFINITY : -INFINITY);
  }
  memcpy(x + 17, special, sizeof special);
  strips->quantize_bytes(x, scale, zero, 0, 255, LENGTH, y);
  for (int i = 0; i < LENGTH; i++) {
    float quotient = x[i] / scale, want = rintf(quotient) + zero;
    want = quotient != quotient || want < 0 ? 0 : want > 255 ? 255 : want;
    CHECK(y[i] == (uint8_t)want);
  }
}

TEST(one_scale) {
  static const float scales[] = {1, 0.1f, 0.0371f, 3, 0x1p-100f, 0x1p100f, -0.7f};
  for (size_t i = 0; i < COUNT(scales); i++) {
    check_one_scale(&hone_strips_plain, scales[i], 7);
#if defined(__x86_64__)
    if (hone_isa_runs(HONE_ISA_AVX2)) check_one_scale(&hone_strips_avx2, scales[i], 0);
    if (hone_isa_runs(HONE_ISA_AVX512)) check_one_scale(&hone_strips_avx512, scales[i], 128);
#endif
  }
}

int main(void) {
  RUN(one_scale);
  RUN(dequantize);
  RUN(quantize);
  CHECK(bodies_on_kernels > 300);
  return check_report();
}
