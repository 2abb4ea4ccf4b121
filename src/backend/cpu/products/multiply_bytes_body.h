/* Panels and tiles of 16-bit pairs for one instruction set: included by multiply_bytes_*.c with
 * BYTES_SET defined. Room: backend/cpu/products. */
#include <string.h>

#include "backend/cpu/products/multiply_bytes.h"

#if defined(__AVX512BW__)
#include <immintrin.h>
#define VECTORS        4
#define MULTIPLY(a, b) ((sums)_mm512_madd_epi16((__m512i)(a), (__m512i)(b)))
typedef int32_t sums __attribute__((vector_size(64)));
#elif defined(__AVX2__)
#include <immintrin.h>
#define VECTORS        2
#define MULTIPLY(a, b) ((sums)_mm256_madd_epi16((__m256i)(a), (__m256i)(b)))
typedef int32_t sums __attribute__((vector_size(32)));
#else
#define VECTORS        2
typedef int32_t sums __attribute__((vector_size(16)));
/* The lower and the upper halves of each lane. */
#define MULTIPLY(a, b) (((a) << 16 >> 16) * ((b) << 16 >> 16) + ((a) >> 16) * ((b) >> 16))
#endif

enum { WIDTH = VECTORS * sizeof(sums) / sizeof(int32_t) };

HONE_INLINE sums load_sums(const void *p) {
  sums x;
  memcpy(&x, p, sizeof x);
  return x;
}
HONE_INLINE void store_sums(void *p, sums x) {
  memcpy(p, &x, sizeof x);
}

/* `zero` has two numbers a column. */
HONE_INLINE void pack_pair(const uint8_t *low, const uint8_t *high, const bool is_signed,
                           const int16_t *zero, int16_t *to) {
#if defined(__AVX512BW__)
  for (int j = 0; j < WIDTH; j += 16) {
    __m128i x = _mm_loadu_si128((const __m128i *)(low + j));
    __m128i y = _mm_loadu_si128((const __m128i *)(high + j));
    __m256i pairs = _mm256_set_m128i(_mm_unpackhi_epi8(x, y), _mm_unpacklo_epi8(x, y));
    __m512i wide = is_signed ? _mm512_cvtepi8_epi16(pairs) : _mm512_cvtepu8_epi16(pairs);
    _mm512_storeu_si512(to + 2 * j, _mm512_sub_epi16(wide, _mm512_loadu_si512(zero + 2 * j)));
  }
#elif defined(__AVX2__)
  for (int j = 0; j < WIDTH; j += 8) {
    __m128i x = _mm_loadl_epi64((const __m128i *)(low + j));
    __m128i pairs = _mm_unpacklo_epi8(x, _mm_loadl_epi64((const __m128i *)(high + j)));
    __m256i wide = is_signed ? _mm256_cvtepi8_epi16(pairs) : _mm256_cvtepu8_epi16(pairs);
    wide = _mm256_sub_epi16(wide, _mm256_loadu_si256((const __m256i *)(zero + 2 * j)));
    _mm256_storeu_si256((__m256i *)(to + 2 * j), wide);
  }
#else
  for (int j = 0; j < WIDTH; j++) {
    int first = is_signed ? (int8_t)low[j] : low[j], second = is_signed ? (int8_t)high[j] : high[j];
    to[2 * j] = (int16_t)(first - zero[2 * j]);
    to[2 * j + 1] = (int16_t)(second - zero[2 * j]);
  }
#endif
}

HONE_INLINE void pack_all(const uint8_t *b, size_t step, const bool is_signed, const int16_t *zero,
                          size_t depth, size_t columns, int16_t *panel) {
  size_t k = 0;
  uint8_t low[WIDTH] = {0}, high[WIDTH] = {0};
  int16_t zeros[2 * WIDTH];
  for (int j = 0; j < 2 * WIDTH; j++) zeros[j] = zero[j / 2];
  for (; k + 2 <= depth; k += 2, b += 2 * step, panel += 2 * WIDTH) {
    if (columns == WIDTH) {
      pack_pair(b, b + step, is_signed, zeros, panel);
      continue;
    }
    memcpy(low, b, columns);
    memcpy(high, b + step, columns);
    pack_pair(low, high, is_signed, zeros, panel);
  }
  if (k == depth) return;
  memcpy(low, b, columns);
  pack_pair(low, low, is_signed, zeros, panel);
  for (int j = 0; j < WIDTH; j++) panel[2 * j + 1] = 0;
}

static void pack(const uint8_t *b, size_t step, bool is_signed, const int16_t *zero, size_t depth,
                 size_t columns, int16_t *panel) {
  if (is_signed)
    pack_all(b, step, true, zero, depth, columns, panel);
  else
    pack_all(b, step, false, zero, depth, columns, panel);
}

static void tile(const int16_t *const a[HONE_BYTES_ROWS], const int16_t *panel, size_t pairs,
                 int32_t *out) {
  sums sum[HONE_BYTES_ROWS][VECTORS];
  HONE_UNROLL
  for (int i = 0; i < HONE_BYTES_ROWS; i++) {
    HONE_UNROLL
    for (int v = 0; v < VECTORS; v++) sum[i][v] = (sums){0};
  }
  HONE_NO_UNROLL
  for (size_t k = 0; k < pairs; k++, panel += 2 * WIDTH) {
    sums b[VECTORS];
    HONE_UNROLL
    for (int v = 0; v < VECTORS; v++)
      b[v] = load_sums(panel + (size_t)v * sizeof(sums) / sizeof *panel);
    HONE_UNROLL
    for (int i = 0; i < HONE_BYTES_ROWS; i++) {
      int32_t pair;
      memcpy(&pair, a[i] + 2 * k, sizeof pair);
      const sums both = (sums){0} + pair;
      HONE_UNROLL
      for (int v = 0; v < VECTORS; v++) sum[i][v] += MULTIPLY(both, b[v]);
    }
  }
  HONE_UNROLL
  for (int i = 0; i < HONE_BYTES_ROWS; i++) {
    HONE_UNROLL
    for (int v = 0; v < VECTORS; v++, out += WIDTH / VECTORS) store_sums(out, sum[i][v]);
  }
}

const hone_bytes_set BYTES_SET = {.width = WIDTH, .pack = pack, .tile = tile};
