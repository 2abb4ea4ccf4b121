/* Convolution as matrix multiplication by row pointers, without a copy of the input.
 * Room: backend/cpu/products. Rows of the table in conv.h; all three pack weights alike.
 *
 * conv_gemm    1x1 with stride 1 and no padding: rows of x as they lie
 * conv_direct  everything: a pointer for each pixel and tap, zeros outside
 * conv_rows    few channels (a net's first layer): x is first copied into rows with their padding,
 *              so that one run of the width's taps and channels is contiguous; takes planar x too
 *
 * All run on bfloat16 too. There x is copied first when it is f32, rounded, or when a group has an
 * odd number of channels, padded.
 */
#ifndef HONE_BACKEND_CPU_PRODUCTS_CONV_DIRECT_H
#define HONE_BACKEND_CPU_PRODUCTS_CONV_DIRECT_H

#include "backend/cpu/products/conv.h"

bool hone_conv_gemm_accepts(const hone_conv *conv);
bool hone_conv_direct_accepts(const hone_conv *conv);
bool hone_conv_gemm_bf16_accepts(const hone_conv *conv);
bool hone_conv_direct_bf16_accepts(const hone_conv *conv);
bool hone_conv_rows_accepts(const hone_conv *conv);
bool hone_conv_rows_bf16_accepts(const hone_conv *conv);
size_t hone_conv_direct_pack_size(const hone_conv_kernel *kernel, const hone_conv *conv);
void hone_conv_direct_pack(const hone_conv_kernel *kernel, const hone_conv *conv,
                           hone_conv_weights weights, float *packed);
hone_status *hone_conv_gemm_plan(const hone_conv_kernel *kernel, const hone_conv *conv,
                                 const float *packed, hone_arena *arena, hone_kernel_plan *out);
hone_status *hone_conv_direct_plan(const hone_conv_kernel *kernel, const hone_conv *conv,
                                   const float *packed, hone_arena *arena, hone_kernel_plan *out);
hone_status *hone_conv_rows_plan(const hone_conv_kernel *kernel, const hone_conv *conv,
                                 const float *packed, hone_arena *arena, hone_kernel_plan *out);

/* Points at the pixels of x, `pixel_bytes` apart, that lie under outputs row..row + count - 1:
 * table[tap * HONE_TILE_ROWS + i]; what lies outside reads `zeros`. */
void hone_conv_point(const hone_conv *conv, size_t pixel_bytes, const char *x, size_t row,
                     size_t count, const void *zeros, const void **table);

#endif
