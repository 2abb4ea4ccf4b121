/* Bytes through a table in sixteen blocks of sixteen. Room: backend/cpu/lines.
 *
 * A shuffle looks up the low four bits of a byte, or gives 0 where its highest bit is set. Each block
 * of a half is what it differs in from the one before (lookup.h): of a byte from which 16 is taken
 * away block by block, the shuffles up to its own block add up (xor) to its entry, and from there on
 * it is negative and gives 0. Subtraction saturates, so that the other half's bytes stay negative. */
#include <immintrin.h>
#include <string.h>

#include "backend/cpu/lines/lookup.h"
#include "backend/cpu/simd/isa.h"

enum { BLOCK = 16, HALF = HONE_BYTE_TABLE / 2, LANES = 32 };

HONE_INLINE __m256i block_at(const uint8_t *table) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)table));
}

HONE_INLINE __m256i entries(const uint8_t *table, __m256i x) {
  const __m256i sixteen = _mm256_set1_epi8(BLOCK);
  __m256i high = _mm256_xor_si256(x, _mm256_set1_epi8((char)0x80)), out = _mm256_setzero_si256();
  HONE_UNROLL
  for (int i = 0; i < HALF; i += BLOCK) {
    out = _mm256_xor_si256(out, _mm256_shuffle_epi8(block_at(table + i), x));
    out = _mm256_xor_si256(out, _mm256_shuffle_epi8(block_at(table + HALF + i), high));
    x = _mm256_subs_epi8(x, sixteen), high = _mm256_subs_epi8(high, sixteen);
  }
  return out;
}

HONE_INLINE void look_up_two(const uint8_t *table, uint8_t *a, uint8_t *b) {
  __m256i x = _mm256_set_m128i(_mm_loadu_si128((const void *)b), _mm_loadu_si128((const void *)a));
  x = entries(table, x);
  _mm_storeu_si128((void *)a, _mm256_castsi256_si128(x));
  _mm_storeu_si128((void *)b, _mm256_extracti128_si256(x, 1));
}

/* Columns left after whole vectors: two rows of a vector's half at once, anything else by a copy. */
static void look_up_rest(const uint8_t *table, uint8_t *x, ptrdiff_t stride, size_t rows,
                         size_t columns) {
  for (; columns == BLOCK && rows >= 2; rows -= 2, x += 2 * stride)
    look_up_two(table, x, x + stride);
  for (; rows; rows--, x += stride) {
    uint8_t copy[LANES] = {0};
    memcpy(copy, x, columns);
    look_up_two(table, copy, copy + BLOCK);
    memcpy(x, copy, columns);
  }
}

void hone_lookup_avx2(const uint8_t *table, uint8_t *x, ptrdiff_t stride, size_t rows,
                      size_t columns) {
  size_t whole = columns / LANES * LANES;
  for (size_t i = 0; i < rows; i++) {
    uint8_t *row = x + (ptrdiff_t)i * stride;
    for (size_t j = 0; j < whole; j += LANES)
      _mm256_storeu_si256((void *)(row + j),
                          entries(table, _mm256_loadu_si256((const void *)(row + j))));
  }
  if (whole < columns) look_up_rest(table, x + whole, stride, rows, columns - whole);
}
