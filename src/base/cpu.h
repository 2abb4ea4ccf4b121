/* What processor this is, and how much of it is ours. Room: base. */
#ifndef HONE_BASE_CPU_H
#define HONE_BASE_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Instruction sets that kernels ask for, as bits. PLAIN is no bit at all. */
enum {
  HONE_ISA_PLAIN = 0,
  HONE_ISA_AVX2 = 1u << 0,       /* with FMA and F16C */
  HONE_ISA_AVX512 = 1u << 1,     /* F, BW, DQ, VL */
  HONE_ISA_VNNI = 1u << 2,       /* AVX512_VNNI */
  HONE_ISA_BF16 = 1u << 3,       /* AVX512_BF16 */
  HONE_ISA_AMX = 1u << 4         /* AMX tiles with INT8 and BF16, allowed by the system */
};

/* The sets that this processor has and the variable HONE_CPU allows: plain, avx2, avx512, vnni,
 * bf16 or amx, each with all before it; unset allows all. Read once. */
uint32_t hone_cpu_isa(void);
/* For tests: what hone_cpu_isa answers from now on is `mask` of what the processor has. */
void hone_cpu_limit(uint32_t mask);
/* For tests that bring what stands in for them: the processor has these sets. */
void hone_cpu_pretend(uint32_t isa);
/* "avx2 avx512 vnni" and so on, into `buffer`; "plain" for none. */
const char *hone_cpu_isa_text(uint32_t isa, char *buffer, size_t room);
/* The processor's own name. Static. */
const char *hone_cpu_name(void);
/* Bytes of data cache a core has at `level` 1, 2, 3 (level 3: shared); a guess where unknown. */
size_t hone_cpu_cache(int level);
/* Processors that this process may use: the affinity mask, cut to the cgroup's quota; at least 1. */
int hone_cpu_count(void);

#endif
