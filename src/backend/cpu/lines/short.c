/* The choice of the set of short lines. Room: backend/cpu/lines. */
#include "backend/cpu/lines/short.h"

const hone_short *hone_short_here(void) {
#if defined(__x86_64__)
  if (hone_isa_runs(HONE_ISA_AVX512)) return &hone_short_avx512;
  if (hone_isa_runs(HONE_ISA_AVX2)) return &hone_short_avx2;
#endif
  return &hone_short_plain;
}
