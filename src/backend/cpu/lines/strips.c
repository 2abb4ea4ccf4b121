/* Choosing the vector forms of rows. Room: backend/cpu/lines. */
#include "backend/cpu/lines/strips.h"

const hone_strips *hone_strips_here(void) {
#if defined(__x86_64__)
  if (hone_isa_runs(HONE_ISA_AVX512)) return &hone_strips_avx512;
  if (hone_isa_runs(HONE_ISA_AVX2)) return &hone_strips_avx2;
#endif
  return &hone_strips_plain;
}
