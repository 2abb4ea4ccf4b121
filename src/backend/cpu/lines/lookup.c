/* Bytes through a table, one by one, and which form runs here. Room: backend/cpu/lines. */
#include "backend/cpu/lines/lookup.h"

#include "backend/cpu/simd/isa.h"

void hone_lookup_plain(const uint8_t *table, uint8_t *x, ptrdiff_t stride, size_t rows,
                       size_t columns) {
  for (size_t i = 0; i < rows; i++, x += stride)
    for (size_t j = 0; j < columns; j++) x[j] = table[x[j]];
}

#if defined(__x86_64__)
static void keep_differences(uint8_t *table) {
  enum { HALF = HONE_BYTE_TABLE / 2, BLOCK = 16 };
  for (int i = HALF - 1; i >= BLOCK; i--)
    table[i] ^= table[i - BLOCK], table[HALF + i] ^= table[HALF + i - BLOCK];
}
#endif

/* VBMI came with the second processors that had VNNI; it has no bit of its own. */
hone_lookup_function *hone_lookup_here(uint8_t table[HONE_BYTE_TABLE]) {
#if defined(__x86_64__)
  if (hone_isa_runs(HONE_ISA_AVX512 | HONE_ISA_VNNI) && __builtin_cpu_supports("avx512vbmi"))
    return hone_lookup_avx512vbmi;
  if (hone_isa_runs(HONE_ISA_AVX2)) {
    keep_differences(table);
    return hone_lookup_avx2;
  }
#endif
  (void)table;
  return hone_lookup_plain;
}
