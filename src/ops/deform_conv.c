/* deform_conv: a two-dimensional convolution whose taps are moved by learned offsets and weighed
 * by a mask (Zhu et al., Deformable ConvNets v2, 2018); channels last. Room: ops. */
#include <math.h>

#include "ops/operand.h"
#include "ops/ops.h"
#include "ops/spatial.h"

enum { X, W, OFFSET, BIAS, MASK };

static hone_status *check_channels(const hone_infer *infer, const hone_shape *x,
                                   const hone_shape *w) {
  int64_t groups = hone_node_int(infer->node, "groups");
  int64_t sets = hone_node_int(infer->node, "offset_groups");
  hone_dim channels = x->dim[3], per_group = w->dim[2], filters = w->dim[3];
  if (groups < 1 || sets < 1) return hone_infer_fail(infer, "groups are below 1");
  if (hone_dim_known(channels) && (channels % groups != 0 || channels % sets != 0 ||
                                   (hone_dim_known(per_group) && channels / groups != per_group)))
    return hone_infer_fail(infer, "%lld channels do not fit the groups", (long long)channels);
  if (hone_dim_known(filters) && filters % groups != 0)
    return hone_infer_fail(infer, "%lld filters do not fit the groups", (long long)filters);
  return NULL;
}

/* Input `index` is [n, out…, per * taps * offset_groups]. */
static hone_status *check_field(const hone_infer *infer, int index, const hone_shape *out,
                                const hone_dim *kernel, int64_t per) {
  const hone_type *type = hone_infer_in(infer, index);
  int64_t size = per * hone_node_int(infer->node, "offset_groups");
  HONE_TRY(hone_infer_rank(infer, index, 4));
  if (!type || type->shape.rank < 0) return NULL;
  hone_dim both;
  bool known = hone_dim_known(kernel[0]) && hone_dim_known(kernel[1]);
  bool fits =
      !known || (hone_mul_s64(size, kernel[0], &size) && hone_mul_s64(size, kernel[1], &size) &&
                 hone_dim_unify(type->shape.dim[3], size, &both));
  for (int i = 0; i < 3; i++) fits &= hone_dim_unify(type->shape.dim[i], out->dim[i], &both);
  return fits ? NULL : hone_infer_fail(infer, "input %d does not fit x and w", index);
}

static hone_status *deform_conv_infer(hone_infer *infer) {
  for (int i = X; i <= MASK; i++) {
    HONE_TRY(hone_infer_class(infer, i, HONE_FLOATS));
    HONE_TRY(hone_infer_same_dtype(infer, i));
  }
  HONE_TRY(hone_infer_rank(infer, X, 4));
  HONE_TRY(hone_infer_rank(infer, W, 4));
  HONE_TRY(hone_infer_rank(infer, BIAS, 1));
  infer->out[0] = hone_tensor_type(infer->in[X]->dtype, hone_shape_unknown());
  const hone_shape *x = &infer->in[X]->shape, *w = &infer->in[W]->shape;
  if (x->rank < 0 || w->rank < 0) return NULL;
  if (hone_node_int(infer->node, "offset_groups") > INT32_MAX)
    return hone_infer_fail(infer, "too many offset groups");
  HONE_TRY(check_channels(infer, x, w));
  hone_spatial window;
  HONE_TRY(hone_spatial_window(infer->node, 2, x->dim + 1, w->dim, false, &window));
  hone_shape *out = &infer->out[0].shape;
  *out = hone_shape_of(4, (hone_dim[]){x->dim[0], 0, 0, w->dim[3]});
  for (int i = 0; i < 2; i++)
    out->dim[1 + i] = window.out[i] == HONE_DIM_FRESH ? hone_infer_fresh(infer) : window.out[i];
  HONE_TRY(check_field(infer, OFFSET, out, w->dim, 2));
  HONE_TRY(check_field(infer, MASK, out, w->dim, 1));
  const hone_type *bias = hone_infer_in(infer, BIAS);
  if (bias && bias->shape.rank == 1 &&
      !hone_dim_unify(out->dim[3], bias->shape.dim[0], &out->dim[3]))
    return hone_infer_fail(infer, "the bias does not fit the filters");
  return NULL;
}

typedef struct deformed {
  hone_spatial window;
  size_t channels, filters, groups, sets, taps;
  double *x, *w, *offset, *mask; /* mask: NULL where absent */
} deformed;

/* Bilinear, zero outside. `image` is [height, width, channels]. */
static double sample(const deformed *d, const double *image, double y, double x, size_t c) {
  double height = (double)d->window.in[0], width = (double)d->window.in[1], sum = 0;
  if (!(y > -1 && y < height && x > -1 && x < width)) return 0;
  double top = floor(y), left = floor(x);
  for (int i = 0; i < 4; i++) {
    double py = top + i / 2, px = left + i % 2;
    if (py < 0 || py >= height || px < 0 || px >= width) continue;
    double weight = (1 - fabs(y - py)) * (1 - fabs(x - px));
    sum += weight * image[((size_t)py * (size_t)width + (size_t)px) * d->channels + c];
  }
  return sum;
}

/* Adds all taps to the filters of one output pixel, which is number `pixel` of all. */
static void sum_pixel(const deformed *d, const double *image, const int64_t *at, size_t pixel,
                      double *y) {
  size_t inner = d->channels / d->groups, outer = d->filters / d->groups;
  const hone_spatial *w = &d->window;
  for (size_t tap = 0; tap < d->taps; tap++) {
    double row = (double)(at[0] * w->stride[0] - w->before[0] +
                          (int64_t)tap / w->kernel[1] * w->dilation[0]);
    double column = (double)(at[1] * w->stride[1] - w->before[1] +
                             (int64_t)tap % w->kernel[1] * w->dilation[1]);
    for (size_t c = 0; c < d->channels; c++) {
      size_t set = c / (d->channels / d->sets), field = (pixel * d->sets + set) * d->taps + tap;
      double value =
          sample(d, image, row + d->offset[2 * field], column + d->offset[2 * field + 1], c);
      if (d->mask) value *= d->mask[field];
      size_t group = c / inner;
      const double *weights = d->w + (tap * inner + c % inner) * d->filters + group * outer;
      for (size_t m = 0; m < outer; m++) y[group * outer + m] += value * weights[m];
    }
  }
}

static hone_status *deform_conv_reference(hone_reference *ref) {
  const hone_shape *x = &ref->in[X]->shape, *w = &ref->in[W]->shape;
  deformed d = {.channels = (size_t)x->dim[3],
                .filters = (size_t)w->dim[3],
                .groups = (size_t)hone_node_int(ref->node, "groups"),
                .sets = (size_t)hone_node_int(ref->node, "offset_groups"),
                .taps = (size_t)(w->dim[0] * w->dim[1])};
  double *bias, *y;
  size_t count = hone_datum_count(ref->out[0]), pixel = 0;
  HONE_TRY(hone_spatial_window(ref->node, 2, x->dim + 1, w->dim, false, &d.window));
  HONE_TRY(hone_operand_reals(ref, X, &d.x));
  HONE_TRY(hone_operand_reals(ref, W, &d.w));
  HONE_TRY(hone_operand_reals(ref, OFFSET, &d.offset));
  HONE_TRY(hone_operand_reals(ref, BIAS, &bias));
  HONE_TRY(hone_operand_reals(ref, MASK, &d.mask));
  HONE_TRY(hone_scratch_reals(ref, count, &y));
  size_t image = hone_shape_span(x, 1, 4);
  for (int64_t n = 0; count && n < x->dim[0]; n++) {
    int64_t at[2] = {0};
    do {
      double *sums = y + pixel * d.filters;
      for (size_t m = 0; bias && m < d.filters; m++) sums[m] = bias[m];
      sum_pixel(&d, d.x + (size_t)n * image, at, pixel++, sums);
    } while (hone_step(2, d.window.out, at));
  }
  hone_store_reals(ref->out[0]->dtype, ref->out[0]->data, 0, count, y);
  return NULL;
}

const hone_op hone_op_deform_conv = {
    .name = "deform_conv",
    /* x [n, h, w, c], w [kh, kw, c / groups, m], offset [n, oh, ow, offset_groups * kh * kw * 2]
     * (row, then column), b [m], mask [n, oh, ow, offset_groups * kh * kw] */
    .inputs = "x w offset b? mask?",
    .outputs = "y", /* [n, oh, ow, m] */
    .attrs = {{"strides", HONE_ATTR_INTS, "[]", NULL},
              {"dilations", HONE_ATTR_INTS, "[]", NULL},
              {"pads", HONE_ATTR_INTS, "[]", NULL}, /* before each axis, then after each */
              {"padding", HONE_ATTR_CHOICE, "explicit", "explicit|same_upper|same_lower|valid"},
              {"groups", HONE_ATTR_INT, "1", NULL},
              {"offset_groups", HONE_ATTR_INT, "1", NULL}},
    .facts = HONE_HEAVY,
    .infer = deform_conv_infer,
    .reference = deform_conv_reference,
};
