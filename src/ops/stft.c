/* stft: Fourier transforms of windows that slide over a signal. Room: ops. */
#include "ops/fourier.h"
#include "ops/ops.h"

enum { SIGNAL, STEP, WINDOW, LENGTH };

/* The length of a frame: as given, else the window's, else the signal's; a symbol where unknown. */
static hone_dim frame_length(hone_infer *infer) {
  int64_t length;
  size_t count = 0;
  if (hone_infer_in(infer, LENGTH))
    return hone_infer_ints(infer, LENGTH, &length, 1, &count) && count == 1 ? length : -1;
  if (hone_infer_in(infer, WINDOW)) return hone_infer_dim(infer, WINDOW, 0);
  return hone_infer_dim(infer, SIGNAL, 1);
}

static hone_status *stft_infer(hone_infer *infer) {
  HONE_TRY(hone_infer_class(infer, SIGNAL, HONE_FLOATS));
  HONE_TRY(hone_infer_rank(infer, SIGNAL, 3));
  HONE_TRY(hone_infer_class(infer, WINDOW, HONE_FLOATS));
  HONE_TRY(hone_infer_rank(infer, WINDOW, 1));
  hone_dim size = hone_infer_dim(infer, SIGNAL, 1), parts = hone_infer_dim(infer, SIGNAL, 2);
  if (hone_dim_known(parts) && parts != 1 && parts != 2)
    return hone_infer_fail(infer, "the last axis is to hold one or two parts");
  int64_t step = 0;
  size_t count = 0;
  bool stepped = hone_infer_ints(infer, STEP, &step, 1, &count) && count == 1;
  hone_dim length = frame_length(infer), bins, frames, window;
  if ((stepped && step < 1) || length == 0)
    return hone_infer_fail(infer, "frames of %lld every %lld", (long long)length, (long long)step);
  window = hone_infer_in(infer, WINDOW) ? hone_infer_dim(infer, WINDOW, 0) : -1;
  if (hone_dim_known(window) && hone_dim_known(length) && window > length)
    return hone_infer_fail(infer, "a window of %lld in frames of %lld", (long long)window,
                           (long long)length);
  if (hone_dim_known(length) && hone_dim_known(size) && length > size)
    return hone_infer_fail(infer, "frames of %lld in a signal of %lld", (long long)length,
                           (long long)size);
  bool onesided = hone_node_flag(infer->node, "onesided");
  bins = !hone_dim_known(length) ? hone_infer_fresh(infer) : onesided ? length / 2 + 1 : length;
  frames = stepped && hone_dim_known(length) && hone_dim_known(size) ? 1 + (size - length) / step
                                                                     : hone_infer_fresh(infer);
  infer->out[0] = hone_tensor_type(
      infer->in[SIGNAL]->dtype,
      hone_shape_of(4, (hone_dim[]){hone_infer_dim(infer, SIGNAL, 0), frames, bins, 2}));
  return NULL;
}

static hone_status *stft_reference(hone_reference *ref) {
  const hone_shape *xs = &ref->in[SIGNAL]->shape, *ys = &ref->out[0]->shape;
  double *x, *y, *window, *pairs, *spectrum;
  int64_t *step, *given;
  hone_fourier fourier;
  size_t count = hone_datum_count(ref->out[0]);
  if (count == 0) return NULL;
  HONE_TRY(hone_operand_reals(ref, SIGNAL, &x));
  HONE_TRY(hone_operand_reals(ref, WINDOW, &window));
  HONE_TRY(hone_operand_ints(ref, STEP, &step));
  HONE_TRY(hone_operand_ints(ref, LENGTH, &given));
  size_t weights = window ? hone_datum_count(ref->in[WINDOW]) : 0;
  size_t size = (size_t)xs->dim[1], parts = (size_t)xs->dim[2], bins = (size_t)ys->dim[2];
  size_t length = given ? (size_t)given[0] : window ? weights : size, to = 0;
  HONE_TRY(hone_scratch_reals(ref, count, &y));
  HONE_TRY(hone_fourier_prepare(ref, length, false, &fourier));
  HONE_TRY(hone_scratch_reals(ref, 2 * length, &pairs));
  HONE_TRY(hone_scratch_reals(ref, 2 * length, &spectrum));
  for (size_t n = 0; n < (size_t)ys->dim[0]; n++)
    for (size_t frame = 0; frame < (size_t)ys->dim[1]; frame++) {
      const double *from = x + (n * size + frame * (size_t)step[0]) * parts;
      for (size_t i = 0; i < length; i++) {
        double weight = !window ? 1 : i < weights ? window[i] : 0;
        pairs[2 * i] = from[i * parts] * weight;
        pairs[2 * i + 1] = parts == 2 ? from[i * parts + 1] * weight : 0;
      }
      hone_fourier_run(&fourier, pairs, spectrum);
      for (size_t k = 0; k < 2 * bins; k++) y[to++] = spectrum[k];
    }
  hone_store_reals(ref->out[0]->dtype, ref->out[0]->data, 0, count, y);
  return NULL;
}

const hone_op hone_op_stft = {
    .name = "stft",
    .inputs = "x step window? length?", /* [n, samples, 1 or 2]; scalar; [samples]; scalar */
    .outputs = "y",                     /* [n, frames, bins, 2] */
    .attrs = {{"onesided", HONE_ATTR_FLAG, "true", NULL}},
    .shape_inputs = 1u << STEP | 1u << LENGTH,
    .infer = stft_infer,
    .reference = stft_reference,
};
