/* Asks the processor which instruction sets it runs. Room: backend/cpu. */
#include "backend/cpu/isa.h"

#if defined(__x86_64__)
bool hone_isa_runs(hone_isa isa) {
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
              __builtin_cpu_supports("f16c");
  bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  switch (isa) {
    case HONE_ISA_PLAIN:
      return true;
    case HONE_ISA_AVX2:
      return avx2;
    case HONE_ISA_AVX512:
      return avx512;
    case HONE_ISA_AVX512VNNI:
      return avx512 && __builtin_cpu_supports("avx512vnni");
    case HONE_ISA_AVX512BF16:
      return avx512 && __builtin_cpu_supports("avx512bf16");
  }
  return false;
}
#else
bool hone_isa_runs(hone_isa isa) {
  return isa == HONE_ISA_PLAIN;
}
#endif
