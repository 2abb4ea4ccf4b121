/* Windows that slide over spatial axes: the geometry of conv, pool and their kind. Room: ops.
 * Kernels and passes read the same numbers from here. */
#ifndef HONE_OPS_SPATIAL_H
#define HONE_OPS_SPATIAL_H

#include "ir/op.h"

#define HONE_MAX_SPATIAL (HONE_MAX_RANK - 2)

/* A size that is neither known nor the symbol of an input. */
#define HONE_DIM_FRESH INT64_MIN

/* All in elements of their axis. Every stride, dilation and known kernel size is at least 1 and
 * all numbers lie within 2^31, so that sums of products of two fit in 64 bits. */
typedef struct hone_spatial {
  int rank;
  hone_dim in[HONE_MAX_SPATIAL], kernel[HONE_MAX_SPATIAL];
  int64_t stride[HONE_MAX_SPATIAL], dilation[HONE_MAX_SPATIAL];
  int64_t before[HONE_MAX_SPATIAL], after[HONE_MAX_SPATIAL]; /* padding; may be negative: a crop */
  hone_dim out[HONE_MAX_SPATIAL]; /* known, the input's symbol, or HONE_DIM_FRESH */
} hone_spatial;

/* Reads the attributes strides, dilations, pads and padding of `node`, and works out paddings of
 * 'same' where `in` is known, and the output sizes; with `ceil` the last window may be cut by the
 * padded end but starts before it. */
HONE_MUST_USE hone_status *hone_spatial_window(const hone_node *node, int rank, const hone_dim *in,
                                               const hone_dim *kernel, bool ceil,
                                               hone_spatial *out);

/* The same attributes of a transposed convolution, with output_padding and output_shape. */
HONE_MUST_USE hone_status *hone_spatial_transposed(const hone_node *node, int rank,
                                                   const hone_dim *in, const hone_dim *kernel,
                                                   hone_spatial *out);

/* The size that the pooling window of a max_unpool undoes to; its indices count in a tensor of this
 * size. */
HONE_MUST_USE hone_status *hone_unpooled_shape(const hone_node *node, const hone_shape *x,
                                               hone_shape *out);

/* Where window tap `tap` of output position `at` lies in the input, as an offset in pixels;
 * false when it is in the padding. */
bool hone_spatial_tap(const hone_spatial *window, const int64_t *at, const int64_t *tap,
                      size_t *offset);

/* The product of `rank` known sizes whose count is known to fit. */
size_t hone_spatial_count(int rank, const int64_t *size);

#endif
