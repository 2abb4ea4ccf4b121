/* dft: the discrete Fourier transform along one axis. Room: ops. */
#include <string.h>

#include "ops/fourier.h"
#include "ops/ops.h"

enum { X, LENGTH, AXIS };

/* A scalar of input `index`; the fallback where absent or empty. False: not known yet. */
static bool scalar_of(const hone_infer *infer, int index, int64_t fallback, int64_t *out) {
  size_t count = 0;
  *out = fallback;
  if (!hone_infer_in(infer, index)) return true;
  return hone_infer_ints(infer, index, out, 1, &count);
}

static int64_t default_length(int64_t size, bool folded) {
  return folded ? 2 * (size - 1) : size;
}

static hone_status *dft_infer(hone_infer *infer) {
  bool inverse = hone_node_flag(infer->node, "inverse");
  bool onesided = hone_node_flag(infer->node, "onesided"), folded = inverse && onesided;
  HONE_TRY(hone_infer_class(infer, X, HONE_FLOATS));
  const hone_shape *x = &infer->in[X]->shape;
  infer->out[0] = *infer->in[X];
  if (x->rank < 0) return NULL;
  hone_dim parts = x->rank ? x->dim[x->rank - 1] : 0;
  if (x->rank < 2 || (hone_dim_known(parts) && parts != 1 && parts != 2))
    return hone_infer_fail(infer, "the last axis is to hold one or two parts");
  hone_shape *out = &infer->out[0].shape;
  out->dim[x->rank - 1] = folded ? 1 : 2;
  int64_t where, length;
  int axis;
  if (!scalar_of(infer, AXIS, -2, &where)) {
    for (int i = 0; i < x->rank - 1; i++) out->dim[i] = hone_infer_fresh(infer);
    return NULL;
  }
  if (!hone_axis(where, x->rank, &axis) || axis == x->rank - 1)
    return hone_infer_fail(infer, "axis %lld of %d dimensions", (long long)where, x->rank);
  bool known = scalar_of(infer, LENGTH, -1, &length);
  if (!hone_infer_in(infer, LENGTH)) {
    if (!hone_dim_known(x->dim[axis])) {
      if (onesided) out->dim[axis] = hone_infer_fresh(infer);
      return NULL;
    }
    length = default_length(x->dim[axis], folded);
  }
  if (!known) {
    out->dim[axis] = hone_infer_fresh(infer);
    return NULL;
  }
  if (length < 1 || length > INT32_MAX)
    return hone_infer_fail(infer, "a length of %lld", (long long)length);
  out->dim[axis] = onesided && !inverse ? length / 2 + 1 : length;
  return NULL;
}

/* One line of the transform: where its elements lie. */
typedef struct line {
  const double *x;
  size_t size, stride, parts; /* elements; pairs or singles between them; 1 or 2 numbers each */
} line;

/* The line as `length` pairs, cut or filled with zeros. */
static void load_line(const line *l, size_t length, double *pairs) {
  memset(pairs, 0, 2 * length * sizeof *pairs);
  for (size_t i = 0; i < l->size && i < length; i++)
    memcpy(pairs + 2 * i, l->x + i * l->stride * l->parts, l->parts * sizeof *pairs);
}

/* Completes the half of a spectrum whose other half is its conjugate. */
static void unfold(double *pairs, size_t length) {
  pairs[1] = 0;
  if (length % 2 == 0) pairs[length + 1] = 0;
  for (size_t i = length / 2 + 1; i < length; i++) {
    pairs[2 * i] = pairs[2 * (length - i)];
    pairs[2 * i + 1] = -pairs[2 * (length - i) + 1];
  }
}

static hone_status *dft_reference(hone_reference *ref) {
  const hone_shape *xs = &ref->in[X]->shape, *ys = &ref->out[0]->shape;
  bool inverse = hone_node_flag(ref->node, "inverse");
  bool folded = inverse && hone_node_flag(ref->node, "onesided");
  int64_t *length_value, *axis_value;
  int axis = 0;
  HONE_TRY(hone_operand_ints(ref, LENGTH, &length_value));
  HONE_TRY(hone_operand_ints(ref, AXIS, &axis_value));
  if (!hone_axis(axis_value ? axis_value[0] : -2, xs->rank, &axis))
    return hone_error(HONE_INVALID_ARGUMENT, "dft: no such axis");
  size_t length = (size_t)(length_value && hone_datum_count(ref->in[LENGTH])
                               ? length_value[0]
                               : default_length(xs->dim[axis], folded));
  double *x, *y, *pairs, *spectrum;
  size_t count = hone_datum_count(ref->out[0]);
  hone_fourier fourier;
  if (count == 0) return NULL;
  HONE_TRY(hone_operand_reals(ref, X, &x));
  HONE_TRY(hone_scratch_reals(ref, count, &y));
  HONE_TRY(hone_fourier_prepare(ref, length, inverse, &fourier));
  HONE_TRY(hone_scratch_reals(ref, 2 * length, &pairs));
  HONE_TRY(hone_scratch_reals(ref, 2 * length, &spectrum));
  size_t outer = hone_shape_span(xs, 0, axis), inner = hone_shape_span(xs, axis + 1, xs->rank - 1);
  size_t from_parts = (size_t)xs->dim[xs->rank - 1], to_parts = (size_t)ys->dim[ys->rank - 1];
  size_t size = (size_t)xs->dim[axis], bins = (size_t)ys->dim[axis];
  double scale = inverse ? 1 / (double)length : 1;
  for (size_t o = 0; o < outer; o++)
    for (size_t i = 0; i < inner; i++) {
      line l = {x + (o * size * inner + i) * from_parts, size, inner, from_parts};
      load_line(&l, length, pairs);
      if (folded) unfold(pairs, length);
      hone_fourier_run(&fourier, pairs, spectrum);
      for (size_t k = 0; k < bins; k++)
        for (size_t part = 0; part < to_parts; part++)
          y[((o * bins + k) * inner + i) * to_parts + part] = spectrum[2 * k + part] * scale;
    }
  hone_store_reals(ref->out[0]->dtype, ref->out[0]->data, 0, count, y);
  return NULL;
}

const hone_op hone_op_dft = {
    .name = "dft",
    .inputs = "x length? axis?", /* the last axis: real, or real and imaginary; scalars */
    .outputs = "y",
    .attrs = {{"inverse", HONE_ATTR_FLAG, "false", NULL},   /* divides by the length */
              {"onesided", HONE_ATTR_FLAG, "false", NULL}}, /* half a spectrum out, or in */
    .shape_inputs = 1u << LENGTH | 1u << AXIS,
    .infer = dft_infer,
    .reference = dft_reference,
};
