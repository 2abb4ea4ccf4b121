/* Bytes through a table that lives in four registers: two permutations of 128 entries each, of which the
 * highest bit of a byte takes one. Room: backend/cpu/lines. */
#include <immintrin.h>

#include "backend/cpu/lines/lookup.h"
#include "backend/cpu/simd/isa.h"

typedef struct quarters {
  __m512i part[4];
} quarters;

HONE_INLINE __m512i entries(const quarters *t, __m512i x) {
  __m512i low = _mm512_permutex2var_epi8(t->part[0], x, t->part[1]);
  __m512i high = _mm512_permutex2var_epi8(t->part[2], x, t->part[3]);
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
}

void hone_lookup_avx512vbmi(const uint8_t *table, uint8_t *x, ptrdiff_t stride, size_t rows,
                            size_t columns) {
  quarters t;
  size_t rest = columns % 64;
  __mmask64 left = ((__mmask64)1 << rest) - 1;
  for (int i = 0; i < 4; i++) t.part[i] = _mm512_loadu_si512(table + i * 64);
  for (size_t i = 0; i < rows; i++, x += stride) {
    size_t j = 0;
    for (; j + 64 <= columns; j += 64)
      _mm512_storeu_si512(x + j, entries(&t, _mm512_loadu_si512(x + j)));
    if (rest) _mm512_mask_storeu_epi8(x + j, left, entries(&t, _mm512_maskz_loadu_epi8(left, x + j)));
  }
}
