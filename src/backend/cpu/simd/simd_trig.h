/* Trigonometric and hyperbolic functions and their inverses of a vector of floats, powers and
 * remainders. Room: backend/cpu/simd.
 *
 * Ranges and identities are those of the Cephes library (Moshier, netlib.org/cephes, single);
 * coefficients: minimax fits of the relative error made in f64, then rounded. Within 4 ulp with
 * fused multiply-adds. NaN gives NaN, and -0 gives -0 where the function is odd. */
#ifndef HONE_BACKEND_CPU_SIMD_SIMD_TRIG_H
#define HONE_BACKEND_CPU_SIMD_SIMD_TRIG_H

#include "backend/cpu/simd/simd_more.h"

#define VF_HALF_PI 1.57079633f
#define VF_PI      3.14159265f
#define VF_LN2     0.693147181f

/* ---- Lanes by themselves -------------------------------------------------------------------- */

/* What no vector form computes: f(x, y) in the lanes of `which`, z in the others. */
static __attribute__((noinline)) vf vf_each(unsigned which, float (*f)(float, float), vf x, vf y,
                                            vf z) {
  float in_x[VF_LANES], in_y[VF_LANES], out[VF_LANES];
  vf_store(in_x, x), vf_store(in_y, y), vf_store(out, z);
  for (; which; which &= which - 1) {
    int i = __builtin_ctz(which);
    out[i] = f(in_x[i], in_y[i]);
  }
  return vf_load(out);
}
#define VF_ALL ((1u << VF_LANES) - 1)

static inline float float_sin(float x, float y) {
  return (void)y, sinf(x);
}
static inline float float_cos(float x, float y) {
  return (void)y, cosf(x);
}
static inline float float_tan(float x, float y) {
  return (void)y, tanf(x);
}

HONE_INLINE vf vf_pow(vf x, vf y) {
  return vf_each(VF_ALL, powf, x, y, x);
}

/* ---- Sine, cosine, tangent ------------------------------------------------------------------ */

/* Quarters of a turn up to here are counted exactly by the pieces below (Cody and Waite, Software
 * Manual for the Elementary Functions, 1980): without fused operations a count of 13 bits times 11
 * bits is. What lies beyond is left to the C library, which reduces by Payne and Hanek's method. */
#if defined(__FMA__)
#define VF_LARGEST_ANGLE 65536.0f
#else
#define VF_LARGEST_ANGLE 8192.0f
#endif

/* x - m pi / 2 for whole m. */
HONE_INLINE vf vf_less_quarters(vf x, vf m) {
  vf r = vf_fnma(m, vf_set(0x1.92p0f), x);
  r = vf_fnma(m, vf_set(0x1.fb4p-12f), r);
  r = vf_fnma(m, vf_set(0x1.444p-24f), r);
  return vf_fnma(m, vf_set(0x1.68c234p-39f), r);
}

/* 1 for odd whole n, else 0. */
HONE_INLINE vf vf_odd(vf n) {
  vf half = vf_mul(n, vf_set(0.5f));
  return vf_mul(vf_sub(half, vf_floor(half)), vf_set(2));
}

/* x + x^3 P(x^2) */
HONE_INLINE vf vf_odd_polynomial(vf x, const float *c, const int count) {
  vf square = vf_mul(x, x);
  return vf_fma(vf_mul(x, square), vf_polynomial(square, c, count), x);
}

/* (-1)^n sin r for |r| <= pi / 2 */
HONE_INLINE vf vf_half_turns(vf r, vf n) {
  static const float c[] = {-0.166666597f, 0.00833306648f, -0.000198096022f, 2.60578054e-06f};
  return vf_mul(vf_odd_polynomial(r, c, 4), vf_fnma(vf_odd(n), vf_set(2), vf_set(1)));
}

HONE_INLINE vf vf_sin(vf x) {
  vf n = vf_round(vf_mul(x, vf_set(0.318309886f)));
  vf y = vf_half_turns(vf_less_quarters(x, vf_add(n, n)), n);
  unsigned far = vf_lanes_above(vf_abs(x), vf_set(VF_LARGEST_ANGLE));
  if (__builtin_expect(far != 0, 0)) y = vf_each(far, float_sin, x, x, y);
  return vf_equal(x, vf_set(0), x, y);
}

/* cos x = -(-1)^n sin(x - (2 n + 1) pi / 2) */
HONE_INLINE vf vf_cos(vf x) {
  vf one = vf_set(1);
  vf n = vf_round(vf_fma(x, vf_set(0.318309886f), vf_set(-0.5f)));
  vf y = vf_half_turns(vf_less_quarters(x, vf_add(vf_add(n, n), one)), vf_add(n, one));
  unsigned far = vf_lanes_above(vf_abs(x), vf_set(VF_LARGEST_ANGLE));
  return __builtin_expect(far != 0, 0) ? vf_each(far, float_cos, x, x, y) : y;
}

HONE_INLINE vf vf_tan(vf x) {
  static const float c[] = {0.333331555f,  0.133387998f,   0.0534112081f,
                            0.0244303998f, 0.00311950105f, 0.00938564818f};
  vf n = vf_round(vf_mul(x, vf_set(0.636619772f)));
  vf y = vf_odd_polynomial(vf_less_quarters(x, n), c, 6);
  y = vf_less(vf_set(0), vf_odd(n), vf_div(vf_set(-1), y), y);
  unsigned far = vf_lanes_above(vf_abs(x), vf_set(VF_LARGEST_ANGLE));
  if (__builtin_expect(far != 0, 0)) y = vf_each(far, float_tan, x, x, y);
  return vf_equal(x, vf_set(0), x, y);
}

/* ---- Their inverses ------------------------------------------------------------------------- */

/* asin a for 0 <= a <= 1/2, above that (pi / 2 - asin a) / 2. */
HONE_INLINE vf vf_asin_part(vf a) {
  static const float c[] = {0.166667521f, 0.0749529749f, 0.0454703793f, 0.0241795033f,
                            0.0421663299f};
  vf half = vf_set(0.5f), rest = vf_mul(half, vf_sub(vf_set(1), a));
  return vf_odd_polynomial(vf_less(half, a, vf_sqrt(rest), a), c, 5);
}

HONE_INLINE vf vf_asin(vf x) {
  vf a = vf_abs(x), y = vf_asin_part(a);
  y = vf_less(vf_set(0.5f), a, vf_fnma(vf_set(2), y, vf_set(VF_HALF_PI)), y);
  return vf_copysign(y, x);
}

HONE_INLINE vf vf_acos(vf x) {
  vf half = vf_set(0.5f), a = vf_abs(x), y = vf_asin_part(a), twice = vf_add(y, y);
  vf near = vf_sub(vf_set(VF_HALF_PI), vf_copysign(y, x));
  vf far = vf_less(x, vf_set(0), vf_sub(vf_set(VF_PI), twice), twice);
  return vf_less(half, a, far, near);
}

/* atan t for 0 <= t <= 1 */
HONE_INLINE vf vf_atan_unit(vf t) {
  static const float c[] = {-0.333331525f,  0.199937731f,  -0.142110556f,  0.106660038f,
                            -0.0755221248f, 0.0432118326f, -0.0163679104f, 0.00292068766f};
  return vf_odd_polynomial(t, c, 8);
}

HONE_INLINE vf vf_atan(vf x) {
  vf one = vf_set(1), a = vf_abs(x);
  vf y = vf_atan_unit(vf_div(vf_min(one, a), vf_max(one, a)));
  return vf_copysign(vf_less(one, a, vf_sub(vf_set(VF_HALF_PI), y), y), x);
}

/* Of the point (x, y); axes, zeros and infinities as C's Annex F has them. */
HONE_INLINE vf vf_atan2(vf y, vf x) {
  vf zero = vf_set(0), one = vf_set(1), a = vf_abs(x), b = vf_abs(y);
  vf large = vf_less(a, b, b, a), t = vf_div(vf_less(a, b, a, b), large);
  t = vf_equal(large, zero, zero, vf_equal(a, b, one, t));
  vf angle = vf_atan_unit(t);
  angle = vf_less(a, b, vf_sub(vf_set(VF_HALF_PI), angle), angle);
  angle = vf_less(vf_copysign(one, x), zero, vf_sub(vf_set(VF_PI), angle), angle);
  return vf_keep_nan(x, vf_keep_nan(y, vf_copysign(angle, y)));
}

/* ---- Hyperbolic functions ------------------------------------------------------------------- */

/* e^a / 2 for a >= 0: finite wherever sinh and cosh are. */
HONE_INLINE vf vf_half_exp(vf a) {
  vf n, m = vf_exp_parts(vf_min(vf_set(90), a), &n);
  return vf_scale2(m, vf_sub(n, vf_set(1)));
}

HONE_INLINE vf vf_sinh(vf x) {
  static const float c[] = {0.166666672f, 0.0083333496f, 0.000198361595f, 2.81695134e-06f};
  vf a = vf_abs(x), e = vf_half_exp(a);
  vf far = vf_sub(e, vf_div(vf_set(0.25f), e));
  return vf_copysign(vf_less(a, vf_set(1), vf_odd_polynomial(a, c, 4), far), x);
}

HONE_INLINE vf vf_cosh(vf x) {
  vf e = vf_half_exp(vf_abs(x));
  return vf_add(e, vf_div(vf_set(0.25f), e));
}

/* ln(a + root) for root about sqrt(a^2 +- 1), which is a where its square would overflow */
HONE_INLINE vf vf_log_of_sum(vf a, vf root) {
  vf large = vf_set(1e9f), zero = vf_set(0);
  vf y = vf_log(vf_less(large, a, a, vf_add(a, root)));
  return vf_add(y, vf_less(large, a, vf_set(VF_LN2), zero));
}

HONE_INLINE vf vf_asinh(vf x) {
  static const float c[] = {-0.166666433f, 0.0749865249f, -0.0443845168f, 0.0281691216f,
                            -0.013237522f};
  vf a = vf_abs(x), far = vf_log_of_sum(a, vf_sqrt(vf_fma(a, a, vf_set(1))));
  return vf_copysign(vf_less(a, vf_set(0.5f), vf_odd_polynomial(a, c, 5), far), x);
}

HONE_INLINE vf vf_acosh(vf x) {
  static const float c[] = {1.41421354f,     -0.1178509f,    0.0265109558f,
                            -0.00784249511f, 0.00248241983f, -0.0005795873f};
  vf z = vf_sub(x, vf_set(1)), near = vf_mul(vf_sqrt(z), vf_polynomial(z, c, 6));
  vf far = vf_log_of_sum(x, vf_sqrt(vf_fma(x, x, vf_set(-1))));
  return vf_less(x, vf_set(1.5f), near, far);
}

HONE_INLINE vf vf_atanh(vf x) {
  static const float c[] = {0.333337307f, 0.199782163f, 0.146691442f, 0.0824369788f, 0.18174018f};
  vf one = vf_set(1), half = vf_set(0.5f), a = vf_abs(x);
  vf far = vf_mul(half, vf_log(vf_div(vf_add(one, a), vf_sub(one, a))));
  return vf_copysign(vf_less(a, half, vf_odd_polynomial(a, c, 5), far), x);
}

/* ---- Remainders ----------------------------------------------------------------------------- */

/* The exact remainder, of the sign of x. The quotient's whole part is right or one too large, and
 * both remainders are floats; a fused product does not round. Quotients that have no fraction, and
 * what is no number, are left to the C library. */
HONE_INLINE vf vf_fmod(vf x, vf y) {
#if defined(__FMA__)
  vf zero = vf_set(0), a = vf_abs(x), b = vf_abs(y), quotient = vf_div(a, b);
  vf rest = vf_fnma(vf_trunc(quotient), b, a);
  rest = vf_less(rest, zero, vf_add(rest, b), rest);
  rest = vf_copysign(vf_less(a, b, a, rest), x);
  unsigned far = vf_lanes_above(quotient, vf_set(0x1p23f));
  return __builtin_expect(far != 0, 0) ? vf_each(far, fmodf, x, y, rest) : rest;
#else
  return vf_each(VF_ALL, fmodf, x, y, x);
#endif
}

/* That of the sign of y. */
HONE_INLINE vf vf_floor_mod(vf x, vf y) {
  vf zero = vf_set(0), rest = vf_fmod(x, y), moved = vf_add(rest, y);
  vf below = vf_less(rest, zero, vf_less(zero, y, moved, rest), rest);
  return vf_less(zero, rest, vf_less(y, zero, moved, rest), below);
}

#endif
