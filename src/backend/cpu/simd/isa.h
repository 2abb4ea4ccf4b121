/* What kernels say to the compiler, and whether one may run here. Room: backend/cpu/simd. */
#ifndef HONE_BACKEND_CPU_SIMD_ISA_H
#define HONE_BACKEND_CPU_SIMD_ISA_H

#include "base/cpu.h"

/* Whether all of `isa` (HONE_ISA bits) may be used. */
static inline bool hone_isa_runs(uint32_t isa) {
  return (hone_cpu_isa() & isa) == isa;
}

/* Before a loop with a constant count: unrolls it fully, so that arrays indexed by it can live in
 * registers. Before any other: keeps the compiler from unrolling it and then spilling. Sanitizers
 * check each access, and unrolled kernels then take minutes to compile. */
#if defined(__clang__) && defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HONE_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HONE_SANITIZED
#endif
#if defined(HONE_SANITIZED)
#define HONE_UNROLL
#define HONE_NO_UNROLL
#elif defined(__clang__)
#define HONE_UNROLL    _Pragma("clang loop unroll(full)")
#define HONE_NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define HONE_UNROLL _Pragma("GCC unroll 64")
#define HONE_NO_UNROLL
#endif
#define HONE_INLINE static inline __attribute__((always_inline))

#endif
