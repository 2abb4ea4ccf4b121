/* byte_mean: the mean of bytes over all axes between the first and the last, which stay with size 1;
 * their sum is exact, so that only the quotient is rounded. Room: ops. */
#include <math.h>

#include "ops/operand.h"
#include "ops/ops.h"

static hone_status *byte_mean_infer(hone_infer *infer) {
  hone_dtype dtype = infer->in[0]->dtype;
  hone_shape shape = infer->in[0]->shape;
  if (dtype && dtype != HONE_U8 && dtype != HONE_S8)
    return hone_infer_fail(infer, "the mean of %s", hone_dtype_name(dtype));
  if (shape.rank >= 0 && shape.rank < 2)
    return hone_infer_fail(infer, "the mean of a tensor of rank %d", shape.rank);
  for (int i = 1; i + 1 < shape.rank; i++) shape.dim[i] = 1;
  infer->out[0] = hone_tensor_type(HONE_F32, shape);
  return NULL;
}

/* Of nothing: not a number, as of floats. */
static hone_status *byte_mean_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0];
  const hone_shape *shape = &x->shape;
  float *y = ref->out[0]->data;
  size_t images = hone_shape_span(shape, 0, 1), rows = hone_shape_span(shape, 1, shape->rank - 1);
  size_t columns = hone_shape_span(shape, shape->rank - 1, shape->rank);
  for (size_t n = 0; n < images; n++) {
    for (size_t c = 0; c < columns; c++) {
      int64_t sum = 0, byte;
      for (size_t k = 0; k < rows; k++) {
        hone_load_ints(x->dtype, x->data, (n * rows + k) * columns + c, 1, &byte);
        sum += byte;
      }
      y[n * columns + c] = rows ? (float)((double)sum / (double)rows) : NAN;
    }
  }
  return NULL;
}

const hone_op hone_op_byte_mean = {
    .name = "byte_mean",
    .inputs = "x",  /* u8 or s8 [n, …, c] */
    .outputs = "y", /* f32 [n, 1…, c] */
    .facts = HONE_REDUCES | HONE_FIXED_TYPES,
    .infer = byte_mean_infer,
    .reference = byte_mean_reference,
};
