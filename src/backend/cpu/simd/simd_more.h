/* The rest of the vector operations that pointwise formulas need. Room: backend/cpu/simd.
 *
 * Written like simd.h; apart from it because tiles and transforms do without. Errors are stated in
 * units in the last place over the whole range unless said; NaN gives NaN. */
#ifndef HONE_BACKEND_CPU_SIMD_SIMD_MORE_H
#define HONE_BACKEND_CPU_SIMD_SIMD_MORE_H

#include "backend/cpu/simd/simd_math.h"

#if defined(__AVX512F__)
HONE_INLINE vf vf_sqrt(vf a) {
  return _mm512_sqrt_ps(a);
}
HONE_INLINE vf vf_floor(vf a) {
  return _mm512_roundscale_ps(a, 0x09);
}
HONE_INLINE vf vf_ceil(vf a) {
  return _mm512_roundscale_ps(a, 0x0a);
}
HONE_INLINE vf vf_trunc(vf a) {
  return _mm512_roundscale_ps(a, 0x0b);
}
/* a == b ? x : y and a <= b ? x : y; false where either is NaN */
HONE_INLINE vf vf_equal(vf a, vf b, vf x, vf y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), y, x);
}
HONE_INLINE vf vf_less_equal(vf a, vf b, vf x, vf y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LE_OQ), y, x);
}
/* For positive finite x: *exponent and the result m with x = m 2^exponent, 1/2 <= m < 1. */
HONE_INLINE vf vf_split(vf x, vf *exponent) {
  *exponent = _mm512_add_ps(_mm512_getexp_ps(x), _mm512_set1_ps(1));
  return _mm512_getmant_ps(x, _MM_MANT_NORM_p5_1, _MM_MANT_SIGN_zero);
}
/* Which lanes of a are not <= b, or not >= b: NaN is neither. */
HONE_INLINE unsigned vf_lanes_above(vf a, vf b) {
  return _mm512_cmp_ps_mask(a, b, _CMP_NLE_UQ);
}
HONE_INLINE unsigned vf_lanes_below(vf a, vf b) {
  return _mm512_cmp_ps_mask(a, b, _CMP_NGE_UQ);
}
/* Bools: what is not 0 as 1. */
HONE_INLINE vf vf_load_truths(const uint8_t *p) {
  __m128i bytes = _mm_min_epu8(_mm_loadu_si128((const __m128i *)p), _mm_set1_epi8(1));
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
}
/* Numbers cut to whole ones, the low byte of each. */
HONE_INLINE void vf_store_bytes(uint8_t *p, vf x) {
  _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(x)));
}
#elif defined(__AVX2__)
HONE_INLINE vf vf_load_truths(const uint8_t *p) {
  __m128i bytes = _mm_min_epu8(_mm_loadl_epi64((const __m128i *)p), _mm_set1_epi8(1));
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}
HONE_INLINE void vf_store_bytes(uint8_t *p, vf x) { /* gathered in both halves, then side by side */
  const __m256i low = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                       0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  __m256i bytes = _mm256_shuffle_epi8(_mm256_cvttps_epi32(x), low);
  _mm_storel_epi64((__m128i *)p, _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes),
                                                    _mm256_extracti128_si256(bytes, 1)));
}
HONE_INLINE vf vf_sqrt(vf a) {
  return _mm256_sqrt_ps(a);
}
HONE_INLINE vf vf_floor(vf a) {
  return _mm256_round_ps(a, 0x09);
}
HONE_INLINE vf vf_ceil(vf a) {
  return _mm256_round_ps(a, 0x0a);
}
HONE_INLINE vf vf_trunc(vf a) {
  return _mm256_round_ps(a, 0x0b);
}
HONE_INLINE vf vf_equal(vf a, vf b, vf x, vf y) {
  return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_EQ_OQ));
}
HONE_INLINE vf vf_less_equal(vf a, vf b, vf x, vf y) {
  return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LE_OQ));
}
HONE_INLINE vf vf_split(vf x, vf *exponent) {
  vf tiny = _mm256_cmp_ps(x, vf_set(1.17549435e-38f), _CMP_LT_OQ); /* denormal: scaled up first */
  x = _mm256_blendv_ps(x, vf_mul(x, vf_set(8388608)), tiny);
  __m256i bits = _mm256_castps_si256(x);
  __m256i e = _mm256_sub_epi32(_mm256_srli_epi32(bits, 23), _mm256_set1_epi32(126));
  *exponent = vf_sub(_mm256_cvtepi32_ps(e), _mm256_and_ps(tiny, vf_set(23)));
  __m256i fraction = _mm256_and_si256(bits, _mm256_set1_epi32(0x007fffff));
  return _mm256_castsi256_ps(_mm256_or_si256(fraction, _mm256_set1_epi32(0x3f000000)));
}
HONE_INLINE unsigned vf_lanes_above(vf a, vf b) {
  return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_NLE_UQ));
}
HONE_INLINE unsigned vf_lanes_below(vf a, vf b) {
  return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_NGE_UQ));
}
#else
HONE_INLINE vf vf_load_truths(const uint8_t *p) {
  vf x;
  for (int i = 0; i < VF_LANES; i++) x[i] = p[i] != 0;
  return x;
}
HONE_INLINE void vf_store_bytes(uint8_t *p, vf x) {
  for (int i = 0; i < VF_LANES; i++) p[i] = (uint8_t)(int)x[i];
}
HONE_INLINE vf vf_sqrt(vf a) {
  for (int i = 0; i < VF_LANES; i++) a[i] = sqrtf(a[i]);
  return a;
}
HONE_INLINE vf vf_floor(vf a) {
  for (int i = 0; i < VF_LANES; i++) a[i] = floorf(a[i]);
  return a;
}
HONE_INLINE vf vf_ceil(vf a) {
  for (int i = 0; i < VF_LANES; i++) a[i] = ceilf(a[i]);
  return a;
}
HONE_INLINE vf vf_trunc(vf a) {
  for (int i = 0; i < VF_LANES; i++) a[i] = truncf(a[i]);
  return a;
}
HONE_INLINE vf vf_equal(vf a, vf b, vf x, vf y) {
  return vf_select(a == b, x, y);
}
HONE_INLINE vf vf_less_equal(vf a, vf b, vf x, vf y) {
  return vf_select(a <= b, x, y);
}
HONE_INLINE vf vf_split(vf x, vf *exponent) {
  vf e = {0};
  for (int i = 0; i < VF_LANES; i++) {
    int n = 0;
    x[i] = frexpf(x[i], &n);
    e[i] = (float)n;
  }
  *exponent = e;
  return x;
}
HONE_INLINE unsigned vf_lanes_above(vf a, vf b) {
  unsigned lanes = 0;
  for (int i = 0; i < VF_LANES; i++) lanes |= (unsigned)!(a[i] <= b[i]) << i;
  return lanes;
}
HONE_INLINE unsigned vf_lanes_below(vf a, vf b) {
  return vf_lanes_above(b, a);
}
#endif

/* The first n of VF_LANES. */
HONE_INLINE vf vf_load_truths_n(const uint8_t *p, int n) {
  uint8_t few[VF_LANES] = {0};
  memcpy(few, p, (size_t)n);
  return vf_load_truths(few);
}
HONE_INLINE void vf_store_bytes_n(uint8_t *p, vf x, int n) {
  uint8_t few[VF_LANES];
  vf_store_bytes(few, x);
  memcpy(p, few, (size_t)n);
}

/* ln x within 2 ulp. The polynomial is that of logf in the Cephes library (Moshier). */
HONE_INLINE vf vf_log(vf x) {
  static const float c[] = {3.3333331174e-1f,  -2.4999993993e-1f, 2.0000714765e-1f,
                            -1.6668057665e-1f, 1.4249322787e-1f,  -1.2420140846e-1f,
                            1.1676998740e-1f,  -1.1514610310e-1f, 7.0376836292e-2f};
  vf e, m = vf_split(x, &e), one = vf_set(1), root = vf_set(0.70710678f);
  e = vf_less(m, root, vf_sub(e, one), e);
  vf r = vf_sub(vf_less(m, root, vf_add(m, m), m), one), square = vf_mul(r, r);
  vf y = vf_mul(vf_mul(r, square), vf_polynomial(r, c, 9));
  y = vf_fma(e, vf_set(-2.12194440e-4f), y);
  y = vf_fnma(vf_set(0.5f), square, y);
  y = vf_fma(e, vf_set(0.693359375f), vf_add(r, y));
  const vf zero = vf_set(0), infinity = vf_set(INFINITY);
  y = vf_less(x, infinity, y, x); /* infinity and NaN */
  y = vf_equal(x, zero, vf_sub(zero, infinity), y);
  return vf_less(x, zero, vf_set(NAN), y);
}

/* e^x - 1 within 4 ulp. */
HONE_INLINE vf vf_expm1(vf x) {
  static const float c[] = {1,
                            0.5f,
                            0.166666667f,
                            0.0416666667f,
                            0.00833333333f,
                            0.00138888889f,
                            0.000198412698f,
                            0.0000248015873f};
  vf far = vf_sub(vf_exp(x), vf_set(1));
  return vf_less(vf_abs(x), vf_set(0.4f), vf_mul(x, vf_polynomial(x, c, 8)), far);
}

/* ln(1 + t) for 0 <= t <= 1 within 4 ulp: the error of rounding 1 + t cancels in the quotient
 * (Kahan). */
HONE_INLINE vf vf_log1p_unit(vf t) {
  vf one = vf_set(1), u = vf_add(one, t), gap = vf_sub(u, one);
  return vf_equal(u, one, t, vf_div(vf_mul(t, vf_log(u)), gap));
}

HONE_INLINE vf vf_softplus(vf x) {
  vf t = vf_exp(vf_sub(vf_set(0), vf_abs(x)));
  return vf_add(vf_max(vf_set(0), x), vf_log1p_unit(t));
}

/* x where it is NaN, else y. */
HONE_INLINE vf vf_keep_nan(vf x, vf y) {
  return vf_equal(x, x, y, x);
}

#endif
