/* Boxes of tensors for the copy engine, and products that are made of them (kernels/product_hopper.cu).
 * Room: backend/cuda. */
#ifndef HONE_BACKEND_CUDA_BOXES_H
#define HONE_BACKEND_CUDA_BOXES_H

#include "backend/cuda/gpu.h"
#include "backend/cuda/plan.h"

/* Where whatever such a kernel reads or writes has to begin: at multiples of these bytes. */
#define HONE_CUDA_BOX_ALIGNMENT 16

/* The driver's words for the boxes of the tensor at `address`. No call of the GPU's. */
HONE_MUST_USE hone_status *hone_cuda_boxes_map(const hone_gpu *gpu, const hone_cuda_boxes *boxes,
                                               void *address, hone_cuda_map *out);

/* A row of a box. */
#define HONE_CUDA_BOX_BYTES 128

/* Boxes of rows of 128 bytes of matrices, so far of one row; `pitch` and `layer` are bytes from
 * row to row and from matrix to matrix. */
hone_cuda_boxes hone_cuda_boxes_of(hone_dtype dtype, int64_t columns, int64_t rows, int64_t layers,
                                   int64_t pitch, int64_t layer);

#endif
