/* What the rows of the kernels' table share. Room: backend/cuda. */
#ifndef HONE_BACKEND_CUDA_ROWS_H
#define HONE_BACKEND_CUDA_ROWS_H

#include "backend/cuda/embed.h"
#include "backend/cuda/plan.h"

#define ROW(name) extern const hone_cuda_kernel hone_cuda_kernel_##name;
#include "backend/cuda/kernels.def"
#undef ROW

/* Whether a convolution is a product of pixels and filters: a window of one pixel at every pixel. */
bool hone_cuda_is_plain_conv(const hone_node *node);
/* A matrix product's sizes: rows, columns, depth at n[0…2], the operands' strides from row to row and
 * from column to column at n[3…6], the axes of the batch at n[7…]: their number, sizes from n[8] on,
 * the operands' strides from n[16] and n[24] on. The result is how many products there are. */
int64_t hone_cuda_matmul_sizes(const hone_node *node, const hone_shape *left,
                               const hone_shape *right, long long *n);

/* How many rows a left operand has for sure; anything above `most` where they are more than that. */
int64_t hone_cuda_least_rows(const hone_shape *left, int64_t most);

/* Attention without what only models that go on from one run to the next ask for: of heads up to 256. */
bool hone_cuda_is_attention(const hone_node *node);
/* Whether all inputs that are there, and all outputs, have a known rank and are floats of one type. */
bool hone_cuda_one_float(const hone_node *node);
/* T, the type of elements, and R, what they are in registers. */
void hone_cuda_define_types(hone_dtype dtype, hone_text *out);
/* CENTER and EPSILON of a layer_norm or rms_norm. */
void hone_cuda_define_norm(const hone_node *node, hone_text *out);
/* T for kernels that only move elements: an unsigned type of their width; NULL for other widths. */
const char *hone_cuda_width(hone_dtype dtype);

/* Kernels with kernels/places.cu before them say by pointer `pointer` of the launch, there FAULT, that a
 * value is no place; faults speak of `node`. */
void hone_cuda_may_fault(hone_cuda_plan *plan, hone_cuda_launch *launch, const hone_node *node,
                         int pointer);

#endif
