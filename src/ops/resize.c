/* resize: nearest, linear and cubic interpolation over any axes, in all of ONNX's ways to place
 * the pixels. Room: ops. */
#include "ops/operand.h"
#include "ops/ops.h"
#include "ops/resize.h"

enum { X, ROI, SCALES, SIZES };

/* One output dim each from what is known: exact, the input's symbol where the scale is 1, or
 * fresh. */
static hone_status *resize_infer(hone_infer *infer) {
  HONE_TRY(hone_infer_class(infer, X, HONE_FLOATS | HONE_INTEGERS | 1u << HONE_CLASS_BOOLEAN));
  const hone_shape *x = &infer->in[X]->shape;
  infer->out[0] = *infer->in[X];
  if (x->rank < 0) return NULL;
  double roi[2 * HONE_MAX_RANK], scales[HONE_MAX_RANK], sizes[HONE_MAX_RANK];
  size_t rois = 0, scale_count = 0, size_count = 0;
  hone_infer_reals(infer, ROI, roi, 2 * HONE_MAX_RANK, &rois);
  bool known = hone_infer_reals(infer, SCALES, scales, HONE_MAX_RANK, &scale_count);
  known = hone_infer_reals(infer, SIZES, sizes, HONE_MAX_RANK, &size_count) || known;
  known = known && scale_count + size_count > 0;
  /* Sizes that are to come count before scales that are here. */
  const hone_type *sizes_type = hone_infer_in(infer, SIZES);
  if (sizes_type && !size_count && !(sizes_type->shape.rank == 1 && sizes_type->shape.dim[0] == 0))
    known = false;
  hone_resize resize = {0};
  hone_shape sample = *x; /* 1 stands for symbols */
  for (int i = 0; i < x->rank; i++)
    if (!hone_dim_known(sample.dim[i])) sample.dim[i] = 1;
  double ones[HONE_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
  size_t count;
  hone_node_ints(infer->node, "axes", &count);
  if (!known)
    HONE_TRY(hone_resize_read(infer->node, &sample, NULL, 0, ones, count ? count : (size_t)x->rank,
                              NULL, 0, &resize));
  else
    HONE_TRY(hone_resize_read(infer->node, &sample, NULL, 0, scales, scale_count, sizes, size_count,
                              &resize));
  bool bound = hone_node_text(infer->node, "policy")[0] != 's' && size_count;
  bool whole = hone_shape_known(x);
  for (int i = 0; i < resize.count; i++) {
    const hone_resize_axis *a = &resize.axes[i];
    hone_dim *out = &infer->out[0].shape.dim[a->axis];
    if (known && (whole || (size_count && !bound)))
      *out = a->out;
    else if (known && !size_count && hone_dim_known(x->dim[a->axis]))
      *out = a->out;
    else if (!known || size_count || a->scale != 1)
      *out = hone_infer_fresh(infer);
  }
  return NULL;
}

/* Resizes one axis of `from`, whose dims are `shape`, into `to`. */
static void resize_axis(const hone_node *node, const hone_resize_axis *a, const hone_shape *shape,
                        const hone_numbers *from, hone_numbers *to, int64_t *index,
                        double *weight) {
  size_t outer = hone_shape_span(shape, 0, a->axis);
  size_t inner = hone_shape_span(shape, a->axis + 1, shape->rank);
  size_t taps = hone_resize_taps(node, a);
  for (int64_t at = 0; at < a->out; at++) {
    hone_resize_tap(node, a, at, index, weight);
    for (size_t o = 0; o < outer; o++) {
      size_t row = (o * (size_t)a->out + (size_t)at) * inner;
      for (size_t t = 0; t < taps; t++) {
        size_t source = (o * (size_t)a->in + (size_t)index[t]) * inner;
        for (size_t i = 0; i < inner; i++) {
          if (to->whole)
            to->integer[row + i] = from->integer[source + i];
          else
            to->real[row + i] += weight[t] * from->real[source + i];
        }
      }
    }
  }
}

/* Writes the extrapolation value wherever a crop left axis `a` of the result. */
static void extrapolate(const hone_node *node, const hone_resize_axis *a, const hone_shape *shape,
                        hone_numbers *y, int64_t *index, double *weight) {
  double value = hone_node_real(node, "extrapolation");
  size_t outer = hone_shape_span(shape, 0, a->axis);
  size_t inner = hone_shape_span(shape, a->axis + 1, shape->rank);
  for (int64_t at = 0; at < a->out; at++) {
    if (hone_resize_tap(node, a, at, index, weight)) continue;
    for (size_t o = 0; o < outer; o++)
      for (size_t i = 0; i < inner; i++) {
        size_t to = (o * (size_t)a->out + (size_t)at) * inner + i;
        if (y->whole)
          y->integer[to] = (uint64_t)(int64_t)value;
        else
          y->real[to] = value;
      }
  }
}

static hone_status *read_resize(hone_reference *ref, hone_resize *out) {
  double *values[4] = {NULL};
  size_t counts[4] = {0};
  for (int i = ROI; i <= SIZES; i++) {
    HONE_TRY(hone_operand_reals(ref, i, &values[i]));
    if (values[i]) counts[i] = hone_datum_count(ref->in[i]);
  }
  return hone_resize_read(ref->node, &ref->in[X]->shape, values[ROI], counts[ROI], values[SCALES],
                          counts[SCALES], values[SIZES], counts[SIZES], out);
}

/* Interpolating integers goes through doubles and rounds at the end. */
static hone_status *read_x(hone_reference *ref, hone_numbers *x) {
  if (hone_node_text(ref->node, "mode")[0] == 'n') return hone_operand(ref, X, x);
  *x = (hone_numbers){.count = hone_datum_count(ref->in[X])};
  return hone_operand_reals(ref, X, &x->real);
}

static hone_status *resize_reference(hone_reference *ref) {
  hone_resize resize;
  hone_numbers x;
  HONE_TRY(read_resize(ref, &resize));
  HONE_TRY(read_x(ref, &x));
  hone_shape shape = ref->in[X]->shape;
  size_t most = 1;
  for (int i = 0; i < resize.count; i++) {
    size_t taps = hone_resize_taps(ref->node, &resize.axes[i]);
    if (taps > most && resize.axes[i].out > 0) most = taps;
  }
  int64_t *index = HONE_NEW_ARRAY(ref->scratch, most, int64_t);
  double *weight = HONE_NEW_ARRAY(ref->scratch, most, double);
  if (!index || !weight) return hone_error_memory();
  if (hone_datum_count(ref->out[0]) == 0) return NULL;
  for (int i = 0; i < resize.count; i++) {
    const hone_resize_axis *a = &resize.axes[i];
    if (a->in == a->out && a->scale == 1 && a->begin == 0 && a->end == 1) continue;
    hone_shape to = shape;
    to.dim[a->axis] = a->out;
    hone_numbers next = {.whole = x.whole};
    if (!hone_shape_count(&to, &next.count))
      return hone_error(HONE_LIMIT, "resize: the sizes overflow");
    HONE_TRY(hone_scratch_reals(ref, next.count, &next.real));
    resize_axis(ref->node, a, &shape, &x, &next, index, weight);
    x = next;
    shape = to;
  }
  for (int i = 0; i < resize.count; i++)
    extrapolate(ref->node, &resize.axes[i], &shape, &x, index, weight);
  hone_result_store(ref, 0, &x);
  return NULL;
}

const hone_op hone_op_resize = {
    .name = "resize",
    /* roi: begins, then ends, of the axes; scales or sizes: one an axis (both given: sizes). Empty
     * tensors count as absent. */
    .inputs = "x roi? scales? sizes?",
    .outputs = "y",
    .attrs = {{"mode", HONE_ATTR_CHOICE, "nearest", "nearest|linear|cubic"},
              {"coordinates", HONE_ATTR_CHOICE, "half_pixel",
               "half_pixel|half_pixel_symmetric|pytorch_half_pixel|align_corners|asymmetric|"
               "tf_half_pixel_for_nn|tf_crop_and_resize"},
              {"nearest", HONE_ATTR_CHOICE, "round_prefer_floor",
               "round_prefer_floor|round_prefer_ceil|floor|ceil"},
              {"cubic_a", HONE_ATTR_REAL, "-0.75", NULL},
              {"cubic_steps", HONE_ATTR_INT, "0", NULL}, /* places between two pixels; 0: any */
              {"exclude_outside", HONE_ATTR_FLAG, "false", NULL},
              {"extrapolation", HONE_ATTR_REAL, "0", NULL},
              {"antialias", HONE_ATTR_FLAG, "false", NULL},
              {"axes", HONE_ATTR_INTS, "[]", NULL}, /* empty: all */
              {"policy", HONE_ATTR_CHOICE, "stretch", "stretch|not_larger|not_smaller"}},
    .shape_inputs = 1u << SCALES | 1u << SIZES,
    .infer = resize_infer,
    .reference = resize_reference,
};
