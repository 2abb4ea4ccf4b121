/* What integer products share: types, and operands less their zero points. Room: ops. */
#include "ops/integer.h"

enum { X = HONE_INTEGER_X, W = HONE_INTEGER_W, X_ZERO = HONE_INTEGER_X_ZERO };
enum { W_ZERO = HONE_INTEGER_W_ZERO, BIAS = HONE_INTEGER_BIAS };

static bool is_byte_or_unknown(hone_dtype dtype) {
  return dtype == HONE_DTYPE_NONE || dtype == HONE_U8 || dtype == HONE_S8;
}

/* A zero point has the type of what it belongs to and at most `rank` axes. */
static hone_status *check_zero(const hone_infer *infer, int of, int zero, int rank) {
  const hone_type *type = hone_infer_in(infer, zero), *bytes = infer->in[of];
  if (!is_byte_or_unknown(bytes->dtype))
    return hone_infer_fail(infer, "input %d is of type %s, not of bytes", of,
                           hone_dtype_name(bytes->dtype));
  if (!type) return NULL;
  if (type->dtype && bytes->dtype && type->dtype != bytes->dtype)
    return hone_infer_fail(infer, "a zero point of type %s for %s", hone_dtype_name(type->dtype),
                           hone_dtype_name(bytes->dtype));
  size_t count;
  bool single = hone_shape_count(&type->shape, &count) && count == 1;
  return single || type->shape.rank <= rank
             ? NULL
             : hone_infer_fail(infer, "a zero point with %d axes", type->shape.rank);
}

hone_status *hone_integer_infer(hone_infer *infer) {
  HONE_TRY(check_zero(infer, X, X_ZERO, 0));
  HONE_TRY(check_zero(infer, W, W_ZERO, 1));
  HONE_TRY(hone_infer_rank(infer, BIAS, 1));
  const hone_type *bias = hone_infer_in(infer, BIAS);
  if (bias && bias->dtype && bias->dtype != HONE_S32)
    return hone_infer_fail(infer, "a bias of type %s", hone_dtype_name(bias->dtype));
  infer->out[0] = hone_tensor_type(HONE_S32, hone_shape_unknown());
  return NULL;
}

/* Operand `of` less the numbers of input `zero`, which repeat along its last axis. */
static hone_status *take_off(hone_reference *ref, int of, int zero, hone_numbers *out) {
  HONE_TRY(hone_operand(ref, of, out));
  hone_numbers numbers;
  HONE_TRY(hone_operand(ref, zero, &numbers));
  if (!numbers.integer) return NULL;
  for (size_t i = 0; i < out->count; i++) out->integer[i] -= numbers.integer[i % numbers.count];
  return NULL;
}

hone_status *hone_integer_operands(hone_reference *ref, hone_numbers *x, hone_numbers *w) {
  HONE_TRY(take_off(ref, X, X_ZERO, x));
  return take_off(ref, W, W_ZERO, w);
}
