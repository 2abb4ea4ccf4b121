/* reverse_sequence: the first lengths[b] positions of the time axis turned around for each entry b
 * of the batch axis. Room: ops. */
#include "ops/axes.h"
#include "ops/elements.h"
#include "ops/ops.h"

static hone_status *reverse_sequence_infer(hone_infer *infer) {
  int rank = infer->in[0]->shape.rank, time, batch;
  infer->out[0] = *infer->in[0];
  if (rank < 0) return NULL;
  HONE_TRY(hone_infer_axis(infer, "time_axis", rank, &time));
  HONE_TRY(hone_infer_axis(infer, "batch_axis", rank, &batch));
  if (time == batch) return hone_infer_fail(infer, "time and batch on one axis");
  const hone_shape *lengths = &infer->in[1]->shape;
  hone_dim entries = infer->in[0]->shape.dim[batch];
  if (lengths->rank >= 0 && (lengths->rank != 1 ||
      (hone_dim_known(entries) && hone_dim_known(lengths->dim[0]) && lengths->dim[0] != entries)))
    return hone_infer_fail(infer, "one length for each batch entry is needed");
  return NULL;
}

static hone_status *reverse_sequence_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0], *lengths = ref->in[1], *y = ref->out[0];
  int rank = x->shape.rank, time = hone_ref_axis(ref, "time_axis", rank);
  int batch = hone_ref_axis(ref, "batch_axis", rank);
  int64_t strides[HONE_MAX_RANK], steps = x->shape.dim[time];
  hone_copy_tensor(y, x);
  hone_shape_strides(&x->shape, strides);
  for (int64_t b = 0; b < x->shape.dim[batch]; b++) {
    int64_t length = hone_load_int(lengths->dtype, lengths->data, (size_t)b);
    if (length < 0 || length > steps)
      return hone_error(HONE_INVALID_ARGUMENT, "length %lld of %lld steps", (long long)length,
                        (long long)steps);
    hone_box box = {.rank = rank, .from = b * strides[batch], .to = b * strides[batch]};
    for (int i = 0; i < rank; i++) {
      box.size[i] = i == time ? length : i == batch ? 1 : x->shape.dim[i];
      box.to_stride[i] = strides[i];
      box.from_stride[i] = i == time ? -strides[i] : strides[i];
    }
    if (length > 0) box.from += (length - 1) * strides[time];
    hone_copy_box(x->dtype, y->data, x->data, &box);
  }
  return NULL;
}

const hone_op hone_op_reverse_sequence = {.name = "reverse_sequence",
                                          .inputs = "x lengths",
                                          .outputs = "y",
                                          .attrs = {{"time_axis", HONE_ATTR_INT, "0", NULL},
                                                    {"batch_axis", HONE_ATTR_INT, "1", NULL}},
                                          .facts = HONE_MOVES,
                                          .infer = reverse_sequence_infer,
                                          .reference = reverse_sequence_reference};
