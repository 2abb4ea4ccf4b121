/* One vector of doubles, or of integers of 64 bits, as simd.h has one of floats. Room:
 * backend/cpu/simd. */
#ifndef HONE_BACKEND_CPU_SIMD_SIMD_F64_H
#define HONE_BACKEND_CPU_SIMD_SIMD_F64_H

#include <stdbool.h>

#include "backend/cpu/simd/simd.h"

typedef double vd __attribute__((vector_size(sizeof(vf))));
typedef int64_t vd_bits __attribute__((vector_size(sizeof(vf)))); /* what comparing vd gives */
enum { VD_LANES = sizeof(vd) / sizeof(double) };
typedef float few_floats __attribute__((vector_size(VD_LANES * sizeof(float))));
typedef int32_t few_places __attribute__((vector_size(VD_LANES * sizeof(int32_t))));

HONE_INLINE vd vd_load(const double *p) {
  vd x;
  memcpy(&x, p, sizeof x);
  return x;
}
HONE_INLINE vd vd_set(double x) {
  vd y;
  for (int i = 0; i < VD_LANES; i++) y[i] = x;
  return y;
}
/* The extreme of both, t where either is NaN; x where it is NaN, else y. */
#if defined(__AVX512F__)
#define vd_max(x, t)    _mm512_max_pd(x, t)
#define vd_min(x, t)    _mm512_min_pd(x, t)
#define vd_nan_or(x, y) _mm512_mask_mov_pd(y, _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q), x)
#elif defined(__AVX2__)
#define vd_max(x, t)    _mm256_max_pd(x, t)
#define vd_min(x, t)    _mm256_min_pd(x, t)
#define vd_nan_or(x, y) _mm256_blendv_pd(y, x, _mm256_cmp_pd(x, x, _CMP_UNORD_Q))
#else
HONE_INLINE vd vd_pick(vd_bits which, vd a, vd b) {
  return (vd)(((vd_bits)a & which) | ((vd_bits)b & ~which));
}
#define vd_max(x, t)    vd_pick(x > t, x, t)
#define vd_min(x, t)    vd_pick(x < t, x, t)
#define vd_nan_or(x, y) vd_pick(x != x, x, y)
#endif
HONE_INLINE vd vd_abs(vd x) {
  return (vd)((vd_bits)x & INT64_MAX);
}

/* The first `count` < VD_LANES numbers, and `fill`. */
HONE_INLINE vd vd_load_first(const double *p, size_t count, double fill) {
  vd x = vd_set(fill);
#if defined(__AVX512F__)
  x = _mm512_mask_loadu_pd(x, (__mmask8)((1u << count) - 1), p);
#elif defined(__AVX2__)
  const int64_t n = (int64_t)count;
  const vd_bits which = (vd_bits){0, 1, 2, 3} < (vd_bits){n, n, n, n};
  x = _mm256_blendv_pd(x, _mm256_maskload_pd(p, (__m256i)which), (__m256d)which);
#else
  if (count) x[0] = p[0];
#endif
  return x;
}
/* Numbers `step` apart. */
HONE_INLINE vd vd_load_step(const double *p, size_t step) {
#if defined(__AVX512F__)
  return (vd){p[0],        p[step],     p[2 * step], p[3 * step],
              p[4 * step], p[5 * step], p[6 * step], p[7 * step]};
#elif defined(__AVX2__)
  return (vd){p[0], p[step], p[2 * step], p[3 * step]};
#else
  return (vd){p[0], p[step]};
#endif
}
/* Neighbouring groups of 4, 2 or 1 lanes change places. */
#if defined(__AVX512F__)
#define vd_swap4(x) __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3)
#define vd_swap2(x) __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5)
#define vd_swap1(x) __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6)
#elif defined(__AVX2__)
#define vd_swap4(x) (x)
#define vd_swap2(x) __builtin_shufflevector(x, x, 2, 3, 0, 1)
#define vd_swap1(x) __builtin_shufflevector(x, x, 1, 0, 3, 2)
#else
#define vd_swap4(x) (x)
#define vd_swap2(x) (x)
#define vd_swap1(x) __builtin_shufflevector(x, x, 1, 0)
#endif
/* The greater of signed integers. */
HONE_INLINE vd_bits vd_bits_max(vd_bits a, vd_bits b) {
#if defined(__AVX512F__)
  return (vd_bits)_mm512_max_epi64((__m512i)a, (__m512i)b);
#else
  vd_bits above = a > b;
  return (a & above) | (b & ~above);
#endif
}
/* Whether any bit is set. */
HONE_INLINE bool vd_any(vd_bits which) {
#if defined(__AVX512F__)
  return _mm512_test_epi64_mask((__m512i)which, (__m512i)which);
#elif defined(__AVX2__)
  return !_mm256_testz_si256((__m256i)which, (__m256i)which);
#else
  return which[0] | which[1];
#endif
}

#endif
