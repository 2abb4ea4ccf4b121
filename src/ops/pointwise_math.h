/* What the expressions of pointwise.def call. Room: ops. */
#ifndef HONE_OPS_POINTWISE_MATH_H
#define HONE_OPS_POINTWISE_MATH_H

#include <math.h>
#include <stdint.h>

static inline double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static inline double softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }
static inline double unit_clamp(double x) { return x < 0 ? 0 : x > 1 ? 1 : x; }
static inline double shrink(double x, double bias, double lambd) {
  return x < -lambd ? x + bias : x > lambd ? x - bias : x != x ? x : 0;
}
static inline double gelu_tanh(double x) {
  return 0.5 * x * (1 + tanh(M_2_SQRTPI * M_SQRT1_2 * (x + 0.044715 * x * x * x)));
}
static inline double floor_mod(double x, double y) {
  double rest = fmod(x, y);
  return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}
static inline int64_t floor_mod_int(int64_t x, int64_t y) {
  int64_t rest = x % y;
  return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}
static inline uint64_t power_uint(uint64_t x, uint64_t y) {
  uint64_t result = 1;
  for (; y; y >>= 1, x *= x)
    if (y & 1) result *= x;
  return result;
}
/* A negative exponent gives the truncated reciprocal. */
static inline int64_t power_int(int64_t x, int64_t y) {
  if (y >= 0) return (int64_t)power_uint((uint64_t)x, (uint64_t)y);
  return x == 1 ? 1 : x == -1 ? (y & 1 ? -1 : 1) : 0;
}
#define clip_high(x, high) ((x) > (high) ? (high) : (x))

#endif
