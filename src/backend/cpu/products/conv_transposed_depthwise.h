/* Transposed convolution with one filter a channel, as nets that learn to enlarge have it: the tiles of
 * depthwise.h on the lines of conv_transposed_lines.h. Room: backend/cpu/products. A row of the table in
 * conv_transposed.h.
 *
 * Packed weights of a remainder: [channels / lanes][taps][lanes], zeros beyond the channels. */
#ifndef HONE_BACKEND_CPU_PRODUCTS_CONV_TRANSPOSED_DEPTHWISE_H
#define HONE_BACKEND_CPU_PRODUCTS_CONV_TRANSPOSED_DEPTHWISE_H

#include "backend/cpu/products/depthwise.h"

bool hone_transposed_depthwise_accepts(const hone_conv *conv);
void hone_transposed_depthwise_pack(const hone_conv_kernel *kernel, const hone_conv *conv,
                                    hone_conv_weights weights, float *packed);
hone_status *hone_transposed_depthwise_plan(const hone_conv_kernel *kernel, const hone_conv *conv,
                                            const float *packed, hone_arena *arena,
                                            hone_kernel_plan *out);

#endif
