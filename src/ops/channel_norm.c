/* batch_norm, instance_norm, group_norm, lrn: normalisation with one scale and bias a channel.
 * Room: ops. */
#include <math.h>

#include "ops/axes.h"
#include "ops/operand.h"
#include "ops/ops.h"

/* The axis of channels, and that each of inputs 1… is a vector of their number. */
static hone_status *channels_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  infer->out[0] = *infer->in[0];
  HONE_TRY(hone_infer_class(infer, 0, HONE_FLOATS));
  if (x->rank < 0) return NULL;
  int axis;
  HONE_TRY(hone_infer_axis(infer, "axis", x->rank, &axis));
  hone_dim channels = x->dim[axis];
  for (int i = 1; i < infer->input_count; i++) {
    const hone_shape *each = infer->in[i] ? &infer->in[i]->shape : NULL;
    if (!each || each->rank < 0) continue;
    if (each->rank != 1 || (hone_dim_known(each->dim[0]) && hone_dim_known(channels) &&
                            each->dim[0] != channels))
      return hone_infer_fail(infer, "input %d is not one value for each of %lld channels", i,
                             (long long)channels);
  }
  return NULL;
}

/* Input `index` as doubles, `fallback` for each channel where absent. */
static hone_status *per_channel(hone_reference *ref, int index, size_t channels, double fallback,
                                double **out) {
  if (hone_ref_in(ref, index)) return hone_operand_reals(ref, index, out);
  HONE_TRY(hone_scratch_reals(ref, channels, out));
  for (size_t c = 0; c < channels; c++) (*out)[c] = fallback;
  return NULL;
}

static hone_status *batch_norm_reference(hone_reference *ref) {
  const hone_datum *y = ref->out[0];
  hone_line line =
      hone_line_of(&y->shape, hone_ref_axis(ref, "axis", y->shape.rank));
  double epsilon = hone_node_real(ref->node, "epsilon"), *x, *each[5];
  HONE_TRY(hone_operand_reals(ref, 0, &x));
  for (int i = 1; i < 5; i++) HONE_TRY(per_channel(ref, i, line.size, 0, &each[i]));
  size_t at = 0;
  for (size_t o = 0; o < line.outer; o++)
    for (size_t c = 0; c < line.size; c++) {
      double scale = each[1][c] / sqrt(each[4][c] + epsilon);
      for (size_t n = 0; n < line.inner; n++, at++)
        x[at] = (x[at] - each[3][c]) * scale + each[2][c];
    }
  hone_store_reals(y->dtype, y->data, 0, at, x);
  return NULL;
}

const hone_op hone_op_batch_norm = {.name = "batch_norm",
                                    .inputs = "x scale bias mean variance",
                                    .outputs = "y",
                                    .attrs = {{"epsilon", HONE_ATTR_REAL, "1e-05", NULL},
                                              {"axis", HONE_ATTR_INT, "-1", NULL}},
                                    .infer = channels_infer,
                                    .reference = batch_norm_reference};

/* Sums of what falls to one entry and group. */
typedef struct moments {
  double sum, squares, count;
} moments;

/* Each entry of the first axis and each of `groups` runs of channels is normalised by itself. */
static hone_status *normalise_groups(hone_reference *ref, size_t groups) {
  const hone_datum *y = ref->out[0];
  int axis = hone_ref_axis(ref, "axis", y->shape.rank);
  hone_line line = hone_line_of(&y->shape, axis);
  size_t total = hone_datum_count(y), batch = (size_t)y->shape.dim[0];
  if (total == 0) return NULL;
  size_t per_group = line.size / groups, per_entry = line.outer / batch;
  double epsilon = hone_node_real(ref->node, "epsilon"), *x, *scale, *bias;
  moments *all = HONE_NEW_ARRAY(ref->scratch, batch * groups, moments);
  HONE_TRY_MEMORY(all);
  HONE_TRY(hone_operand_reals(ref, 0, &x));
  HONE_TRY(per_channel(ref, 1, line.size, 1, &scale));
  HONE_TRY(per_channel(ref, 2, line.size, 0, &bias));
  for (int pass = 0; pass < 3; pass++) /* mean, then variance, then the result */
    for (size_t i = 0; i < total; i++) {
      size_t c = i / line.inner % line.size, entry = i / line.inner / line.size / per_entry;
      moments *m = &all[entry * groups + c / per_group];
      if (pass == 0) {
        m->sum += x[i];
        m->count++;
      } else {
        double off = x[i] - m->sum / m->count;
        if (pass == 1) m->squares += off * off;
        else x[i] = off / sqrt(m->squares / m->count + epsilon) * scale[c] + bias[c];
      }
    }
  hone_store_reals(y->dtype, y->data, 0, total, x);
  return NULL;
}

static hone_status *group_norm_infer(hone_infer *infer) {
  HONE_TRY(channels_infer(infer));
  const hone_shape *x = &infer->in[0]->shape;
  int64_t groups = hone_node_int(infer->node, "groups");
  int axis;
  if (groups < 1) return hone_infer_fail(infer, "%lld groups", (long long)groups);
  if (x->rank < 0) return NULL;
  HONE_TRY(hone_infer_axis(infer, "axis", x->rank, &axis));
  if (axis == 0) return hone_infer_fail(infer, "the channels are on the batch axis");
  if (hone_dim_known(x->dim[axis]) && x->dim[axis] % groups != 0)
    return hone_infer_fail(infer, "%lld channels in %lld groups", (long long)x->dim[axis],
                           (long long)groups);
  return NULL;
}

static hone_status *group_norm_reference(hone_reference *ref) {
  return normalise_groups(ref, (size_t)hone_node_int(ref->node, "groups"));
}

const hone_op hone_op_group_norm = {.name = "group_norm",
                                    .inputs = "x scale? bias?",
                                    .outputs = "y",
                                    .attrs = {{"groups", HONE_ATTR_INT, "1", NULL},
                                              {"epsilon", HONE_ATTR_REAL, "1e-05", NULL},
                                              {"axis", HONE_ATTR_INT, "-1", NULL}},
                                    .facts = HONE_REDUCES,
                                    .infer = group_norm_infer,
                                    .reference = group_norm_reference};

static hone_status *instance_norm_infer(hone_infer *infer) {
  int axis = 1;
  HONE_TRY(channels_infer(infer));
  if (infer->in[0]->shape.rank >= 0)
    HONE_TRY(hone_infer_axis(infer, "axis", infer->in[0]->shape.rank, &axis));
  return axis ? NULL : hone_infer_fail(infer, "the channels are on the batch axis");
}

static hone_status *instance_norm_reference(hone_reference *ref) {
  const hone_shape *x = &ref->in[0]->shape;
  return normalise_groups(ref, (size_t)x->dim[hone_ref_axis(ref, "axis", x->rank)]);
}

const hone_op hone_op_instance_norm = {.name = "instance_norm",
                                       .inputs = "x scale? bias?",
                                       .outputs = "y",
                                       .attrs = {{"epsilon", HONE_ATTR_REAL, "1e-05", NULL},
                                                 {"axis", HONE_ATTR_INT, "-1", NULL}},
                                       .facts = HONE_REDUCES,
                                       .infer = instance_norm_infer,
                                       .reference = instance_norm_reference};

static hone_status *lrn_infer(hone_infer *infer) {
  infer->out[0] = *infer->in[0];
  if (infer->in[0]->shape.rank == 0) return hone_infer_fail(infer, "x is a scalar");
  if (hone_node_int(infer->node, "size") < 1) return hone_infer_fail(infer, "a size below 1");
  return hone_infer_class(infer, 0, HONE_FLOATS);
}

/* x / (bias + alpha / size * sum of squares of `size` channels around)^beta; channels last. */
static hone_status *lrn_reference(hone_reference *ref) {
  const hone_datum *y = ref->out[0];
  int64_t size = hone_node_int(ref->node, "size"), channels = y->shape.dim[y->shape.rank - 1];
  double alpha = hone_node_real(ref->node, "alpha"), beta = hone_node_real(ref->node, "beta");
  double bias = hone_node_real(ref->node, "bias"), *x;
  size_t pixels = hone_shape_span(&y->shape, 0, y->shape.rank - 1);
  int64_t before = (size - 1) / 2, after = size - 1 - before;
  HONE_TRY(hone_operand_reals(ref, 0, &x));
  for (size_t p = 0; p < pixels; p++)
    for (int64_t c = 0; c < channels; c++) {
      const double *pixel = x + p * (size_t)channels;
      int64_t first = c > before ? c - before : 0;
      int64_t last = after < channels - 1 - c ? c + after : channels - 1;
      double sum = 0;
      for (int64_t i = first; i <= last; i++) sum += pixel[i] * pixel[i];
      hone_store_real(y->dtype, y->data, p * (size_t)channels + (size_t)c,
                      pixel[c] / pow(bias + alpha / (double)size * sum, beta));
    }
  return NULL;
}

const hone_op hone_op_lrn = {.name = "lrn",
                             .inputs = "x",
                             .outputs = "y",
                             .attrs = {{"size", HONE_ATTR_INT, NULL, NULL},
                                       {"alpha", HONE_ATTR_REAL, "0.0001", NULL},
                                       {"beta", HONE_ATTR_REAL, "0.75", NULL},
                                       {"bias", HONE_ATTR_REAL, "1", NULL}},
                             .infer = lrn_infer,
                             .reference = lrn_reference};
