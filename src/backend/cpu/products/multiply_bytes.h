/* A product of matrices of bytes that only the run knows, in exact integers.
 * Room: backend/cpu/products.
 *
 * Bytes less their zero points are 16 bits, and two steps of depth are multiplied and added at
 * once: what that comes to fits in 32 bits, which wrap as the op's do. */
#ifndef HONE_BACKEND_CPU_PRODUCTS_MULTIPLY_BYTES_H
#define HONE_BACKEND_CPU_PRODUCTS_MULTIPLY_BYTES_H

#include "backend/cpu/kernel.h"
#include "backend/cpu/simd/isa.h"
#include "base/memory.h"
#include "base/status.h"

#define HONE_BYTES_ROWS       4
#define HONE_BYTES_MOST_WIDTH 64

typedef struct hone_bytes_set {
  size_t width; /* columns of a panel */
  /* panel[k / 2][j][k % 2] = byte [k][j] of b less zero[j]; rows of b are `step` bytes apart, and
   * what there is not of an even depth is 0. Of columns from `columns` on anything. */
  void (*pack)(const uint8_t *b, size_t step, bool is_signed, const int16_t *zero, size_t depth,
               size_t columns, int16_t *panel);
  /* out[i][j] = the sum over k of a[i][k] * panel[k / 2][j][k % 2], k < 2 * pairs. */
  void (*tile)(const int16_t *const a[HONE_BYTES_ROWS], const int16_t *panel, size_t pairs,
               int32_t *out);
} hone_bytes_set;

extern const hone_bytes_set hone_bytes_plain;
#if defined(__x86_64__)
extern const hone_bytes_set hone_bytes_avx512, hone_bytes_avx2;
#endif

typedef struct hone_bytes_product {
  size_t rows, depth, columns;
  int a, b, a_zero, b_zero, bias; /* of io->in; the last three -1 where absent */
  bool a_signed, b_signed;
  bool zeros; /* b_zero is one a column */
} hone_bytes_product;

/* y[row][column] = bias + the product, s32. Copies *product into the arena. LIMIT when the scratch
 * does not fit in memory. */
hone_status *hone_bytes_plan(const hone_bytes_product *product, hone_arena *arena,
                             hone_kernel_plan *out);

#endif
