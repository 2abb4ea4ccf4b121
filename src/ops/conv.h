/* What conv and conv_integer share. Room: ops. */
#ifndef HONE_OPS_CONV_H
#define HONE_OPS_CONV_H

#include "ops/conv_shape.h"
#include "ops/operand.h"

/* The rule of a convolution, for conv_shape.h. */
HONE_MUST_USE hone_status *hone_conv_window(hone_infer *infer, const hone_shape *x,
                                            const hone_shape *w, hone_spatial *window,
                                            hone_dim *filters);
/* y = sums over windows of inputs 0 and 1, given as the numbers x and w, on top of the bias; what lies
 * outside of x is 0. */
HONE_MUST_USE hone_status *hone_conv_sums(hone_reference *ref, const hone_numbers *x,
                                          const hone_numbers *w, const hone_numbers *bias,
                                          hone_numbers *y);

#endif
