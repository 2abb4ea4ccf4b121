/* Choosing the vector forms of doubles and integers. Room: backend/cpu/lines. */
#include "backend/cpu/lines/wide.h"

const hone_wide *hone_wide_here(void) {
#if defined(__x86_64__)
  if (hone_isa_runs(HONE_ISA_AVX512)) return &hone_wide_avx512;
  if (hone_isa_runs(HONE_ISA_AVX2)) return &hone_wide_avx2;
#endif
  return &hone_wide_plain;
}
