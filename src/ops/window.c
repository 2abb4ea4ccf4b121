/* window: the Hann, Hamming and Blackman windows, sums of cosines. Room: ops. */
#include <math.h>

#include "ops/operand.h"
#include "ops/ops.h"

static hone_status *window_infer(hone_infer *infer) {
  hone_dtype dtype = hone_node_dtype(infer->node, "dtype");
  HONE_TRY(hone_infer_class(infer, 0, HONE_INTEGERS));
  if (!((HONE_FLOATS | HONE_INTEGERS) >> hone_dtype_class_of(dtype) & 1))
    return hone_infer_fail(infer, "a window of type %s", hone_dtype_name(dtype));
  int64_t size;
  size_t count;
  if (!hone_infer_ints(infer, 0, &size, 1, &count))
    size = hone_infer_fresh(infer);
  else if (count != 1 || size < 0)
    return hone_infer_fail(infer, "a window of %lld", (long long)size);
  infer->out[0] = hone_tensor_type(dtype, hone_shape_of(1, &size));
  return NULL;
}

static hone_status *window_reference(hone_reference *ref) {
  hone_datum *out = ref->out[0];
  size_t size = hone_datum_count(out);
  char kind = hone_node_text(ref->node, "kind")[2];
  double period = hone_node_flag(ref->node, "periodic") ? (double)size : (double)size - 1;
  /* Weights of cos 0, cos x, cos 2x; Hamming's by ONNX: 25/46 and 21/46. */
  double mean = kind == 'n' ? 0.5 : kind == 'm' ? 25.0 / 46 : 0.42;
  double first = kind == 'n' ? 0.5 : kind == 'm' ? 21.0 / 46 : 0.5;
  double second = kind == 'a' ? 0.08 : 0;
  for (size_t i = 0; i < size; i++) {
    double x = period > 0 ? 2 * M_PI * (double)i / period : 0;
    double y = period > 0 ? mean - first * cos(x) + second * cos(2 * x) : 1;
    hone_store_reals(out->dtype, out->data, i, 1, &y);
  }
  return NULL;
}

const hone_op hone_op_window = {
    .name = "window",
    .inputs = "size", /* a scalar */
    .outputs = "y",   /* [size] */
    .attrs = {{"kind", HONE_ATTR_CHOICE, NULL, "hann|hamming|blackman"},
              {"periodic", HONE_ATTR_FLAG, "true", NULL}, /* else the last weight is the first */
              {"dtype", HONE_ATTR_DTYPE, "f32", NULL}},
    .shape_inputs = 1u,
    .infer = window_infer,
    .reference = window_reference,
};
