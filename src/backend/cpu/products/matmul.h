/* Batched matrix multiplication of two run-time operands. fp32. Room: backend/cpu/products.
 *
 *   out[b][m][n] = finish(sum over k of a[b][m][k] * b[b][k][n])
 *
 * Any strides, so transposed operands need no copy of their own; a batch stride of 0 repeats a
 * matrix. The right side is packed panel by panel in scratch; a left side whose depth is not
 * contiguous is copied first. What is thin (thin.h) is neither packed nor copied. rows, columns,
 * depth and batch sizes may be 0.
 */
#ifndef HONE_BACKEND_CPU_PRODUCTS_MATMUL_H
#define HONE_BACKEND_CPU_PRODUCTS_MATMUL_H

#include "backend/cpu/products/finish.h"
#include "backend/cpu/products/tile.h"
#include "base/memory.h"
#include "base/status.h"

#define HONE_MATMUL_BATCH 6

typedef struct hone_matmul {
  const hone_tile_set *tiles;
  int batch_rank; /* at most HONE_MATMUL_BATCH */
  size_t batch[HONE_MATMUL_BATCH];
  size_t rows, depth, columns;
  int a, b, out; /* indices into io->in and io->out */
  /* Strides in floats. */
  ptrdiff_t a_batch[HONE_MATMUL_BATCH], a_row, a_depth;
  ptrdiff_t b_batch[HONE_MATMUL_BATCH], b_depth, b_column;
  ptrdiff_t out_batch[HONE_MATMUL_BATCH], out_row; /* columns are contiguous */
  /* Rows count through all batches, the last batch dimension fastest: row = batch * rows + m. */
  hone_finish finish;
} hone_matmul;

/* Floats from the first matrix of an operand to that of batch `number`. */
static inline ptrdiff_t hone_matmul_offset(const hone_matmul *m, const ptrdiff_t *strides,
                                           size_t number) {
  ptrdiff_t offset = 0;
  for (int i = m->batch_rank - 1; i >= 0; i--) {
    offset += (ptrdiff_t)(number % m->batch[i]) * strides[i];
    number /= m->batch[i];
  }
  return offset;
}

/* Copies *matmul into the arena. LIMIT when the scratch does not fit in memory. */
hone_status *hone_matmul_plan(const hone_matmul *matmul, hone_arena *arena, hone_kernel_plan *out);

#endif
