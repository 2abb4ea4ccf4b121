/* bfloat16 tiles for one instruction set: included by tile_bf16*.c with HEIGHT and PANEL defined.
 * Room: backend/cpu/products.
 *
 * A step of depth is a pair of operands in 32 bits, the first in the low half. */
#include "backend/cpu/products/pack_bf16_body.h"

#define OPERAND_BYTES sizeof(uint16_t)
typedef uint32_t operand __attribute__((aligned(2), may_alias)); /* pixels may lie at any one */

#if defined(__AVX512BF16__)
typedef __m512 weight_vector;

HONE_INLINE weight_vector load_weights(const operand *p) {
  return _mm512_loadu_ps(p);
}

#define MULTIPLY_ADD(sum, weight, x) \
  __asm__("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(weight), "m"(x))
#else
typedef struct weight_vector { /* as floats: the first and the second of each pair */
  vf first, second;
} weight_vector;

HONE_INLINE weight_vector load_weights(const operand *p) {
  float first[VF_LANES], second[VF_LANES];
  for (int j = 0; j < VF_LANES; j++)
    first[j] = from_bf16((uint16_t)p[j]), second[j] = from_bf16((uint16_t)(p[j] >> 16));
  return (weight_vector){vf_load(first), vf_load(second)};
}

/* The second product first, as the instruction does it. */
#define MULTIPLY_ADD(sum, weight, x)                               \
  (sum) = vf_fma(vf_set(from_bf16((uint16_t)(x))), (weight).first, \
                 vf_fma(vf_set(from_bf16((uint16_t)((x) >> 16))), (weight).second, sum))
#endif

#include "backend/cpu/products/tile_body.h"
