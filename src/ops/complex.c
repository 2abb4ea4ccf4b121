/* complex_parts, complex_join: complex numbers as pairs of reals along a new last axis, and back.
 * Room: ops. */
#include <string.h>

#include "ops/operand.h"
#include "ops/ops.h"

static hone_status *copy_bytes(hone_reference *ref) {
  size_t bytes;
  if (!hone_shape_bytes(&ref->in[0]->shape, ref->in[0]->dtype, &bytes))
    return hone_error(HONE_LIMIT, "a tensor that is too large");
  if (bytes) memcpy(ref->out[0]->data, ref->in[0]->data, bytes);
  return NULL;
}

static hone_status *parts_infer(hone_infer *infer) {
  hone_type *y = &infer->out[0];
  *y = *infer->in[0];
  HONE_TRY(hone_infer_class(infer, 0, HONE_COMPLEXES));
  y->dtype = y->dtype == HONE_C64 ? HONE_F32 : y->dtype == HONE_C128 ? HONE_F64 : HONE_DTYPE_NONE;
  if (y->shape.rank < 0) return NULL;
  if (y->shape.rank == HONE_MAX_RANK)
    return hone_infer_fail(infer, "pairs of %d dimensions", HONE_MAX_RANK + 1);
  y->shape.dim[y->shape.rank++] = 2;
  return NULL;
}

const hone_op hone_op_complex_parts = {.name = "complex_parts",
                                       .inputs = "x",
                                       .outputs = "y",
                                       .infer = parts_infer,
                                       .reference = copy_bytes};

static hone_status *join_infer(hone_infer *infer) {
  hone_type *y = &infer->out[0];
  hone_dim same;
  *y = *infer->in[0];
  HONE_TRY(hone_infer_class(infer, 0, HONE_FLOATS));
  if (y->dtype && y->dtype != HONE_F32 && y->dtype != HONE_F64)
    return hone_infer_fail(infer, "pairs of %s", hone_dtype_name(y->dtype));
  y->dtype = y->dtype == HONE_F32 ? HONE_C64 : y->dtype == HONE_F64 ? HONE_C128 : HONE_DTYPE_NONE;
  if (y->shape.rank < 0) return NULL;
  if (y->shape.rank == 0 || !hone_dim_unify(y->shape.dim[y->shape.rank - 1], 2, &same))
    return hone_infer_fail(infer, "the last axis is to hold pairs");
  y->shape.rank--;
  return NULL;
}

const hone_op hone_op_complex_join = {.name = "complex_join",
                                      .inputs = "x",
                                      .outputs = "y",
                                      .infer = join_infer,
                                      .reference = copy_bytes};
