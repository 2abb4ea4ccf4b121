/* Transposed convolution with few output channels: outputs in blocks of the stride, all of whose pixels
 * read the same inputs, the block's own and those before it. Room: backend/cpu/products. A row of the
 * table in conv_transposed.h.
 *
 * All pixels and channels of a block are columns of one matrix multiplication, so that vectors are
 * full where output channels alone would leave them empty; weights are 0 where no tap leads from an
 * input to a pixel. The block is then laid out. */
#ifndef HONE_BACKEND_CPU_PRODUCTS_CONV_TRANSPOSED_BLOCKS_H
#define HONE_BACKEND_CPU_PRODUCTS_CONV_TRANSPOSED_BLOCKS_H

#include "backend/cpu/products/conv.h"

bool hone_transposed_blocks_accepts(const hone_conv *conv);
size_t hone_transposed_blocks_pack_size(const hone_conv_kernel *kernel, const hone_conv *conv);
void hone_transposed_blocks_pack(const hone_conv_kernel *kernel, const hone_conv *conv,
                                 hone_conv_weights weights, float *packed);
hone_status *hone_transposed_blocks_plan(const hone_conv_kernel *kernel, const hone_conv *conv,
                                         const float *packed, hone_arena *arena,
                                         hone_kernel_plan *out);

#endif
