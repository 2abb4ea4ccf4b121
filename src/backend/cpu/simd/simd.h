/* One vector of floats, whatever the file is compiled for. Room: backend/cpu/simd.
 *
 * A kernel written in these runs on AVX-512, AVX2 and as plain C: its body is a header included by
 * one file for each instruction set. Only what kernels use is here. Loads and stores need no
 * alignment. Names are short (vf_) because formulas are made of them; all are file-local.
 */
#ifndef HONE_BACKEND_CPU_SIMD_SIMD_H
#define HONE_BACKEND_CPU_SIMD_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "backend/cpu/simd/isa.h"

#if defined(__AVX512F__)
#include <immintrin.h>

#define VF_LANES 16
typedef __m512 vf;

HONE_INLINE vf vf_load(const float *p) {
  return _mm512_loadu_ps(p);
}
/* VF_LANES bytes, 0..255. */
HONE_INLINE vf vf_load_bytes(const unsigned char *p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
HONE_INLINE void vf_store(float *p, vf x) {
  _mm512_storeu_ps(p, x);
}
/* The first n of VF_LANES, 1 <= n <= VF_LANES; the rest load as 0 and are not touched. */
HONE_INLINE __mmask16 vf_first(int n) {
  return (__mmask16)(0xffffu >> (16 - n));
}
HONE_INLINE vf vf_load_n(const float *p, int n) {
  return _mm512_maskz_loadu_ps(vf_first(n), p);
}
HONE_INLINE void vf_store_n(float *p, vf x, int n) {
  _mm512_mask_storeu_ps(p, vf_first(n), x);
}
/* The first n lanes of x, the others of rest. */
HONE_INLINE vf vf_keep_n(vf x, int n, vf rest) {
  return _mm512_mask_mov_ps(rest, vf_first(n), x);
}
HONE_INLINE vf vf_set(float x) {
  return _mm512_set1_ps(x);
}
HONE_INLINE vf vf_add(vf a, vf b) {
  return _mm512_add_ps(a, b);
}
HONE_INLINE vf vf_sub(vf a, vf b) {
  return _mm512_sub_ps(a, b);
}
HONE_INLINE vf vf_mul(vf a, vf b) {
  return _mm512_mul_ps(a, b);
}
HONE_INLINE vf vf_div(vf a, vf b) {
  return _mm512_div_ps(a, b);
}
/* 1 / a within an ulp, for finite a other than 0 and subnormal numbers. */
HONE_INLINE vf vf_reciprocal(vf a) {
  vf near = _mm512_rcp14_ps(a); /* within 2^-14; a step of Newton's squares that */
  return _mm512_fmadd_ps(near, _mm512_fnmadd_ps(a, near, _mm512_set1_ps(1)), near);
}
HONE_INLINE vf vf_fma(vf a, vf b, vf c) {
  return _mm512_fmadd_ps(a, b, c);
} /* a b + c */
HONE_INLINE vf vf_fnma(vf a, vf b, vf c) {
  return _mm512_fnmadd_ps(a, b, c);
} /* c - a b */
/* The second operand when either is NaN, so vf_max(limit, x) keeps the NaN of x. */
HONE_INLINE vf vf_max(vf a, vf b) {
  return _mm512_max_ps(a, b);
}
HONE_INLINE vf vf_min(vf a, vf b) {
  return _mm512_min_ps(a, b);
}
HONE_INLINE vf vf_abs(vf a) {
  return _mm512_abs_ps(a);
}
HONE_INLINE vf vf_round(vf a) {
  return _mm512_roundscale_ps(a, 0x08);
} /* half to even */
/* x 2^n for whole n, gradual underflow included. */
HONE_INLINE vf vf_scale2(vf x, vf n) {
  return _mm512_scalef_ps(x, n);
}
/* x 2^n for n of -126..127. */
HONE_INLINE vf vf_scale2_near(vf x, vf n) {
  return _mm512_scalef_ps(x, n);
}
HONE_INLINE vf vf_copysign(vf magnitude, vf sign) {
  return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_set1_epi32(INT32_MIN),
                                                       _mm512_castps_si512(sign),
                                                       _mm512_castps_si512(magnitude), 0xca));
}
/* a < b ? x : y, lane by lane */
HONE_INLINE vf vf_less(vf a, vf b, vf x, vf y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}

/* Rows become columns: x[i] lane j and x[j] lane i change places. */
HONE_INLINE void vf_transpose(vf x[VF_LANES]) {
  vf y[16];
  HONE_UNROLL
  for (int i = 0; i < 16; i += 4) { /* 4 x 4 blocks within each quarter of four rows */
    vf a = _mm512_unpacklo_ps(x[i], x[i + 1]), b = _mm512_unpackhi_ps(x[i], x[i + 1]);
    vf c = _mm512_unpacklo_ps(x[i + 2], x[i + 3]), d = _mm512_unpackhi_ps(x[i + 2], x[i + 3]);
    y[i] = _mm512_shuffle_ps(a, c, 0x44), y[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
    y[i + 2] = _mm512_shuffle_ps(b, d, 0x44), y[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
  }
  HONE_UNROLL
  for (int i = 0; i < 4; i++) { /* then the quarters */
    vf a = _mm512_shuffle_f32x4(y[i], y[i + 4], 0x88);
    vf b = _mm512_shuffle_f32x4(y[i + 8], y[i + 12], 0x88);
    vf c = _mm512_shuffle_f32x4(y[i], y[i + 4], 0xdd);
    vf d = _mm512_shuffle_f32x4(y[i + 8], y[i + 12], 0xdd);
    x[i] = _mm512_shuffle_f32x4(a, b, 0x88), x[i + 8] = _mm512_shuffle_f32x4(a, b, 0xdd);
    x[i + 4] = _mm512_shuffle_f32x4(c, d, 0x88), x[i + 12] = _mm512_shuffle_f32x4(c, d, 0xdd);
  }
}

#elif defined(__AVX2__)
#include <immintrin.h>

#define VF_LANES 8
typedef __m256 vf;

HONE_INLINE vf vf_load(const float *p) {
  return _mm256_loadu_ps(p);
}
HONE_INLINE vf vf_load_bytes(const unsigned char *p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
HONE_INLINE void vf_store(float *p, vf x) {
  _mm256_storeu_ps(p, x);
}
HONE_INLINE __m256i vf_first(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
HONE_INLINE vf vf_load_n(const float *p, int n) {
  return _mm256_maskload_ps(p, vf_first(n));
}
HONE_INLINE void vf_store_n(float *p, vf x, int n) {
  _mm256_maskstore_ps(p, vf_first(n), x);
}
HONE_INLINE vf vf_keep_n(vf x, int n, vf rest) {
  return _mm256_blendv_ps(rest, x, _mm256_castsi256_ps(vf_first(n)));
}
HONE_INLINE vf vf_set(float x) {
  return _mm256_set1_ps(x);
}
HONE_INLINE vf vf_add(vf a, vf b) {
  return _mm256_add_ps(a, b);
}
HONE_INLINE vf vf_sub(vf a, vf b) {
  return _mm256_sub_ps(a, b);
}
HONE_INLINE vf vf_mul(vf a, vf b) {
  return _mm256_mul_ps(a, b);
}
HONE_INLINE vf vf_div(vf a, vf b) {
  return _mm256_div_ps(a, b);
}
HONE_INLINE vf vf_reciprocal(vf a) {
  return _mm256_div_ps(_mm256_set1_ps(1), a);
}
HONE_INLINE vf vf_fma(vf a, vf b, vf c) {
  return _mm256_fmadd_ps(a, b, c);
}
HONE_INLINE vf vf_fnma(vf a, vf b, vf c) {
  return _mm256_fnmadd_ps(a, b, c);
}
HONE_INLINE vf vf_max(vf a, vf b) {
  return _mm256_max_ps(a, b);
}
HONE_INLINE vf vf_min(vf a, vf b) {
  return _mm256_min_ps(a, b);
}
HONE_INLINE vf vf_abs(vf a) {
  return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
HONE_INLINE vf vf_round(vf a) {
  return _mm256_round_ps(a, 0x08);
}
HONE_INLINE vf vf_scale2(vf x, vf n) { /* in two halves, so that neither factor overflows */
  __m256i whole = _mm256_cvtps_epi32(vf_max(vf_set(-300), vf_min(vf_set(300), n)));
  __m256i half = _mm256_srai_epi32(whole, 1), rest = _mm256_sub_epi32(whole, half);
  __m256i bias = _mm256_set1_epi32(127);
  vf a = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
  vf b = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
  return vf_mul(vf_mul(x, a), b);
}
HONE_INLINE vf vf_scale2_near(vf x, vf n) {
  __m256i power = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return vf_mul(x, _mm256_castsi256_ps(_mm256_slli_epi32(power, 23)));
}
HONE_INLINE vf vf_copysign(vf magnitude, vf sign) {
  vf bit = _mm256_set1_ps(-0.0f);
  return _mm256_or_ps(_mm256_and_ps(bit, sign), _mm256_andnot_ps(bit, magnitude));
}
HONE_INLINE vf vf_less(vf a, vf b, vf x, vf y) {
  return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
HONE_INLINE void vf_transpose(vf x[VF_LANES]) {
  vf y[8];
  HONE_UNROLL
  for (int i = 0; i < 8; i += 4) {
    vf a = _mm256_unpacklo_ps(x[i], x[i + 1]), b = _mm256_unpackhi_ps(x[i], x[i + 1]);
    vf c = _mm256_unpacklo_ps(x[i + 2], x[i + 3]), d = _mm256_unpackhi_ps(x[i + 2], x[i + 3]);
    y[i] = _mm256_shuffle_ps(a, c, 0x44), y[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
    y[i + 2] = _mm256_shuffle_ps(b, d, 0x44), y[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
  }
  HONE_UNROLL
  for (int i = 0; i < 4; i++) {
    x[i] = _mm256_permute2f128_ps(y[i], y[i + 4], 0x20);
    x[i + 4] = _mm256_permute2f128_ps(y[i], y[i + 4], 0x31);
  }
}

#else /* plain C: four lanes of the compiler's vectors, which every target has */

#define VF_LANES 4
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vf_bits __attribute__((vector_size(16)));

HONE_INLINE vf vf_load(const float *p) {
  vf x;
  memcpy(&x, p, sizeof(x));
  return x;
}
HONE_INLINE vf vf_load_bytes(const unsigned char *p) {
  return (vf){p[0], p[1], p[2], p[3]};
}
HONE_INLINE void vf_store(float *p, vf x) {
  memcpy(p, &x, sizeof(x));
}
HONE_INLINE vf vf_load_n(const float *p, int n) {
  vf x = {0};
  for (int i = 0; i < n; i++) x[i] = p[i];
  return x;
}
HONE_INLINE void vf_store_n(float *p, vf x, int n) {
  for (int i = 0; i < n; i++) p[i] = x[i];
}
HONE_INLINE vf vf_keep_n(vf x, int n, vf rest) {
  for (int i = n; i < VF_LANES; i++) x[i] = rest[i];
  return x;
}
HONE_INLINE vf vf_set(float x) {
  return (vf){x, x, x, x};
}
HONE_INLINE vf vf_add(vf a, vf b) {
  return a + b;
}
HONE_INLINE vf vf_sub(vf a, vf b) {
  return a - b;
}
HONE_INLINE vf vf_mul(vf a, vf b) {
  return a * b;
}
HONE_INLINE vf vf_div(vf a, vf b) {
  return a / b;
}
HONE_INLINE vf vf_reciprocal(vf a) {
  return 1 / a;
}
HONE_INLINE vf vf_fma(vf a, vf b, vf c) {
  return a * b + c;
}
HONE_INLINE vf vf_fnma(vf a, vf b, vf c) {
  return c - a * b;
}
HONE_INLINE vf vf_select(vf_bits mask, vf x, vf y) {
  return (vf)((mask & (vf_bits)x) | (~mask & (vf_bits)y));
}
HONE_INLINE vf vf_max(vf a, vf b) {
  return vf_select(a > b, a, b);
}
HONE_INLINE vf vf_min(vf a, vf b) {
  return vf_select(a < b, a, b);
}
HONE_INLINE vf vf_less(vf a, vf b, vf x, vf y) {
  return vf_select(a < b, x, y);
}
HONE_INLINE vf vf_abs(vf a) {
  return (vf)((vf_bits)a & INT32_MAX);
}
HONE_INLINE vf vf_round(vf a) {
  for (int i = 0; i < VF_LANES; i++) a[i] = rintf(a[i]);
  return a;
}
HONE_INLINE vf vf_scale2(vf x, vf n) {
  for (int i = 0; i < VF_LANES; i++) {
    float limited = n[i] > 300 ? 300 : n[i] > -300 ? n[i] : -300;
    x[i] = ldexpf(x[i], (int)limited);
  }
  return x;
}
HONE_INLINE vf vf_scale2_near(vf x, vf n) {
  return vf_scale2(x, n);
}
HONE_INLINE vf vf_copysign(vf magnitude, vf sign) {
  return (vf)(((vf_bits)sign & INT32_MIN) | ((vf_bits)magnitude & INT32_MAX));
}
HONE_INLINE void vf_transpose(vf x[VF_LANES]) {
  for (int i = 0; i < VF_LANES; i++) {
    for (int j = 0; j < i; j++) {
      float moved = x[i][j];
      x[i][j] = x[j][i], x[j][i] = moved;
    }
  }
}
#endif

/* Lanes combined in a fixed tree: halves, quarters, and so on. */
#if defined(__AVX2__)
#define VF_ACROSS_EIGHT(name, combine)                                                     \
  HONE_INLINE float name(__m256 eight) {                                                   \
    __m128 four = combine(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1)); \
    four = combine(four, _mm_movehl_ps(four, four));                                       \
    return _mm_cvtss_f32(combine(four, _mm_movehdup_ps(four)));                            \
  }
VF_ACROSS_EIGHT(vf_sum_eight, _mm_add_ps)
VF_ACROSS_EIGHT(vf_largest_eight, _mm_max_ps)
#undef VF_ACROSS_EIGHT
#endif
/* vf_largest is of numbers: NaN may get lost. */
#if defined(__AVX512F__)
HONE_INLINE float vf_sum(vf x) {
  return vf_sum_eight(_mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1)));
}
HONE_INLINE float vf_largest(vf x) {
  return vf_largest_eight(_mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1)));
}
#elif defined(__AVX2__)
HONE_INLINE float vf_sum(vf x) {
  return vf_sum_eight(x);
}
HONE_INLINE float vf_largest(vf x) {
  return vf_largest_eight(x);
}
#else
HONE_INLINE float vf_sum(vf x) {
  return (x[0] + x[2]) + (x[1] + x[3]);
}
HONE_INLINE float vf_largest(vf x) {
  float a = x[0] > x[2] ? x[0] : x[2], b = x[1] > x[3] ? x[1] : x[3];
  return a > b ? a : b;
}
#endif
HONE_INLINE vf vf_clamp(vf x, vf low, vf high) {
  return vf_min(high, vf_max(low, x));
}

#endif
