/* How small.cu cuts a convolution of few elements, for the rows whose kernels go on from it. Room:
 * backend/cuda. */
#ifndef HONE_BACKEND_CUDA_ROWS_SMALL_H
#define HONE_BACKEND_CUDA_ROWS_SMALL_H

#include "backend/cuda/windows.h"

#define HONE_CUDA_SMALL_FORMS  3
#define HONE_CUDA_SMALL_WORDS  32, 64, 112
#define HONE_CUDA_SMALL_ONE    (1 << 22) /* products of one image, */
#define HONE_CUDA_SMALL_ALL    (1 << 24) /* and of all of them: beyond that others are faster */
#define HONE_CUDA_SMALL_ENOUGH 264       /* blocks, two a multiprocessor of a large GPU */

/* `chunks` of `chunk` channels are the depth; a thread has `wide` columns and `words` registers for a
 * number; `shares` lanes share a pixel's depth: as few as keep its filters in the form's registers. */
typedef struct hone_cuda_cut {
  int64_t filters, chunk, chunks, wide, words, shares;
} hone_cuda_cut;

/* Whether kernels with small.cu before them take the convolution. */
bool hone_cuda_is_small(const hone_node *node);
/* False where the form before has as many lanes. */
bool hone_cuda_small_cut(const hone_node *node, int form, hone_cuda_cut *out);
/* Multiplications that make the pixels of one image of `y`, by the filters of `node`; 0 where its size
 * is not known. */
int64_t hone_cuda_small_products(const hone_node *node, const hone_shape *y);
/* Whether the kernels' 32 bits may not do for places in an image. */
bool hone_cuda_is_long(const hone_spatial *w, int64_t channels);
/* The lines before small.cu, but for MOST_WORDS. */
void hone_cuda_define_small(const hone_node *node, hone_text *out);
/* Grid and threads: `blocks` of pixels by `across` of columns, of whole warps. */
void hone_cuda_launch_small(hone_cuda_launch *launch, int64_t blocks, int64_t across, int64_t lanes);

#endif
