/* dequantize: y = (x - zero) * scale. Room: ops. */
#include "ops/operand.h"
#include "ops/ops.h"
#include "ops/scaling.h"

enum { X, SCALE, ZERO };

static hone_status *dequantize_infer(hone_infer *infer) {
  HONE_TRY(hone_infer_class(infer, X, HONE_FLOATS | HONE_INTEGERS));
  HONE_TRY(hone_infer_class(infer, SCALE, HONE_FLOATS));
  HONE_TRY(hone_infer_same_dtype(infer, ZERO));
  hone_dtype dtype = hone_node_dtype(infer->node, "dtype");
  if (hone_dtype_class_of(dtype) != HONE_CLASS_FLOAT)
    return hone_infer_fail(infer, "the result cannot be of type %s", hone_dtype_name(dtype));
  const hone_type *zero = hone_infer_in(infer, ZERO);
  infer->out[0] = hone_tensor_type(dtype, infer->in[X]->shape);
  return hone_scaling_check(infer, &infer->in[X]->shape, &infer->in[SCALE]->shape,
                            zero ? &zero->shape : NULL);
}

static hone_status *dequantize_reference(hone_reference *ref) {
  double *x, *scale, *zero;
  HONE_TRY(hone_operand_reals(ref, X, &x));
  HONE_TRY(hone_operand_reals(ref, SCALE, &scale));
  HONE_TRY(hone_operand_reals(ref, ZERO, &zero));
  hone_datum *out = ref->out[0];
  hone_scaling scaling = hone_scaling_of(ref->node, &ref->in[X]->shape, &ref->in[SCALE]->shape);
  size_t count = hone_datum_count(out);
  for (size_t i = 0; i < count; i++) {
    size_t at = hone_scaling_index(&scaling, i);
    x[i] = (x[i] - (zero ? zero[at] : 0)) * scale[at];
  }
  hone_store_reals(out->dtype, out->data, 0, count, x);
  return NULL;
}

const hone_op hone_op_dequantize = {
    .name = "dequantize",
    .inputs = "x scale zero?",
    .outputs = "y",
    .attrs = {{"axis", HONE_ATTR_INT, "1", NULL},       /* of a scale that is a vector or blocks */
              {"block", HONE_ATTR_INT, "0", NULL},      /* positions a scale; 0: no blocks */
              {"dtype", HONE_ATTR_DTYPE, "f32", NULL}}, /* of y */
    .infer = dequantize_infer,
    .reference = dequantize_reference,
};
