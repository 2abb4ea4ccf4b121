/* What rows share whose kernel computes three convolutions. Room: backend/cuda. */
#ifndef HONE_BACKEND_CUDA_ROWS_BLOCK_H
#define HONE_BACKEND_CUDA_ROWS_BLOCK_H

#include "backend/cuda/rows.h"

/* How many of `size` hold `count`, and how much they hold. */
static inline int64_t hone_parts(int64_t count, int64_t size) {
  return (count + size - 1) / size;
}
static inline int64_t hone_up(int64_t count, int64_t size) {
  return hone_parts(count, size) * size;
}
/* Whether three convolutions of an image over two axes compute in f16, or all in bf16, by constant
 * filters, the first and the last of them by those of one pixel at every pixel. */
bool hone_cuda_are_block(const hone_node *const *convolutions);
/* Bytes of shared memory that a block may have. */
int64_t hone_cuda_most_shared(int sm);
/* The launch's pointers: the image, three filters, what finishes the first two convolutions. */
void hone_cuda_put_block(hone_cuda_plan *plan, const hone_cuda_stage *last, hone_cuda_launch *launch);

#endif
