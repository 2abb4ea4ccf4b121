/* layer_norm, rms_norm: each run of the last axes brought to mean 0 and variance 1, or to mean
 * square 1; then scaled and shifted. Room: ops. */
#include <math.h>

#include "ops/axes.h"
#include "ops/broadcast.h"
#include "ops/operand.h"
#include "ops/ops.h"

enum { X, SCALE, BIAS };

/* Scale and bias broadcast to x, never the other way. */
static hone_status *fits(hone_infer *infer, int index) {
  const hone_type *type = hone_infer_in(infer, index);
  const hone_shape *x = &infer->in[X]->shape;
  if (!type || type->shape.rank < 0 || x->rank < 0) return NULL;
  int lead = x->rank - type->shape.rank;
  bool fit = lead >= 0;
  for (int i = 0; fit && i < type->shape.rank; i++) {
    hone_dim own = type->shape.dim[i], whole = x->dim[lead + i];
    fit = own == 1 || !hone_dim_known(own) || !hone_dim_known(whole) || own == whole;
  }
  return fit ? NULL : hone_infer_fail(infer, "input %d does not broadcast to x", index);
}

static hone_status *last_axes_infer(hone_infer *infer) {
  infer->out[0] = *infer->in[X];
  HONE_TRY(hone_infer_class(infer, X, HONE_FLOATS));
  HONE_TRY(fits(infer, SCALE));
  HONE_TRY(fits(infer, BIAS));
  const hone_shape *x = &infer->in[X]->shape;
  /* Statistics are f32, or f64 for f64, with the normalised axes kept as 1. */
  hone_dtype dtype = infer->in[X]->dtype == HONE_F64 ? HONE_F64 : HONE_F32;
  for (int i = 1; i < infer->output_count; i++) infer->out[i] = hone_tensor_type(dtype, *x);
  if (x->rank < 0) return NULL;
  int axis;
  HONE_TRY(hone_infer_axis(infer, "axis", x->rank, &axis));
  for (int i = 1; i < infer->output_count; i++)
    for (int d = axis; d < x->rank; d++) infer->out[i].shape.dim[d] = 1;
  return NULL;
}

/* Mean (0 unless `centred`) and inverse deviation of `size` elements. */
static void statistics(const double *x, size_t size, bool centred, double epsilon, double *mean,
                       double *inverse) {
  double sum = 0, squares = 0;
  for (size_t i = 0; centred && i < size; i++) sum += x[i];
  *mean = centred ? sum / (double)size : 0;
  for (size_t i = 0; i < size; i++) squares += (x[i] - *mean) * (x[i] - *mean);
  *inverse = 1 / sqrt(squares / (double)size + epsilon);
}

/* A row of scale or bias; rows that start alike are loaded once. */
typedef struct factor {
  const hone_datum *in; /* NULL: absent */
  double *row;
  int64_t loaded; /* where the row in `row` starts; -1: nowhere */
} factor;

static void load_factor(factor *f, const hone_walk *walk, int index) {
  if (f->loaded == walk->at[index]) return;
  f->loaded = walk->at[index];
  int64_t stride = walk->row_stride[index];
  if (stride == 1)
    hone_load_reals(f->in->dtype, f->in->data, (size_t)f->loaded, walk->row, f->row);
  else
    for (size_t i = 0; i < walk->row; i++)
      f->row[i] = hone_load_real(f->in->dtype, f->in->data,
                                 (size_t)(f->loaded + (int64_t)i * stride));
}

/* Stores values[] * scale + bias, each where given; `values` is used up. */
static hone_status *affine(hone_reference *ref, double *values) {
  const hone_datum *y = ref->out[0];
  factor scale = {hone_ref_in(ref, SCALE), NULL, -1}, bias = {hone_ref_in(ref, BIAS), NULL, -1};
  const hone_datum *in[] = {ref->in[X], scale.in, bias.in};
  hone_walk walk;
  hone_walk_start(&walk, &y->shape, in, 3);
  HONE_TRY(hone_scratch_reals(ref, walk.row, &scale.row));
  HONE_TRY(hone_scratch_reals(ref, walk.row, &bias.row));
  for (size_t to = 0; hone_walk_next(&walk); to += walk.row) {
    double *row = values + to;
    if (scale.in) {
      load_factor(&scale, &walk, SCALE);
      for (size_t i = 0; i < walk.row; i++) row[i] *= scale.row[i];
    }
    if (bias.in) {
      load_factor(&bias, &walk, BIAS);
      for (size_t i = 0; i < walk.row; i++) row[i] += bias.row[i];
    }
    hone_store_reals(y->dtype, y->data, to, walk.row, row);
  }
  return NULL;
}

static hone_status *last_axes_reference(hone_reference *ref, bool centred) {
  const hone_shape *shape = &ref->in[X]->shape;
  int axis = hone_ref_axis(ref, "axis", shape->rank);
  size_t runs = hone_shape_span(shape, 0, axis), size = hone_shape_span(shape, axis, shape->rank);
  double epsilon = hone_node_real(ref->node, "epsilon"), *x;
  HONE_TRY(hone_operand_reals(ref, X, &x));
  for (size_t r = 0; r < runs; r++) {
    double mean, inverse, *run = x + r * size;
    statistics(run, size, centred, epsilon, &mean, &inverse);
    for (size_t i = 0; i < size; i++) run[i] = (run[i] - mean) * inverse;
    for (int k = 1; k < ref->output_count; k++)
      if (ref->out[k])
        hone_store_real(ref->out[k]->dtype, ref->out[k]->data, r, k == 1 ? mean : inverse);
  }
  return affine(ref, x);
}

static hone_status *layer_norm_reference(hone_reference *ref) {
  return last_axes_reference(ref, true);
}

static hone_status *rms_norm_reference(hone_reference *ref) {
  return last_axes_reference(ref, false);
}

const hone_op hone_op_layer_norm = {.name = "layer_norm",
                                    .inputs = "x scale? bias?",
                                    .outputs = "y mean? inverse?",
                                    .attrs = {{"axis", HONE_ATTR_INT, "-1", NULL},
                                              {"epsilon", HONE_ATTR_REAL, "1e-05", NULL}},
                                    .facts = HONE_REDUCES,
                                    .infer = last_axes_infer,
                                    .reference = layer_norm_reference};

const hone_op hone_op_rms_norm = {.name = "rms_norm",
                                  .inputs = "x scale?",
                                  .outputs = "y",
                                  .attrs = {{"axis", HONE_ATTR_INT, "-1", NULL},
                                            {"epsilon", HONE_ATTR_REAL, "1e-05", NULL}},
                                  .facts = HONE_REDUCES,
                                  .infer = last_axes_infer,
                                  .reference = rms_norm_reference};
