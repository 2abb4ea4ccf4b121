/* Matrix multiplication with packed weights: fully connected layers, 1x1 convolutions with stride
 * 1, matmul with a constant right side. fp32. Room: backend/cpu/products.
 *
 *   out[m][n] = finish(sum over k of a[m][k] * b[k][n]), m < rows, n < columns, k < depth
 *
 * `a` is read in place, `a_stride` floats from row to row; exactly the rows x depth elements are
 * read. Weights: hone_pack_size and hone_pack_weights with groups = taps = 1 (strides {0, 0, N, 1}
 * for b as [K, N], {0, 0, 1, K} for [N, K]); 64-byte aligned for speed, not for correctness.
 * rows, columns and depth may be 0.
 */
#ifndef HONE_BACKEND_CPU_PRODUCTS_GEMM_H
#define HONE_BACKEND_CPU_PRODUCTS_GEMM_H

#include "backend/cpu/products/sweep.h"

typedef struct hone_gemm {
  hone_sweep sweep; /* rows, columns, depth, weights, out, finish; groups and taps are 1 */
  int a;            /* index into io->in */
  ptrdiff_t a_stride;
} hone_gemm;

/* One phase. Scratch: hone_sweep_scratch(&args->sweep) for each part. */
hone_kernel_phase hone_gemm_run;

#endif
