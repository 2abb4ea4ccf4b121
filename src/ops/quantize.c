/* quantize: y = saturate(round(x / scale) + zero), half to even; to float types the quotient is
 * rounded to the type itself. Room: ops. */
#include <math.h>

#include "ops/operand.h"
#include "ops/ops.h"
#include "ops/scaling.h"

enum { X, SCALE, ZERO };

static hone_status *quantize_infer(hone_infer *infer) {
  HONE_TRY(hone_infer_class(infer, X, HONE_FLOATS | HONE_INTEGERS));
  HONE_TRY(hone_infer_class(infer, SCALE, HONE_FLOATS));
  hone_dtype dtype = hone_node_dtype(infer->node, "dtype");
  const hone_type *zero = hone_infer_in(infer, ZERO);
  hone_dtype_class to = hone_dtype_class_of(dtype);
  if (!((HONE_FLOATS | HONE_INTEGERS) >> to & 1) ||
      (to != HONE_CLASS_FLOAT && hone_dtype_bits(dtype) > 32))
    return hone_infer_fail(infer, "the result cannot be of type %s", hone_dtype_name(dtype));
  hone_dtype precision = hone_node_dtype(infer->node, "precision");
  if (precision && hone_dtype_class_of(precision) != HONE_CLASS_FLOAT)
    return hone_infer_fail(infer, "the precision of %s", hone_dtype_name(precision));
  if (zero && zero->dtype && zero->dtype != dtype)
    return hone_infer_fail(infer, "a zero point of type %s for a result of %s",
                           hone_dtype_name(zero->dtype), hone_dtype_name(dtype));
  infer->out[0] = hone_tensor_type(dtype, infer->in[X]->shape);
  return hone_scaling_check(infer, &infer->in[X]->shape, &infer->in[SCALE]->shape,
                            zero ? &zero->shape : NULL);
}

/* The type whose precision the quotient has: as the attribute says, else the wider operand's. */
static hone_dtype precision_of(const hone_reference *ref) {
  hone_dtype given = hone_node_dtype(ref->node, "precision");
  if (given) return given;
  hone_dtype x = ref->in[X]->dtype, scale = ref->in[SCALE]->dtype;
  if (hone_dtype_class_of(x) != HONE_CLASS_FLOAT) return HONE_F32;
  if (x == scale) return x;
  return hone_dtype_bits(x) == 64 || hone_dtype_bits(scale) == 64 ? HONE_F64 : HONE_F32;
}

static double round_to(hone_dtype dtype, double value) {
  uint64_t bits = 0;
  if (dtype == HONE_F64) return value;
  hone_store_real(dtype, &bits, 0, value);
  return hone_load_real(dtype, &bits, 0);
}

static void store_whole(hone_datum *to, size_t index, double quotient, int64_t zero) {
  unsigned bits = hone_dtype_bits(to->dtype);
  bool is_signed = hone_dtype_class_of(to->dtype) == HONE_CLASS_SIGNED;
  double least = is_signed ? -ldexp(1, (int)bits - 1) : 0;
  double most = ldexp(1, (int)bits - is_signed) - 1;
  double value = isnan(quotient) ? 0 : nearbyint(quotient) + (double)zero;
  value = value < least ? least : value > most ? most : value;
  hone_store_int(to->dtype, to->data, index, (int64_t)value);
}

static hone_status *quantize_reference(hone_reference *ref) {
  double *x, *scale;
  int64_t *zero;
  HONE_TRY(hone_operand_reals(ref, X, &x));
  HONE_TRY(hone_operand_reals(ref, SCALE, &scale));
  HONE_TRY(hone_operand_ints(ref, ZERO, &zero));
  hone_datum *out = ref->out[0];
  hone_scaling scaling = hone_scaling_of(ref->node, &ref->in[X]->shape, &ref->in[SCALE]->shape);
  hone_dtype precision = precision_of(ref);
  bool whole = hone_dtype_class_of(out->dtype) != HONE_CLASS_FLOAT;
  bool saturate = hone_node_flag(ref->node, "saturate");
  size_t count = hone_datum_count(out);
  for (size_t i = 0; i < count; i++) {
    size_t at = hone_scaling_index(&scaling, i);
    double quotient = round_to(precision, x[i] / scale[at]);
    if (whole)
      store_whole(out, i, quotient, zero ? zero[at] : 0);
    else if (saturate)
      hone_store_saturated(out->dtype, out->data, i, quotient);
    else
      hone_store_real(out->dtype, out->data, i, quotient);
  }
  return NULL;
}

const hone_op hone_op_quantize = {
    .name = "quantize",
    .inputs = "x scale zero?",
    .outputs = "y",
    .attrs = {{"axis", HONE_ATTR_INT, "1", NULL},     /* of a scale that is a vector or blocks */
              {"block", HONE_ATTR_INT, "0", NULL},    /* positions a scale; 0: no blocks */
              {"dtype", HONE_ATTR_DTYPE, "u8", NULL}, /* of y and zero */
              {"precision", HONE_ATTR_DTYPE, "none", NULL}, /* of x / scale; none: the wider one */
              {"saturate", HONE_ATTR_FLAG, "true", NULL}},  /* of a float y; integers always do */
    .infer = quantize_infer,
    .reference = quantize_reference,
};
