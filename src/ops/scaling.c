/* Where a quantised tensor's scales and zero points lie. Room: ops. */
#include "ops/operand.h"
#include "ops/scaling.h"

/* One scale for all: a scalar, or a vector of one for whatever x. */
static bool is_single(const hone_shape *scale) {
  return scale->rank == 0 || (scale->rank == 1 && scale->dim[0] == 1);
}

static hone_status *check_blocks(const hone_infer *infer, const hone_shape *x,
                                 const hone_shape *scale, int axis, int64_t block) {
  if (scale->rank != x->rank)
    return hone_infer_fail(infer, "scales of %d dimensions for blocks of an x of %d", scale->rank,
                           x->rank);
  for (int i = 0; i < x->rank; i++) {
    hone_dim has = scale->dim[i], size = x->dim[i];
    if (!hone_dim_known(has) || !hone_dim_known(size)) continue;
    int64_t wants = i == axis ? size / block + (size % block != 0) : size;
    if (has != wants)
      return hone_infer_fail(infer, "%lld scales on axis %d, not %lld", (long long)has, i,
                             (long long)wants);
  }
  return NULL;
}

hone_status *hone_scaling_check(const hone_infer *infer, const hone_shape *x,
                                const hone_shape *scale, const hone_shape *zero) {
  if (x->rank < 0 || scale->rank < 0) return NULL;
  for (int i = 0; zero && zero->rank == scale->rank && i < zero->rank; i++) {
    hone_dim both;
    if (!hone_dim_unify(zero->dim[i], scale->dim[i], &both))
      return hone_infer_fail(infer, "scale and zero point differ in shape");
  }
  if (zero && zero->rank >= 0 && zero->rank != scale->rank &&
      !(is_single(zero) && is_single(scale)))
    return hone_infer_fail(infer, "scale and zero point differ in rank");
  int64_t block = hone_node_int(infer->node, "block");
  if (block < 0) return hone_infer_fail(infer, "block is %lld", (long long)block);
  if (is_single(scale) && block == 0) return NULL;
  int axis;
  if (!hone_axis(hone_node_int(infer->node, "axis"), x->rank, &axis))
    return hone_infer_fail(infer, "axis %lld of %d dimensions",
                           (long long)hone_node_int(infer->node, "axis"), x->rank);
  if (block > 0) return check_blocks(infer, x, scale, axis, block);
  hone_dim both;
  if (scale->rank != 1 || !hone_dim_unify(scale->dim[0], x->dim[axis], &both))
    return hone_infer_fail(infer, "the scales do not fit axis %d of x", axis);
  return NULL;
}

hone_scaling hone_scaling_of(const hone_node *node, const hone_shape *x, const hone_shape *scale) {
  hone_scaling s = {1, 1, 1, 1, false};
  int64_t block = hone_node_int(node, "block");
  int axis;
  if ((is_single(scale) && block == 0) || !hone_axis(hone_node_int(node, "axis"), x->rank, &axis))
    return s;
  s.extent = (size_t)x->dim[axis];
  s.inner = hone_shape_span(x, axis + 1, x->rank);
  s.blocked = block > 0;
  s.block = s.blocked ? (size_t)block : 1;
  s.blocks = s.blocked ? (size_t)scale->dim[axis] : s.extent;
  return s;
}
