/* Where a quantised tensor's scales and zero points lie: one for all, one an axis position, or one
 * a block of an axis. Shared by quantize and dequantize and their kernels. Room: ops. */
#ifndef HONE_OPS_SCALING_H
#define HONE_OPS_SCALING_H

#include "ir/op.h"

typedef struct hone_scaling {
  size_t extent; /* of the scaled axis of x; 1 with one scale for all */
  size_t inner;  /* elements of x after the axis */
  size_t block;  /* positions of the axis that share a scale */
  size_t blocks; /* scales along the axis */
  bool blocked;  /* there are scales for each position of the other axes too */
} hone_scaling;

/* Checks `scale` (and `zero`, where not NULL) against x by the attributes axis and block; all ranks
 * known or not. Used by shape rules. */
HONE_MUST_USE hone_status *hone_scaling_check(const hone_infer *infer, const hone_shape *x,
                                              const hone_shape *scale, const hone_shape *zero);
/* The same for known shapes that passed the check. */
hone_scaling hone_scaling_of(const hone_node *node, const hone_shape *x, const hone_shape *scale);

/* Which scale element `index` of x has. */
static inline size_t hone_scaling_index(const hone_scaling *s, size_t index) {
  size_t inner = index % s->inner, outer = index / s->inner, at = outer % s->extent / s->block;
  return s->blocked ? (outer / s->extent * s->blocks + at) * s->inner + inner : at;
}

#endif
