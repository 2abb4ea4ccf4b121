/* Convolution of bytes with one channel a group, on the pixels as they lie.
 * Room: backend/cpu/products. */
#ifndef HONE_BACKEND_CPU_PRODUCTS_DEPTHWISE_INTEGER_H
#define HONE_BACKEND_CPU_PRODUCTS_DEPTHWISE_INTEGER_H

#include "backend/cpu/products/conv_integer.h"

bool hone_depthwise_integer_accepts(const hone_conv *conv);
/* Of weights that fit in a byte; the pack as in conv_integer.h. */
size_t hone_depthwise_integer_pack_size(const hone_conv *conv);
void hone_depthwise_integer_pack(const hone_integer_set *set, const hone_conv *conv,
                                 const hone_integer_weights *w, void *to);
hone_integer_pack hone_depthwise_integer_unpack(const hone_conv *conv, const void *pack);
hone_status *hone_depthwise_integer_plan(const hone_conv_integer *in, hone_arena *arena,
                                         hone_kernel_plan *out);

#endif
