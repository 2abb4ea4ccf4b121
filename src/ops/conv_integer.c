/* conv_integer: convolution of bytes in exact integers, channels last; what lies outside of x counts as
 * its zero point. Room: ops. */
#include "ops/conv.h"
#include "ops/integer.h"
#include "ops/ops.h"

enum { X = HONE_INTEGER_X, W = HONE_INTEGER_W, BIAS = HONE_INTEGER_BIAS };

static hone_status *conv_integer_infer(hone_infer *infer) {
  HONE_TRY(hone_integer_infer(infer));
  const hone_shape *x = &infer->in[X]->shape, *w = &infer->in[W]->shape;
  return x->rank < 0 || w->rank < 0 ? NULL : hone_infer_conv_shape(infer, x, w, hone_conv_window);
}

static hone_status *conv_integer_reference(hone_reference *ref) {
  hone_numbers x, w, bias, y;
  HONE_TRY(hone_integer_operands(ref, &x, &w));
  HONE_TRY(hone_operand(ref, BIAS, &bias));
  HONE_TRY(hone_result(ref, 0, &y));
  HONE_TRY(hone_conv_sums(ref, &x, &w, &bias, &y));
  hone_result_store(ref, 0, &y);
  return NULL;
}

const hone_op hone_op_conv_integer = {
    .name = "conv_integer",
    .inputs = "x w x_zero? w_zero? b?", /* [n, spatial…, c]  [kernel…, c / groups, m]  []  [] or [m]
                                           [m] */
    .outputs = "y",                     /* s32 [n, spatial…, m] */
    .attrs = {{"strides", HONE_ATTR_INTS, "[]", NULL},
              {"dilations", HONE_ATTR_INTS, "[]", NULL},
              {"pads", HONE_ATTR_INTS, "[]", NULL}, /* before each axis, then after each */
              {"padding", HONE_ATTR_CHOICE, "explicit", "explicit|same_upper|same_lower|valid"},
              {"groups", HONE_ATTR_INT, "1", NULL}},
    .facts = HONE_HEAVY,
    .infer = conv_integer_infer,
    .reference = conv_integer_reference,
};
