/* Squeeze and excite: a pointwise convolution of what is scaled by one number a channel and picture.
 * Room: ops. The pass that groups and the kernels that scale ask here. */
#ifndef HONE_OPS_GATE_H
#define HONE_OPS_GATE_H

#include "ir/graph.h"

/* The node that scales the input of `conv`, for it alone: a product in f32 of x [n, ..., c] and gates
 * [n or 1, 1, ..., 1, c] that the run computes. NULL where there is none, or the convolution is not
 * 1x1 of one group. `*x` is which input of the node is x. */
const hone_node *hone_gate_of(const hone_node *conv, int *x);

#endif
