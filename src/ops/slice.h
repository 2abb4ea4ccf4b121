/* Slices over known sizes. Room: ops. */
#ifndef HONE_OPS_SLICE_H
#define HONE_OPS_SLICE_H

#include "ir/op.h"

/* Where the slice of a tensor of shape `x` begins on each axis, and its steps; `known` are the elements
 * of the node's inputs, of which the first is not looked at. False where some are not known. */
bool hone_slice_begin(const hone_node *node, const hone_shape *x, const hone_datum *const *known,
                      int64_t *begin, int64_t *step);

#endif
