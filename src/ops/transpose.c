/* transpose: the axes in another order; axis i of the output is axis perm[i] of the input. No perm
 * turns the order around. Room: ops. */
#include "ops/elements.h"
#include "ops/ops.h"

static hone_status *transpose_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  infer->out[0] = *infer->in[0];
  hone_shape *y = &infer->out[0].shape;
  size_t count;
  const int64_t *perm = hone_node_ints(infer->node, "perm", &count);
  if (x->rank < 0) return NULL;
  if (count && count != (size_t)x->rank)
    return hone_infer_fail(infer, "perm of %zu axes for %d dimensions", count, x->rank);
  unsigned seen = 0;
  for (int i = 0; i < x->rank; i++) {
    int from = x->rank - 1 - i;
    if (count && (!hone_axis(perm[i], x->rank, &from) || seen >> from & 1))
      return hone_infer_fail(infer, "perm is not a permutation");
    seen |= 1u << from;
    y->dim[i] = x->dim[from];
  }
  return NULL;
}

static hone_status *transpose_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0], *y = ref->out[0];
  size_t count;
  const int64_t *perm = hone_node_ints(ref->node, "perm", &count);
  int64_t from[HONE_MAX_RANK];
  hone_box box = {.rank = x->shape.rank};
  hone_shape_strides(&x->shape, from);
  hone_shape_strides(&y->shape, box.to_stride);
  for (int i = 0; i < box.rank; i++) {
    int axis = box.rank - 1 - i;
    if (count) (void)hone_axis(perm[i], box.rank, &axis);
    box.size[i] = y->shape.dim[i];
    box.from_stride[i] = from[axis];
  }
  hone_copy_box(x->dtype, y->data, x->data, &box);
  return NULL;
}

const hone_op hone_op_transpose = {.name = "transpose",
                                   .inputs = "x",
                                   .outputs = "y",
                                   .attrs = {{"perm", HONE_ATTR_INTS, "[]", NULL}},
                                   .facts = HONE_MOVES,
                                   .infer = transpose_infer,
                                   .reference = transpose_reference};
