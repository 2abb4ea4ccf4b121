/* Vectors of floats from and to bfloat16: half the bytes of what lies between two layers.
 * Room: backend/cpu/simd.
 *
 * Written like simd.h. Rounding is to nearest, ties to even; NaN stays NaN; subnormal numbers may
 * become 0. */
#ifndef HONE_BACKEND_CPU_SIMD_SIMD_BF16_H
#define HONE_BACKEND_CPU_SIMD_SIMD_BF16_H

#include "backend/cpu/simd/simd.h"

HONE_INLINE uint16_t to_bf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

HONE_INLINE float from_bf16(uint16_t x) {
  uint32_t bits = (uint32_t)x << 16;
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

#if defined(__AVX512F__)
HONE_INLINE vf vf_widen(__m256i x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}
HONE_INLINE __m256i vf_narrow(vf x) {
#if defined(__AVX512BF16__)
  return (__m256i)_mm512_cvtneps_pbh(x);
#else
  __m512i bits = _mm512_castps_si512(x), high = _mm512_srli_epi32(bits, 16);
  __m512i up =
      _mm512_add_epi32(_mm512_and_si512(high, _mm512_set1_epi32(1)), _mm512_set1_epi32(0x7fff));
  __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, up), 16);
  __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  rounded = _mm512_mask_or_epi32(rounded, nan, high, _mm512_set1_epi32(0x40));
  return _mm512_cvtepi32_epi16(rounded);
#endif
}
HONE_INLINE vf vf_load_bf16(const uint16_t *p) {
  return vf_widen(_mm256_loadu_si256((const void *)p));
}
/* The first n of VF_LANES, 1 <= n <= VF_LANES; the rest load as 0 and are not touched. */
HONE_INLINE vf vf_load_bf16_n(const uint16_t *p, int n) {
  return vf_widen(_mm256_maskz_loadu_epi16(vf_first(n), p));
}
HONE_INLINE void vf_store_bf16(uint16_t *p, vf x) {
  _mm256_storeu_si256((void *)p, vf_narrow(x));
}
HONE_INLINE void vf_store_bf16_n(uint16_t *p, vf x, int n) {
  _mm256_mask_storeu_epi16(p, vf_first(n), vf_narrow(x));
}
#else
HONE_INLINE vf vf_load_bf16_n(const uint16_t *p, int n) {
  float x[VF_LANES] = {0};
  for (int i = 0; i < n; i++) x[i] = from_bf16(p[i]);
  return vf_load(x);
}
HONE_INLINE vf vf_load_bf16(const uint16_t *p) {
  return vf_load_bf16_n(p, VF_LANES);
}
HONE_INLINE void vf_store_bf16_n(uint16_t *p, vf x, int n) {
  float y[VF_LANES];
  vf_store(y, x);
  for (int i = 0; i < n; i++) p[i] = to_bf16(y[i]);
}
HONE_INLINE void vf_store_bf16(uint16_t *p, vf x) {
  vf_store_bf16_n(p, x, VF_LANES);
}
#endif

#endif
