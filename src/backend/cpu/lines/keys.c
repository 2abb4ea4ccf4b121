/* The choice of the set of keys. Room: backend/cpu/lines. */
#include "backend/cpu/lines/keys.h"

const hone_keys *hone_keys_here(void) {
#if defined(__x86_64__)
  if (hone_isa_runs(HONE_ISA_AVX512)) return &hone_keys_avx512;
  if (hone_isa_runs(HONE_ISA_AVX2)) return &hone_keys_avx2;
#endif
  return &hone_keys_plain;
}
