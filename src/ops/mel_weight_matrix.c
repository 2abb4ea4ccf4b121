/* mel_weight_matrix: triangular filters, evenly spaced on the mel scale, over the bins of a
 * spectrum. Room: ops. */
#include <math.h>

#include "ops/operand.h"
#include "ops/ops.h"

enum { BINS, LENGTH, RATE, LOWEST, HIGHEST };

static hone_status *mel_infer(hone_infer *infer) {
  hone_dtype dtype = hone_node_dtype(infer->node, "dtype");
  if (!((HONE_FLOATS | HONE_INTEGERS) >> hone_dtype_class_of(dtype) & 1))
    return hone_infer_fail(infer, "a matrix of type %s", hone_dtype_name(dtype));
  int64_t filters, length;
  size_t count;
  if (!hone_infer_ints(infer, BINS, &filters, 1, &count))
    filters = hone_infer_fresh(infer);
  else if (count != 1 || filters < 0 || filters > INT32_MAX)
    return hone_infer_fail(infer, "%lld filters", (long long)filters);
  if (!hone_infer_ints(infer, LENGTH, &length, 1, &count))
    length = hone_infer_fresh(infer);
  else if (count != 1 || length < 0)
    return hone_infer_fail(infer, "a transform of length %lld", (long long)length);
  else
    length = length / 2 + 1;
  infer->out[0] = hone_tensor_type(dtype, hone_shape_of(2, (hone_dim[]){length, filters}));
  return NULL;
}

static double mel_of(double hertz) {
  return 2595 * log10(1 + hertz / 700);
}
static double hertz_of(double mel) {
  return 700 * (pow(10, mel / 2595) - 1);
}

/* One filter: rises from bin `low` to `center` and falls to `high`. */
static void fill_filter(double *y, int64_t bins, int64_t filters, int64_t column, int64_t low,
                        int64_t center, int64_t high) {
  if (low == center && center >= 0 && center < bins) y[center * filters + column] = 1;
  for (int64_t i = low < 0 ? 0 : low; low != center && i <= center && i < bins; i++)
    y[i * filters + column] = (double)(i - low) / (double)(center - low);
  for (int64_t i = center < 0 ? 0 : center; i < high && i < bins; i++)
    y[i * filters + column] = (double)(high - i) / (double)(high - center);
}

static int64_t to_bin(double x) {
  return fabs(x) < 1e15 ? (int64_t)x : -1;
}

static hone_status *mel_reference(hone_reference *ref) {
  double *scalar[5], *y;
  for (int i = 0; i < 5; i++) {
    HONE_TRY(hone_operand_reals(ref, i, &scalar[i]));
    if (hone_datum_count(ref->in[i]) != 1)
      return hone_error(HONE_INVALID_ARGUMENT, "mel_weight_matrix: input %d is no scalar", i);
  }
  int64_t bins = ref->out[0]->shape.dim[0], filters = ref->out[0]->shape.dim[1];
  size_t count = hone_datum_count(ref->out[0]);
  HONE_TRY(hone_scratch_reals(ref, count, &y));
  double lowest = mel_of(scalar[LOWEST][0]), highest = mel_of(scalar[HIGHEST][0]);
  double step = (highest - lowest) / (double)(filters + 2);
  for (int64_t i = 0; i < filters; i++) {
    int64_t edge[3];
    for (int e = 0; e < 3; e++)
      edge[e] = to_bin(floor((scalar[LENGTH][0] + 1) * hertz_of(lowest + (double)(i + e) * step) /
                             scalar[RATE][0]));
    fill_filter(y, bins, filters, i, edge[0], edge[1], edge[2]);
  }
  hone_store_reals(ref->out[0]->dtype, ref->out[0]->data, 0, count, y);
  return NULL;
}

const hone_op hone_op_mel_weight_matrix = {
    .name = "mel_weight_matrix",
    .inputs = "filters length rate lowest highest", /* scalars; the last three in hertz */
    .outputs = "y",                                 /* [length / 2 + 1, filters] */
    .attrs = {{"dtype", HONE_ATTR_DTYPE, "f32", NULL}},
    .shape_inputs = 1u << BINS | 1u << LENGTH,
    .infer = mel_infer,
    .reference = mel_reference,
};
