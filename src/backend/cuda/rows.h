/* What the rows of the kernels' table share. Room: backend/cuda. */
#ifndef HONE_BACKEND_CUDA_ROWS_H
#define HONE_BACKEND_CUDA_ROWS_H

#include "backend/cuda/embed.h"
#include "backend/cuda/plan.h"

#define HONE_CUDA_ROW(name) extern const hone_cuda_kernel hone_cuda_kernel_##name;
HONE_CUDA_ROW(conv)
HONE_CUDA_ROW(conv_depthwise)
HONE_CUDA_ROW(conv_f16)
HONE_CUDA_ROW(conv_grouped)
HONE_CUDA_ROW(conv_stem_bf16)
HONE_CUDA_ROW(conv_stem_f16)
HONE_CUDA_ROW(conv_tensor)
HONE_CUDA_ROW(matmul)
HONE_CUDA_ROW(matmul_f16)
HONE_CUDA_ROW(matmul_tensor)
HONE_CUDA_ROW(product_lt)
HONE_CUDA_ROW(conv_cudnn)
HONE_CUDA_ROW(conv_transpose)
HONE_CUDA_ROW(integer)
HONE_CUDA_ROW(resize)
HONE_CUDA_ROW(topk)
HONE_CUDA_ROW(pool)
HONE_CUDA_ROW(softmax)
HONE_CUDA_ROW(norm)
HONE_CUDA_ROW(reduce)
HONE_CUDA_ROW(attention)
HONE_CUDA_ROW(attention_bf16)
HONE_CUDA_ROW(attention_f16)
HONE_CUDA_ROW(attention_tiles)
HONE_CUDA_ROW(transpose)
HONE_CUDA_ROW(slice)
HONE_CUDA_ROW(expand)
HONE_CUDA_ROW(concat)
HONE_CUDA_ROW(split)
HONE_CUDA_ROW(gather)
HONE_CUDA_ROW(pointwise)
#undef HONE_CUDA_ROW

/* Whether a convolution is a product of pixels and filters: a window of one pixel at every pixel. */
bool hone_cuda_is_plain_conv(const hone_node *node);
/* A matrix product's sizes: rows, columns, depth at n[0…2], the operands' strides from row to row and
 * from column to column at n[3…6], the axes of the batch at n[7…]: their number, sizes from n[8] on,
 * the operands' strides from n[16] and n[24] on. The result is how many products there are. */
int64_t hone_cuda_matmul_sizes(const hone_node *node, const hone_shape *left,
                               const hone_shape *right, long long *n);

/* Whether all inputs that are there, and all outputs, have a known rank and are floats of one type. */
bool hone_cuda_one_float(const hone_node *node);
/* T, the type of elements, and R, what they are in registers. */
void hone_cuda_define_types(hone_dtype dtype, hone_text *out);
/* T for kernels that only move elements: an unsigned type of their width; NULL for other widths. */
const char *hone_cuda_width(hone_dtype dtype);

#endif
