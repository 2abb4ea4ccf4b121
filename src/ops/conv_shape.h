/* The shape rule that conv and conv_transpose share. Room: ops. */
#ifndef HONE_OPS_CONV_SHAPE_H
#define HONE_OPS_CONV_SHAPE_H

#include "ops/spatial.h"

/* Their inputs: [n, spatial…, c], the filters, [m]. */
enum { HONE_CONV_X, HONE_CONV_W, HONE_CONV_BIAS };

/* Where they differ: checks the channels, with ranks known and at least one group, and gives the window
 * and the number of filters, which may be HONE_DIM_FRESH. */
typedef hone_status *hone_conv_rule(hone_infer *infer, const hone_shape *x, const hone_shape *w,
                                    hone_spatial *window, hone_dim *filters);

/* Output 0's shape alone, its type being set; the ranks are known. */
HONE_MUST_USE hone_status *hone_infer_conv_shape(hone_infer *infer, const hone_shape *x,
                                                 const hone_shape *w, hone_conv_rule *rule);
/* Types and shape. */
HONE_MUST_USE hone_status *hone_infer_conv(hone_infer *infer, hone_conv_rule *rule);

#endif
