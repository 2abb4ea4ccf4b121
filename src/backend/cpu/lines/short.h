/* Many short lines, each of which stays in registers: softmax, normalisation; and lines that are
 * turned into columns, so that a vector works on many of them. Room: backend/cpu/lines.
 *
 * Bits depend on the instruction set only. */
#ifndef HONE_BACKEND_CPU_LINES_SHORT_H
#define HONE_BACKEND_CPU_LINES_SHORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/simd/isa.h"

typedef struct hone_short_norm {
  double epsilon;
  bool centred;              /* else of mean 0 */
  const float *scale, *bias; /* of the elements of a line, or NULL */
  float *means, *inverses;   /* one a line, or NULL */
} hone_short_norm;

/* X(name, start, what the vector x brings, the total t joined with that); extremes keep a NaN */
#define HONE_SHORT_FOLDS(X)                          \
  X(sum, 0, x, vf_add(t, x))                         \
  X(abs, 0, vf_abs(x), vf_add(t, x))                 \
  X(square, 0, vf_mul(x, x), vf_add(t, x))           \
  X(prod, 1, x, vf_mul(t, x))                        \
  X(max, -INFINITY, x, vf_keep_nan(t, vf_max(t, x))) \
  X(min, INFINITY, x, vf_keep_nan(t, vf_min(t, x)))

typedef struct hone_short {
  size_t most; /* elements of a line of the next two; lines lie one after the other */
  void (*softmax)(const float *x, size_t size, size_t lines, bool log, float *y);
  void (*norm)(const hone_short_norm *norm, const float *x, size_t size, size_t lines, float *y);
  /* y[l] = all that line l comes to; lines may be longer, and are added up in floats. */
#define HONE_SHORT_MEMBER(name, start, term, join) \
  void (*name)(const float *x, size_t size, size_t lines, float *y);
  HONE_SHORT_FOLDS(HONE_SHORT_MEMBER)
#undef HONE_SHORT_MEMBER
  /* columns[k * pitch + l] = x[l * size + k]; pitch >= lines. */
  void (*turn)(const float *x, size_t size, size_t lines, float *columns, size_t pitch);
  /* out[j] = where the greatest (least) of x[i * step + j], i < rows, is: the first (last) of
   * equals; NaN is beyond all. 1 <= rows < 2^24. */
  void (*extreme)(const float *x, size_t step, size_t rows, size_t columns, bool least, bool last,
                  int64_t *out);
} hone_short;

extern const hone_short hone_short_plain;
#if defined(__x86_64__)
extern const hone_short hone_short_avx512, hone_short_avx2;
#endif
/* The fastest set that runs here. */
const hone_short *hone_short_here(void);

#endif
