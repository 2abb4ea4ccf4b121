/* Vectors of integer sums and how they multiply, for one instruction set: included by the files of a
 * set's kernels. Room: backend/cpu/products. vi is VF_LANES sums; a quad is four bytes of depth. */
#include <string.h>

#include "backend/cpu/products/integer_tile.h"
#include "backend/cpu/simd/simd.h"

typedef uint32_t quad __attribute__((aligned(1), may_alias));

#if defined(__AVX512VNNI__)
typedef __m512i vi;
typedef __m512i weight_vector, row_vector;
HONE_INLINE vi vi_load(const int32_t *p) {
  return _mm512_loadu_si512(p);
}
HONE_INLINE void vi_store(int32_t *p, vi x) {
  _mm512_storeu_si512(p, x);
}
HONE_INLINE weight_vector load_weights(const int8_t *p) {
  return _mm512_loadu_si512(p);
}
/* Broadcast and sign change are one instruction; compilers make two of it. */
HONE_INLINE row_vector load_row(const quad *p, const bool is_signed) {
  row_vector x;
  if (!is_signed) return _mm512_set1_epi32((int)*p);
  __asm__("vpxord %1%{1to16%}, %2, %0"
          : "=v"(x)
          : "m"(*p), "v"(_mm512_set1_epi32((int)0x80808080)));
  return x;
}
#define MULTIPLY_ADD(sum, weight, x) \
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(weight))
#elif defined(__AVX2__)
typedef __m256i vi;
typedef __m256i weight_vector, row_vector;
HONE_INLINE vi vi_load(const int32_t *p) {
  return _mm256_loadu_si256((const void *)p);
}
HONE_INLINE void vi_store(int32_t *p, vi x) {
  _mm256_storeu_si256((void *)p, x);
}
HONE_INLINE weight_vector load_weights(const int8_t *p) {
  return _mm256_loadu_si256((const void *)p);
}
HONE_INLINE row_vector load_row(const quad *p, const bool is_signed) {
  (void)is_signed;
  return _mm256_set1_epi32((int)*p);
}
#define MULTIPLY_ADD(sum, weight, x)                                                        \
  (sum) = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(x, weight), ones))
#else
typedef struct vi {
  int32_t lane[VF_LANES];
} vi;
typedef struct weight_vector {
  int8_t byte[VF_LANES][4];
} weight_vector;
typedef struct row_vector {
  int32_t byte[4];
} row_vector;
HONE_INLINE vi vi_load(const int32_t *p) {
  vi x;
  memcpy(&x, p, sizeof x);
  return x;
}
HONE_INLINE void vi_store(int32_t *p, vi x) {
  memcpy(p, &x, sizeof x);
}
HONE_INLINE weight_vector load_weights(const int8_t *p) {
  weight_vector w;
  memcpy(&w, p, sizeof w);
  return w;
}
HONE_INLINE row_vector load_row(const quad *p, const bool is_signed) {
  uint32_t x = is_signed ? *p ^ 0x80808080u : *p;
  return (row_vector){{(int)(x & 255), (int)(x >> 8 & 255), (int)(x >> 16 & 255), (int)(x >> 24)}};
}
#define MULTIPLY_ADD(sum, weight, x)                         \
  for (int lane = 0; lane < VF_LANES; lane++)                \
  (sum).lane[lane] += (x).byte[0] * (weight).byte[lane][0] + \
                      (x).byte[1] * (weight).byte[lane][1] + \
                      (x).byte[2] * (weight).byte[lane][2] + (x).byte[3] * (weight).byte[lane][3]
#endif
