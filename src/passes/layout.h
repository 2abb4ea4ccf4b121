/* Sinking a transpose below the node that reads it. Room: passes. */
#ifndef HONE_PASSES_LAYOUT_H
#define HONE_PASSES_LAYOUT_H

#include "passes/rewrite.h"

/* y = transpose(x): axis i of y is axis `perm[i]` of x. "Above" is the space of x, where a node
 * computes after its transpose has sunk; "below" that of y, where it computed before. */
typedef struct hone_turn {
  int rank;
  int perm[HONE_MAX_RANK];
} hone_turn;

/* The turn that makes `value`; false when no transpose does. */
bool hone_turn_of(const hone_value *value, hone_turn *turn);
bool hone_turn_equal(const hone_turn *a, const hone_turn *b);
hone_turn hone_turn_inverse(const hone_turn *turn);

/* A copy of `node` with other inputs before it, same attributes, no types yet. */
HONE_MUST_USE hone_status *hone_copy_above(hone_node *node, hone_value *const *inputs, int count,
                                           hone_node **out);
/* Turns the outputs of `above`, whose types it infers, and puts them in the place of `node`'s. */
HONE_MUST_USE hone_status *hone_turn_outputs(hone_node *node, hone_node *above,
                                             const hone_turn *turn);

/* One kind of op: sinks `turn`, which makes input 0 (for ops that take several alike: some input),
 * below `node`; leaves all as it was, and `*done` false, where that cannot be done or does not pay. */
typedef hone_status *hone_sink(hone_node *node, const hone_turn *turn, bool *done);
hone_sink hone_sink_alike, hone_sink_axis, hone_sink_reduce, hone_sink_slice, hone_sink_pad,
    hone_sink_resize, hone_sink_view, hone_sink_norm, hone_sink_matmul;

/* The other way, where it brings two transposes together: `node` goes over the view it reads. */
HONE_MUST_USE hone_status *hone_lift_over_view(hone_node *node, bool *done);

HONE_MUST_USE hone_status *hone_lift_over_pad(hone_node *node, bool *done);
/* A product with constant weights, in either order of their axes, after a flattened transpose: the
 * weights are turned instead. */
HONE_MUST_USE hone_status *hone_turn_weights(hone_node *node, const hone_pass_context *context,
                                             bool *done);

#endif
