/* The vector forms of rows for one instruction set: included by strips_*.c with STRIPS defined.
 * Room: backend/cpu/lines. */
#include "backend/cpu/simd/simd_bf16.h"
#include "backend/cpu/simd/simd_more.h"
#include "backend/cpu/lines/strips.h"
#include "ir/dtype.h"

/* Lanes from `n` on become 0. */
HONE_INLINE vf keep_first(vf x, int n) {
  return vf_keep_n(x, n, vf_set(0));
}

/* Two chains of additions, so that one does not wait for the other. */
#define SUM(name, term)                                                                 \
  HONE_INLINE vf term_##name(vf x, vf shift) {                                          \
    (void)shift;                                                                        \
    return term;                                                                        \
  }                                                                                     \
  static double strip_##name(const float *p, size_t count, float by) {                  \
    const vf shift = vf_set(by);                                                        \
    double total = 0;                                                                   \
    for (size_t begin = 0; begin < count; begin += HONE_STRIP_BLOCK) {                  \
      size_t end = count - begin < HONE_STRIP_BLOCK ? count : begin + HONE_STRIP_BLOCK; \
      size_t i = begin;                                                                 \
      vf a = vf_set(0), b = vf_set(0);                                                  \
      for (; i + 2 * VF_LANES <= end; i += 2 * VF_LANES) {                              \
        a = vf_add(a, term_##name(vf_load(p + i), shift));                              \
        b = vf_add(b, term_##name(vf_load(p + i + VF_LANES), shift));                   \
      }                                                                                 \
      for (int n; i < end; i += (size_t)n) {                                            \
        n = end - i < VF_LANES ? (int)(end - i) : VF_LANES;                             \
        a = vf_add(a, keep_first(term_##name(vf_load_n(p + i, n), shift), n));          \
      }                                                                                 \
      total += (double)vf_sum(vf_add(a, b));                                            \
    }                                                                                   \
    return total;                                                                       \
  }
HONE_STRIP_SUMS(SUM)
#undef SUM

/* Neighbouring groups of 8, 4, 2 or 1 lanes change places. */
#if VF_LANES == 16
#define vf_swap8(x) __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)
#define vf_swap4(x) __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11)
#define vf_swap2(x) __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)
#define vf_swap1(x) __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14)
#elif VF_LANES == 8
#define vf_swap8(x) (x)
#define vf_swap4(x) __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3)
#define vf_swap2(x) __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5)
#define vf_swap1(x) __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6)
#else
#define vf_swap8(x) (x)
#define vf_swap4(x) (x)
#define vf_swap2(x) __builtin_shufflevector(x, x, 2, 3, 0, 1)
#define vf_swap1(x) __builtin_shufflevector(x, x, 1, 0, 3, 2)
#endif

/* The last vector takes some in twice, which changes nothing. Two chains, and a third that keeps a
 * NaN: the extremes of two are the second where either is none. */
#define EXTREME(name, start, choose)                                 \
  static float strip_##name(const float *p, size_t count) {          \
    vf best = vf_set(start), other = best, odd = vf_set(0), x = odd; \
    const int few = count < VF_LANES ? (int)count : 0;               \
    size_t i = 0;                                                    \
    if (count >= VF_LANES) x = best = vf_load(p + count - VF_LANES); \
    if (few) x = best = vf_keep_n(vf_load_n(p, few), few, best);     \
    odd = vf_equal(x, x, odd, x);                                    \
    for (; i + 2 * VF_LANES < count; i += 2 * VF_LANES) {            \
      vf y = vf_load(p + i + VF_LANES);                              \
      x = vf_load(p + i);                                            \
      best = choose(best, x);                                        \
      other = choose(other, y);                                      \
      odd = vf_equal(x, x, odd, x);                                  \
      odd = vf_equal(y, y, odd, y);                                  \
    }                                                                \
    for (; i + VF_LANES < count; i += VF_LANES) {                    \
      x = vf_load(p + i);                                            \
      best = choose(best, x);                                        \
      odd = vf_equal(x, x, odd, x);                                  \
    }                                                                \
    float sum = vf_sum(odd);                                         \
    best = choose(best, other);                                      \
    best = choose(best, vf_swap8(best));                             \
    best = choose(best, vf_swap4(best));                             \
    best = choose(best, vf_swap2(best));                             \
    return sum == sum ? choose(best, vf_swap1(best))[0] : sum;       \
  }
EXTREME(max, -INFINITY, vf_max)
EXTREME(min, INFINITY, vf_min)
#undef EXTREME

#define FIND(name, test)                                                                         \
  static size_t strip_##name(const float *p, size_t begin, size_t end, float by) {               \
    const vf limit = vf_set(by);                                                                 \
    size_t i = begin;                                                                            \
    for (; i + 2 * VF_LANES <= end; i += 2 * VF_LANES) {                                         \
      unsigned low = test(vf_load(p + i), limit), high = test(vf_load(p + i + VF_LANES), limit); \
      if (low | high) return i + (size_t)__builtin_ctz(low | high << VF_LANES);                  \
    }                                                                                            \
    for (; i < end; i += VF_LANES) {                                                             \
      int n = end - i < VF_LANES ? (int)(end - i) : VF_LANES;                                    \
      unsigned some = test(vf_load_n(p + i, n), limit) & ((1u << n) - 1);                        \
      if (some) return i + (size_t)__builtin_ctz(some);                                          \
    }                                                                                            \
    return end;                                                                                  \
  }
FIND(find_above, vf_lanes_above)
FIND(find_below, vf_lanes_below)
#undef FIND

static double strip_exponentials(const float *p, size_t count, float by, float *out) {
  const vf shift = vf_set(by);
  double total = 0;
  for (size_t begin = 0; begin < count; begin += HONE_STRIP_BLOCK) {
    size_t end = count - begin < HONE_STRIP_BLOCK ? count : begin + HONE_STRIP_BLOCK;
    vf sum = vf_set(0);
    size_t i = begin;
    for (; i + VF_LANES <= end; i += VF_LANES) {
      vf e = vf_exp(vf_sub(vf_load(p + i), shift));
      vf_store(out + i, e);
      sum = vf_add(sum, e);
    }
    int n = (int)(end - i);
    if (n > 0) {
      vf e = vf_exp(vf_sub(vf_load_n(p + i, n), shift));
      vf_store_n(out + i, e, n);
      sum = vf_add(sum, keep_first(e, n));
    }
    total += (double)vf_sum(sum);
  }
  return total;
}

HONE_INLINE vf normalised(vf x, vf shift, vf factor) {
  return vf_mul(vf_sub(x, shift), factor);
}

static void strip_normalise(const float *p, size_t count, float by, float times, const float *scale,
                            const float *bias, float *out) {
  const vf shift = vf_set(by), factor = vf_set(times);
  for (size_t i = 0; i < count; i += VF_LANES) {
    int n = count - i < VF_LANES ? (int)(count - i) : VF_LANES;
    bool whole = n == VF_LANES;
    vf y = normalised(whole ? vf_load(p + i) : vf_load_n(p + i, n), shift, factor);
    if (scale) y = vf_mul(y, whole ? vf_load(scale + i) : vf_load_n(scale + i, n));
    if (bias) y = vf_add(y, whole ? vf_load(bias + i) : vf_load_n(bias + i, n));
    if (whole)
      vf_store(out + i, y);
    else
      vf_store_n(out + i, y, n);
  }
}

static void strip_less(const float *p, size_t count, float first, float second, float *out) {
  const vf a = vf_set(first), b = vf_set(second);
  size_t i = 0;
  for (; i + VF_LANES <= count; i += VF_LANES)
    vf_store(out + i, vf_sub(vf_sub(vf_load(p + i), a), b));
  const int rest = (int)(count - i);
  if (rest) vf_store_n(out + i, vf_sub(vf_sub(vf_load_n(p + i, rest), a), b), rest);
}

#define OVER_ROWS(start, step, finish)                                         \
  for (size_t i = 0; i < count; i += VF_LANES) {                               \
    int n = count - i < VF_LANES ? (int)(count - i) : VF_LANES;                \
    vf y = start;                                                              \
    for (size_t k = 0; k < row_count; k++) {                                   \
      vf x = n == VF_LANES ? vf_load(rows[k] + i) : vf_load_n(rows[k] + i, n); \
      y = step;                                                                \
    }                                                                          \
    if (n == VF_LANES)                                                         \
      vf_store(out + i, finish);                                               \
    else                                                                       \
      vf_store_n(out + i, finish, n);                                          \
  }

static void strip_max_rows(const float *const *rows, size_t row_count, size_t count, float *out) {
  OVER_ROWS(vf_set(-INFINITY), vf_keep_nan(y, vf_max(y, x)), y)
}
static void strip_max_rows_bf16(const void *const *rows, size_t row_count, size_t count,
                                uint16_t *out) {
  for (size_t i = 0; i < count; i += VF_LANES) {
    int n = count - i < VF_LANES ? (int)(count - i) : VF_LANES;
    vf y = vf_set(-INFINITY);
    for (size_t k = 0; k < row_count; k++) {
      const uint16_t *row = (const uint16_t *)rows[k] + i;
      vf x = n == VF_LANES ? vf_load_bf16(row) : vf_load_bf16_n(row, n);
      y = vf_keep_nan(y, vf_max(y, x));
    }
    vf_store_bf16_n(out + i, y, n);
  }
}
static void strip_sum_rows(const float *const *rows, size_t row_count, size_t count, float factor,
                           float *out) {
  OVER_ROWS(vf_set(0), vf_add(y, x), vf_mul(y, vf_set(factor)))
}
static void strip_blend_rows(const float *const *rows, const float *weights, size_t row_count,
                             size_t count, float *out) {
  OVER_ROWS(vf_set(0), vf_fma(x, vf_set(weights[k]), y), y)
}

static void strip_turn(const float *a, const float *b, const float *cosine, const float *sine,
                       size_t count, float *p, float *q) {
  for (size_t i = 0; i < count; i += VF_LANES) {
    int n = count - i < VF_LANES ? (int)(count - i) : VF_LANES;
    vf x = vf_load_n(a + i, n), y = vf_load_n(b + i, n);
    vf c = vf_load_n(cosine + i, n), s = vf_load_n(sine + i, n);
    vf_store_n(p + i, vf_fnma(y, s, vf_mul(x, c)), n);
    vf_store_n(q + i, vf_fma(x, s, vf_mul(y, c)), n);
  }
}

/* The last step of quantising: the quotient to a whole number. */
HONE_INLINE vf quantized(vf quotient, vf zero, vf least, vf most) {
  vf sum = vf_add(vf_round(quotient), zero);
  return vf_equal(quotient, quotient, vf_clamp(sum, least, most), vf_set(0));
}

static void strip_quantize(const float *x, const float *scale, const float *zero, float least,
                           float most, size_t count, float *out) {
  for (size_t i = 0; i < count; i += VF_LANES) {
    int n = count - i < VF_LANES ? (int)(count - i) : VF_LANES;
    bool whole = n == VF_LANES;
    vf q = whole ? vf_load(x + i) : vf_load_n(x + i, n);
    if (scale) q = vf_div(q, whole ? vf_load(scale + i) : vf_load_n(scale + i, n));
    vf z = whole ? vf_load(zero + i) : vf_load_n(zero + i, n);
    vf y = quantized(q, z, vf_set(least), vf_set(most));
    if (whole)
      vf_store(out + i, y);
    else
      vf_store_n(out + i, y, n);
  }
}

/* x / s for s of no extreme size, `inverse` being 1 / s rounded: two steps with exact remainders make
 * the product the rounded quotient (Markstein, Computation of Elementary Functions on the IBM RISC
 * System/6000, 1990). Those that underflow may differ; they are 0 as whole numbers. */
HONE_INLINE vf quotient_of(vf x, vf s, vf inverse) {
  vf near = vf_mul(x, inverse), q = vf_fma(vf_fnma(near, s, x), inverse, near);
  q = vf_fma(vf_fnma(q, s, x), inverse, q);
  return vf_less(vf_abs(near), vf_set(1e30f), q, near);
}

static void strip_quantize_bytes(const float *x, float scale, float zero, float least, float most,
                                 size_t count, uint8_t *out) {
  const vf s = vf_set(scale), z = vf_set(zero), low = vf_set(least), high = vf_set(most);
  size_t i = 0;
#if defined(__FMA__) /* without, remainders are not exact */
  const vf inverse = vf_set(1 / scale);
  const bool moderate = fabsf(scale) > 0x1p-60f && fabsf(scale) < 0x1p60f;
  for (; moderate && i + VF_LANES <= count; i += VF_LANES)
    vf_store_bytes(out + i, quantized(quotient_of(vf_load(x + i), s, inverse), z, low, high));
#endif
  for (; i + VF_LANES <= count; i += VF_LANES)
    vf_store_bytes(out + i, quantized(vf_div(vf_load(x + i), s), z, low, high));
  int n = (int)(count - i);
  if (n) vf_store_bytes_n(out + i, quantized(vf_div(vf_load_n(x + i, n), s), z, low, high), n);
}

/* Loops of a constant length become vectors. Of nothing: the lowest value. */
#define MAX_ROWS(name, type, lowest)                                                              \
  static void strip_max_rows_##name(const void *const *rows, size_t row_count, size_t count,      \
                                    type *out) {                                                  \
    for (size_t i = 0, n; i < count; i += n) {                                                    \
      type most[HONE_STRIP_BYTES], row[HONE_STRIP_BYTES] = {0};                                   \
      n = count - i < HONE_STRIP_BYTES ? count - i : HONE_STRIP_BYTES;                            \
      for (int j = 0; j < HONE_STRIP_BYTES; j++) most[j] = lowest;                                \
      for (size_t k = 0; k < row_count; k++) {                                                    \
        memcpy(row, (const type *)rows[k] + i, n == HONE_STRIP_BYTES ? HONE_STRIP_BYTES : n);     \
        for (int j = 0; j < HONE_STRIP_BYTES; j++) most[j] = row[j] > most[j] ? row[j] : most[j]; \
      }                                                                                           \
      memcpy(out + i, most, n);                                                                   \
    }                                                                                             \
  }
MAX_ROWS(u8, uint8_t, 0)
MAX_ROWS(s8, int8_t, INT8_MIN)
#undef MAX_ROWS

HONE_INLINE void copy_few(const uint8_t *x, size_t count, uint8_t *to) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) memcpy(to + i, x + i, 16);
  for (; i < count; i++) to[i] = x[i];
}

/* 16 bits hold the sum of 256 bytes. */
static void strip_sum_rows_u8(const uint8_t *x, size_t stride, size_t row_count, size_t count,
                              uint8_t flip, uint32_t *total) {
  for (size_t j = 0; j < HONE_STRIP_BYTES && j < count; j++) total[j] = 0;
  for (size_t k = 0; k < row_count;) {
    uint16_t sum[HONE_STRIP_BYTES] = {0};
    uint8_t row[HONE_STRIP_BYTES] = {0};
    for (size_t end = row_count - k < 256 ? row_count : k + 256; k < end; k++) {
      if (count == HONE_STRIP_BYTES)
        memcpy(row, x + k * stride, HONE_STRIP_BYTES);
      else
        copy_few(x + k * stride, count, row);
      for (int j = 0; j < HONE_STRIP_BYTES; j++) sum[j] = (uint16_t)(sum[j] + (row[j] ^ flip));
    }
    for (size_t j = 0; j < HONE_STRIP_BYTES && j < count; j++) total[j] += sum[j];
  }
}

#define FROM_BYTES(name, type, widen)                            \
  static void strip_##name(const type *x, size_t count, float *out) { \
    size_t i = 0;                                                     \
    FROM_EIGHT(widen)                                                 \
    for (; i < count; i++) out[i] = (float)x[i];                        \
  }
#if defined(__AVX2__)
#define FROM_EIGHT(widen)        \
  for (; i + 8 <= count; i += 8) \
    _mm256_storeu_ps(out + i, _mm256_cvtepi32_ps(widen(_mm_loadl_epi64((const __m128i *)(x + i)))));
#else
#define FROM_EIGHT(widen)
#endif
FROM_BYTES(from_u8, uint8_t, _mm256_cvtepu8_epi32)
FROM_BYTES(from_s8, int8_t, _mm256_cvtepi8_epi32)
#undef FROM_BYTES
#undef FROM_EIGHT

static void strip_to_byte(const float *x, size_t count, uint8_t *out) {
  size_t i = 0;
  for (; i + VF_LANES <= count; i += VF_LANES) vf_store_bytes(out + i, vf_load(x + i));
  int n = (int)(count - i);
  if (n) vf_store_bytes_n(out + i, vf_load_n(x + i, n), n);
}

static void strip_from_f16(const uint16_t *x, size_t count, float *out) {
  size_t i = 0;
#if defined(__F16C__)
  for (; i + 8 <= count; i += 8)
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(x + i))));
#endif
  for (; i < count; i++) out[i] = hone_f16_to_f32(x[i]);
}
static void strip_to_f16(const float *x, size_t count, uint16_t *out) {
  size_t i = 0;
#if defined(__F16C__)
  for (; i + 8 <= count; i += 8)
    _mm_storeu_si128((__m128i *)(out + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), 0));
#endif
  for (; i < count; i++) out[i] = hone_f32_to_f16(x[i]);
}

const hone_strips STRIPS = {
#define MEMBER(name, term) .name = strip_##name,
    HONE_STRIP_SUMS(MEMBER)
#undef MEMBER
        .find_above = strip_find_above,
    .find_below = strip_find_below,
    .max = strip_max,
    .min = strip_min,
    .exponentials = strip_exponentials,
    .normalise = strip_normalise,
    .less = strip_less,
    .max_rows = strip_max_rows,
    .max_rows_bf16 = strip_max_rows_bf16,
    .max_rows_u8 = strip_max_rows_u8,
    .max_rows_s8 = strip_max_rows_s8,
    .sum_rows_u8 = strip_sum_rows_u8,
    .sum_rows = strip_sum_rows,
    .blend_rows = strip_blend_rows,
    .turn = strip_turn,
    .quantize = strip_quantize,
    .quantize_bytes = strip_quantize_bytes,
    .from_u8 = strip_from_u8,
    .from_s8 = strip_from_s8,
    .to_byte = strip_to_byte,
    .from_f16 = strip_from_f16,
    .to_f16 = strip_to_f16,
};
