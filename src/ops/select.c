/* select: x where the condition holds, y elsewhere. Room: ops. */
#include "ops/broadcast.h"
#include "ops/elements.h"
#include "ops/ops.h"

static hone_status *select_infer(hone_infer *infer) {
  const hone_type *condition = infer->in[0], *x = infer->in[1], *y = infer->in[2];
  if (condition->dtype && condition->dtype != HONE_BOOL)
    return hone_infer_fail(infer, "the condition is of type %s",
                           hone_dtype_name(condition->dtype));
  if (x->dtype != y->dtype)
    return hone_infer_fail(infer, "inputs of types %s and %s", hone_dtype_name(x->dtype),
                           hone_dtype_name(y->dtype));
  infer->out[0] = hone_tensor_type(x->dtype, hone_shape_unknown());
  hone_shape *shape = &infer->out[0].shape;
  if (!hone_shape_broadcast(infer->graph, &x->shape, &y->shape, shape) ||
      !hone_shape_broadcast(infer->graph, shape, &condition->shape, shape))
    return hone_infer_fail(infer, "the inputs do not broadcast together");
  return NULL;
}

static hone_status *select_reference(hone_reference *ref) {
  const hone_datum *condition = ref->in[0], *out = ref->out[0];
  const uint8_t *holds = condition->data;
  hone_walk walk;
  hone_walk_start(&walk, &out->shape, ref->in, 3);
  for (size_t to = 0; hone_walk_next(&walk); to += walk.row)
    for (size_t i = 0; i < walk.row; i++) {
      int from = holds[walk.at[0] + (int64_t)i * walk.row_stride[0]] ? 1 : 2;
      hone_copy_run(out->dtype, out->data, to + i, ref->in[from]->data,
                    (size_t)(walk.at[from] + (int64_t)i * walk.row_stride[from]), 1);
    }
  return NULL;
}

const hone_op hone_op_select = {.name = "select",
                                .inputs = "condition x y",
                                .outputs = "out",
                                .facts = HONE_POINTWISE,
                                .infer = select_infer,
                                .reference = select_reference};
