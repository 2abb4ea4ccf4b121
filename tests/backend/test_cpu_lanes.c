/* The vector forms of functions of one number on every instruction set, against the C library in
 * doubles: special values, wide ranges, every length. */
#include <math.h>
#include <string.h>

#include "backend/cpu/lines/lanes.h"
#include "../check.h"
#include "../numerics.h"

typedef struct function {
  hone_lane lane;
  const char *name;
  double (*exact)(double x);
} function;

#define FUNCTION(name) \
  { HONE_LANE_##name, #name, name }
static const function functions[] = {
    FUNCTION(exp),  FUNCTION(log),   FUNCTION(sin),   FUNCTION(cos),   FUNCTION(tan),
    FUNCTION(asin), FUNCTION(acos),  FUNCTION(atan),  FUNCTION(sinh),  FUNCTION(cosh),
    FUNCTION(tanh), FUNCTION(asinh), FUNCTION(acosh), FUNCTION(atanh), FUNCTION(erf),
};

enum { SPECIAL = 34, COUNT = 4001 };
static float x[COUNT], y[COUNT];

static void fill(void) {
  static const float special[SPECIAL] = {
      NAN,         INFINITY,   -INFINITY,   0,     -0.0f, 0x1p-149f, -0x1p-149f, 0x1p-127f, -0x1p-128f,
      3.4e38f,     -3.4e38f,   1,           -1,    0.5f,  -0.5f,  1.5f,    -1.5f,  1.5707964f,
      -1.5707964f, 3.1415927f, -6.2831855f, 88.8f, 89.3f, -89.3f, 100,     1e4f,   8191,
      8193,        65535,      65537,       1e6f,  1e10f, -1e30f, 0.625f};
  memcpy(x, special, sizeof special);
  for (int i = SPECIAL; i < COUNT; i++) {
    double t = (double)(i - SPECIAL) / (COUNT - SPECIAL) * 2 - 1; /* -1 .. 1 */
    x[i] = (float)(i % 4 == 0 ? t : i % 4 == 1 ? t * 6 : i % 4 == 2 ? t * 90000 : exp(t * 80));
  }
}

static bool is_right(float got, double want, double limit) {
  float nearest = (float)want;
  if (nearest != nearest || got != got) return nearest != nearest && got != got;
  if (want == 0) return got == 0 && !signbit(got) == !signbit(want);
  if (isinf(nearest)) return got == nearest;
  return fabs((double)got - want) <= limit * fmax(fabs(want), 0x1p-123);
}

static void check_set(hone_lane_function *const *lanes, const char *set) {
  double limit = bound("function", "fp32");
  for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
    for (size_t from = 0, count = 1; from < COUNT; from += count, count = count % 37 + 1) {
      if (count > COUNT - from) count = COUNT - from;
      lanes[functions[f].lane](count, x + from, x + from, x + from, 0, 0, y + from);
    }
    for (int i = 0; i < COUNT; i++) {
      double want = functions[f].exact((double)x[i]);
      if (is_right(y[i], want, limit)) continue;
      fprintf(stderr, "%s on %s: %.9g gives %.9g, not %.9g\n", functions[f].name, set, (double)x[i],
              (double)y[i], want);
      CHECK(false);
    }
  }
}

/* Remainders are exact, of the dividend's sign or of the divisor's. */
static void check_remainders(hone_lane_function *const *lanes) {
  static float divisor[COUNT];
  for (int i = 0; i < COUNT; i++) divisor[i] = x[(i * 37 + 5) % COUNT];
  for (int wanted = 0; wanted < 2; wanted++) {
    lanes[HONE_LANE_mod](COUNT, x, divisor, x, (float)wanted, 0, y);
    for (int i = 0; i < COUNT; i++) {
      float rest = fmodf(x[i], divisor[i]);
      if (!wanted && rest != 0 && (rest < 0) != (divisor[i] < 0)) rest += divisor[i];
      CHECK(memcmp(&y[i], &rest, sizeof rest) == 0 || (rest != rest && y[i] != y[i]));
    }
  }
}

TEST(functions_of_one_number) {
  fill();
  check_set(hone_lanes_plain, "plain");
  check_remainders(hone_lanes_plain);
#if defined(__x86_64__)
  if (hone_isa_runs(HONE_ISA_AVX2)) {
    check_set(hone_lanes_avx2, "avx2");
    check_remainders(hone_lanes_avx2);
  }
  if (hone_isa_runs(HONE_ISA_AVX512)) {
    check_set(hone_lanes_avx512, "avx512");
    check_remainders(hone_lanes_avx512);
  }
#endif
}

int main(void) {
  RUN(functions_of_one_number);
  return check_report();
}
