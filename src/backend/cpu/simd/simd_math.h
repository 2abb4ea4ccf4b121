/* Elementary functions of a vector of floats. Room: backend/cpu/simd.
 *
 * Coefficients: minimax fits of the relative error made in f64, then rounded. Errors stated are
 * the largest over all floats of the range, with fused multiply-adds. NaN gives NaN.
 */
#ifndef HONE_BACKEND_CPU_SIMD_SIMD_MATH_H
#define HONE_BACKEND_CPU_SIMD_SIMD_MATH_H

#include "backend/cpu/simd/simd.h"

/* Sum of c[i] x^i, i < count, by Horner's rule. */
HONE_INLINE vf vf_polynomial(vf x, const float *c, const int count) {
  vf sum = vf_set(c[count - 1]);
  HONE_UNROLL
  for (int i = count - 2; i >= 0; i--) sum = vf_fma(sum, x, vf_set(c[i]));
  return sum;
}

/* e^x = m 2^n within 1.5 ulp: the result m, about 0.7 .. 1.4, and n. x = n ln 2 + r with
 * |r| <= ln 2 / 2. */
HONE_INLINE vf vf_exp_parts(vf x, vf *exponent) {
  static const float c[] = {1,           1,           0.49999994f,  0.16666521f,
                            0.04166839f, 0.00836871f, 0.0013814615f};
  vf n = vf_round(vf_mul(x, vf_set(1.44269504f)));
  vf r = vf_fnma(n, vf_set(0.693145752f), x); /* ln 2 in two pieces: n times the first is exact */
  r = vf_fnma(n, vf_set(1.42860677e-6f), r);
  *exponent = n;
  return vf_polynomial(r, c, 7);
}

/* e^x for x of -104..89. */
HONE_INLINE vf vf_exp_limited(vf x) {
  vf n, m = vf_exp_parts(x, &n);
  return vf_scale2(m, n);
}

/* The same for all x: 0 below -104, infinity above 89. */
HONE_INLINE vf vf_exp(vf x) {
  return vf_exp_limited(vf_clamp(x, vf_set(-104), vf_set(89)));
}

/* 2^x within 3e-7 of its value, for x of -126..127. */
HONE_INLINE vf vf_exp2_near(vf x) {
  static const float c[] = {1,            0.693147f,     0.24022242f,
                            0.055507336f, 0.009671513f, 0.0013264727f};
  vf n = vf_round(x);
  return vf_scale2_near(vf_polynomial(vf_sub(x, n), c, 6), n);
}

/* 1 / (1 + e^(-a x)); the power stays finite, as vf_reciprocal asks. One rounding of a x log2 e moves
 * the power by 6e-8 of its exponent, which the sum hides where the result is near 1. */
HONE_INLINE vf vf_sigmoid_of(vf x, vf minus_a) {
  vf power = vf_mul(x, vf_mul(minus_a, vf_set(1.44269504f)));
  power = vf_exp2_near(vf_clamp(power, vf_set(-126), vf_set(126)));
  return vf_reciprocal(vf_add(vf_set(1), power));
}

HONE_INLINE vf vf_sigmoid(vf x) {
  return vf_sigmoid_of(x, vf_set(-1));
}

/* tanh x = t / (t + 2) within 3 ulp, t = e^2|x| - 1 without cancelling: e^r - 1 from r, then times
 * 2^n. Beyond 10 it is 1. */
HONE_INLINE vf vf_tanh(vf x) {
  static const float c[] = {0.49999997f, 0.166665062f, 0.0416671373f, 0.00836910401f,
                            0.00138888729f};
  const vf one = vf_set(1);
  vf a = vf_min(vf_set(10), vf_abs(x)), twice = vf_add(a, a);
  vf n = vf_round(vf_mul(twice, vf_set(1.44269504f)));
  vf r = vf_fnma(n, vf_set(0.693145752f), twice);
  r = vf_fnma(n, vf_set(1.42860677e-6f), r);
  vf power = vf_scale2_near(one, n), inner = vf_fma(vf_mul(r, r), vf_polynomial(r, c, 5), r);
  vf t = vf_fma(power, inner, vf_sub(power, one));
  return vf_copysign(vf_div(t, vf_add(t, vf_set(2))), x);
}

/* erf x within 4e-7 of its value: a rational function, and +-1 where that is the nearest float. */
HONE_INLINE vf vf_erf(vf x) {
  static const float p[] = {1.1283791f,     0.20711362f,    0.051523317f, 0.0039900588f,
                            0.00014727285f, -1.9422407e-6f, 1.9110848e-8f};
  static const float q[] = {1, 0.51688093f, 0.117965914f, 0.014957053f, 0.0010209834f};
  vf one = vf_set(1), square = vf_mul(x, x);
  vf value = vf_div(vf_mul(x, vf_polynomial(square, p, 7)), vf_polynomial(square, q, 5));
  return vf_less(vf_set(3.92f), vf_abs(x), vf_copysign(one, x), vf_clamp(value, vf_set(-1), one));
}

#endif
