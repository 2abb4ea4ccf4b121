/* Instruction sets that kernels are compiled for, and loop unrolling. Room: backend/cpu. */
#ifndef HONE_BACKEND_CPU_ISA_H
#define HONE_BACKEND_CPU_ISA_H

#include <stdbool.h>

/* In rising order of preference: a processor that runs one also runs those before it. */
typedef enum hone_isa {
  HONE_ISA_PLAIN,  /* portable C */
  HONE_ISA_AVX2,   /* x86-64-v3: AVX2, FMA, F16C */
  HONE_ISA_AVX512, /* F, BW, DQ, VL */
  HONE_ISA_AVX512VNNI,
  HONE_ISA_AVX512BF16,
} hone_isa;

/* Whether this processor runs code compiled for `isa`. */
bool hone_isa_runs(hone_isa isa);

/* Before a loop with a constant count: unrolls it fully, so that arrays indexed by it can live in
 * registers. Before any other: keeps the compiler from unrolling it and then spilling. */
#ifdef __clang__
#define HONE_UNROLL    _Pragma("clang loop unroll(full)")
#define HONE_NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define HONE_UNROLL _Pragma("GCC unroll 64")
#define HONE_NO_UNROLL
#endif
#define HONE_INLINE static inline __attribute__((always_inline))

#endif
