/* bfloat16 tiles for one instruction set: included by tile_bf16*.c with HEIGHT and PANEL defined.
 * Room: backend/cpu/products.
 *
 * A step of depth is a pair of operands in 32 bits, the first in the low half. */
#include "backend/cpu/simd/simd.h"
#include "backend/cpu/products/tile.h"

#define OPERAND_BYTES sizeof(uint16_t)
typedef uint32_t operand __attribute__((aligned(2), may_alias)); /* pixels may lie at any one */

/* The nearest bfloat16, ties to even; NaN stays NaN. */
HONE_INLINE uint16_t to_bf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

HONE_INLINE float from_bf16(uint16_t x) {
  uint32_t bits = (uint32_t)x << 16;
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

#if defined(__AVX512BF16__)
typedef __m512 weight_vector;

HONE_INLINE weight_vector load_weights(const operand *p) {
  return _mm512_loadu_ps(p);
}

#define MULTIPLY_ADD(sum, weight, x) \
  __asm__("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(weight), "m"(x))

static void narrow(const float *from, size_t count, uint16_t *to) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16)
    _mm256_storeu_si256((void *)(to + i), (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(from + i)));
  for (; i < count; i++) to[i] = to_bf16(from[i]);
}
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

static void narrow(const float *from, size_t count, uint16_t *to) {
  for (size_t i = 0; i < count; i++) to[i] = to_bf16(from[i]);
}
#endif

static void widen(const uint16_t *from, size_t count, float *to) {
  for (size_t i = 0; i < count; i++) to[i] = from_bf16(from[i]);
}

/* One panel of floats, rounded, in pairs along the depth. */
static void pack_panel(const float *b, ptrdiff_t depth_stride, ptrdiff_t column_stride,
                       size_t depth, size_t columns, size_t width, float *packed) {
  uint16_t *to = (uint16_t *)(void *)packed;
  for (size_t k = 0; k < depth; k += 2) {
    for (size_t j = 0; j < width; j++) {
      const float *from = b + (ptrdiff_t)k * depth_stride + (ptrdiff_t)j * column_stride;
      *to++ = j < columns ? to_bf16(from[0]) : 0;
      *to++ = j < columns && k + 1 < depth ? to_bf16(from[depth_stride]) : 0;
    }
  }
}

#include "backend/cpu/products/tile_body.h"
