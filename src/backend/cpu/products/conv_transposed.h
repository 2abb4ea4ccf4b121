/* Transposed convolution, channels last, fp32. Room: backend/cpu/products.
 *
 *   y[n][o][m] = finish(sum over taps t and channels c of m's group, where
 *                       o + pad = i * stride + t * dilation, of x[n][i][c] * w[c][m][t])
 *
 * Outputs whose o + pad leaves the same remainder by the stride use the same taps: each remainder
 * is a plain convolution of its own, run by the tiles of tile.h; nothing is scattered or added in
 * memory. Rows of the table are as in conv.h, with `in` the sizes of x and `out` those of y; `pad`
 * is what is cut off before the first output. In hone_conv_weights, in_channel counts through all
 * groups and out_channel within one: ONNX's [C][M/g][taps] is {taps, M/g * taps, 1} for
 * {out_channel, in_channel, tap}.
 */
#ifndef HONE_BACKEND_CPU_PRODUCTS_CONV_TRANSPOSED_H
#define HONE_BACKEND_CPU_PRODUCTS_CONV_TRANSPOSED_H

#include "backend/cpu/products/conv.h"

/* Ends with a row that has no name. */
extern const hone_conv_kernel hone_conv_transposed_kernels[];

#endif
