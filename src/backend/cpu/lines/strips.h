/* Vector forms of what is done along one row: sums and extremes, and scaling.
 * Room: backend/cpu/lines.
 *
 * A sum is made of blocks of HONE_STRIP_BLOCK floats, each added up in lanes and then in a fixed
 * tree, and the blocks in double: the error does not grow with the length, and the bits depend on
 * the instruction set only. */
#ifndef HONE_BACKEND_CPU_LINES_STRIPS_H
#define HONE_BACKEND_CPU_LINES_STRIPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/simd/isa.h"

#define HONE_STRIP_BLOCK 1024
#define HONE_STRIP_BYTES 64

/* X(name, term of the vectors x and shift); what is added up */
#define HONE_STRIP_SUMS(X)                                 \
  X(sum, x)                                                \
  X(abs, vf_abs(x))                                        \
  X(square, vf_mul(x, x))                                  \
  X(deviation, vf_mul(vf_sub(x, shift), vf_sub(x, shift))) \
  X(exp, vf_exp(vf_sub(x, shift)))

typedef struct hone_strips {
#define HONE_STRIP_MEMBER(name, term) double (*name)(const float *x, size_t count, float shift);
  HONE_STRIP_SUMS(HONE_STRIP_MEMBER)
#undef HONE_STRIP_MEMBER
  /* NaN where there is one; -infinity and infinity of nothing. */
  float (*max)(const float *x, size_t count);
  float (*min)(const float *x, size_t count);
  /* The first of begin … end that is no less or equal, no greater or equal `limit` (NaN is
   * neither); `end` where there is none. */
  size_t (*find_above)(const float *x, size_t begin, size_t end, float limit);
  size_t (*find_below)(const float *x, size_t begin, size_t end, float limit);
  /* out[i] = e^(x[i] - shift); returns their sum. */
  double (*exponentials)(const float *x, size_t count, float shift, float *out);
  /* out[i] = (x[i] - shift) * factor, times scale[i], plus bias[i], where given. */
  void (*normalise)(const float *x, size_t count, float shift, float factor, const float *scale,
                    const float *bias, float *out);
  /* out[i] = x[i] - first - second. */
  void (*less)(const float *x, size_t count, float first, float second, float *out);
  /* out[i] = the largest, or factor times the sum, of rows[k][i] over k < row_count. */
  void (*max_rows)(const float *const *rows, size_t row_count, size_t count, float *out);
  void (*max_rows_bf16)(const void *const *rows, size_t row_count, size_t count, uint16_t *out);
  void (*max_rows_u8)(const void *const *rows, size_t row_count, size_t count, uint8_t *out);
  void (*max_rows_s8)(const void *const *rows, size_t row_count, size_t count, int8_t *out);
  /* total[i] = the sum of the bytes x[k * stride + i], each with the bits of `flip` turned, over
   * k < row_count; at most HONE_STRIP_BYTES of them at once, and 2^24 rows. */
  void (*sum_rows_u8)(const uint8_t *x, size_t stride, size_t row_count, size_t count, uint8_t flip,
                      uint32_t *total);
  void (*sum_rows)(const float *const *rows, size_t row_count, size_t count, float factor,
                   float *out);
  /* out[i] = the sum of weights[k] * rows[k][i]. */
  void (*blend_rows)(const float *const *rows, const float *weights, size_t row_count, size_t count,
                     float *out);
  /* (p, q) = (a cos - b sin, b cos + a sin); results may lie over their operands. */
  void (*turn)(const float *a, const float *b, const float *cosine, const float *sine, size_t count,
               float *p, float *q);
  /* out[i] = round(x[i] / scale[i]) + zero[i] limited to least..most, NaN as 0; x[i] is the
   * quotient itself where scale is NULL. */
  void (*quantize)(const float *x, const float *scale, const float *zero, float least, float most,
                   size_t count, float *out);
  /* The same by one scale to bytes of either sign, whose limits those are. */
  void (*quantize_bytes)(const float *x, float scale, float zero, float least, float most,
                         size_t count, uint8_t *out);
  /* Bytes to f32 and back; floats are whole and in the range of the type. */
  void (*from_u8)(const uint8_t *x, size_t count, float *out);
  void (*from_s8)(const int8_t *x, size_t count, float *out);
  void (*to_byte)(const float *x, size_t count, uint8_t *out); /* of either sign */
  /* f16 to f32 and back, half to even. */
  void (*from_f16)(const uint16_t *x, size_t count, float *out);
  void (*to_f16)(const float *x, size_t count, uint16_t *out);
} hone_strips;

extern const hone_strips hone_strips_plain;
#if defined(__x86_64__)
extern const hone_strips hone_strips_avx512, hone_strips_avx2;
#endif
/* The fastest set that runs here. */
const hone_strips *hone_strips_here(void);

#endif
