/* conv_transpose: the gradient of a convolution with respect to its input, as decoders use it;
 * channels last, any number of spatial axes. Room: ops. */
#include "ops/operand.h"
#include "ops/ops.h"
#include "ops/spatial.h"

enum { X, W, BIAS };

static hone_status *transposed_shape(hone_infer *infer, const hone_shape *x, const hone_shape *w) {
  int rank = x->rank - 2;
  if (rank < 0 || w->rank != x->rank)
    return hone_infer_fail(infer, "x has %d dimensions and w %d; both need 2 + the spatial ones",
                           x->rank, w->rank);
  int64_t groups = hone_node_int(infer->node, "groups");
  hone_dim channels = x->dim[rank + 1], per_group = w->dim[rank], filters = HONE_DIM_FRESH;
  if (groups < 1) return hone_infer_fail(infer, "groups is %lld", (long long)groups);
  if (!hone_dim_unify(channels, w->dim[rank + 1], &channels) ||
      (hone_dim_known(channels) && channels % groups != 0))
    return hone_infer_fail(infer, "%lld channels, %lld in w, %lld groups",
                           (long long)x->dim[rank + 1], (long long)w->dim[rank + 1],
                           (long long)groups);
  if (hone_dim_known(per_group) && !hone_mul_s64(per_group, groups, &filters))
    return hone_infer_fail(infer, "the number of filters overflows");
  hone_spatial window;
  HONE_TRY(hone_spatial_transposed(infer->node, rank, x->dim + 1, w->dim, &window));
  hone_shape *out = &infer->out[0].shape;
  out->rank = x->rank;
  out->dim[0] = x->dim[0];
  for (int i = 0; i < rank; i++)
    out->dim[1 + i] = window.out[i] == HONE_DIM_FRESH ? hone_infer_fresh(infer) : window.out[i];
  out->dim[rank + 1] = filters == HONE_DIM_FRESH ? hone_infer_fresh(infer) : filters;
  return NULL;
}

static hone_status *conv_transpose_infer(hone_infer *infer) {
  HONE_TRY(hone_infer_class(infer, X, HONE_FLOATS | HONE_INTEGERS));
  HONE_TRY(hone_infer_same_dtype(infer, W));
  HONE_TRY(hone_infer_same_dtype(infer, BIAS));
  HONE_TRY(hone_infer_rank(infer, BIAS, 1));
  const hone_shape *x = &infer->in[X]->shape, *w = &infer->in[W]->shape;
  infer->out[0] = hone_tensor_type(infer->in[X]->dtype, hone_shape_unknown());
  if (x->rank < 0 || w->rank < 0) return NULL;
  HONE_TRY(transposed_shape(infer, x, w));
  const hone_type *bias = hone_infer_in(infer, BIAS);
  hone_dim *filters = &infer->out[0].shape.dim[x->rank - 1];
  if (bias && bias->shape.rank == 1 && !hone_dim_unify(*filters, bias->shape.dim[0], filters))
    return hone_infer_fail(infer, "%lld filters with %lld biases", (long long)*filters,
                           (long long)bias->shape.dim[0]);
  return NULL;
}

typedef struct scatter {
  hone_spatial window;
  size_t channels, filters, groups;
  hone_numbers x, w, y;
} scatter;

/* Where input position `at` lands through tap `tap`; false when in the cut-off padding. */
static bool lands(const hone_spatial *window, const int64_t *at, const int64_t *tap,
                  size_t *offset) {
  size_t sum = 0;
  for (int i = 0; i < window->rank; i++) {
    int64_t y = at[i] * window->stride[i] - window->before[i] + tap[i] * window->dilation[i];
    if (y < 0 || y >= window->out[i]) return false;
    sum = sum * (size_t)window->out[i] + (size_t)y;
  }
  *offset = sum;
  return true;
}

/* Adds what the input pixel at element `from` gives to every output pixel of the image that starts
 * at element `image` of y. */
static void scatter_pixel(scatter *s, size_t from, size_t image, const int64_t *at) {
  size_t inner = s->channels / s->groups, outer = s->filters / s->groups, tap_index = 0, offset;
  int64_t tap[HONE_MAX_SPATIAL] = {0};
  do {
    if (lands(&s->window, at, tap, &offset)) {
      for (size_t m = 0; m < s->filters; m++) {
        size_t group = m / outer, row = tap_index * outer + m % outer;
        hone_dot(&s->y, image + offset * s->filters + m, &s->x, from + group * inner, 1, &s->w,
                 row * s->channels + group * inner, 1, inner);
      }
    }
    tap_index++;
  } while (hone_step(s->window.rank, s->window.kernel, tap));
}

static hone_status *conv_transpose_reference(hone_reference *ref) {
  const hone_shape *xs = &ref->in[X]->shape, *ys = &ref->out[0]->shape;
  int rank = xs->rank - 2;
  hone_numbers bias;
  scatter s = {.channels = (size_t)xs->dim[rank + 1],
               .filters = (size_t)ys->dim[rank + 1],
               .groups = (size_t)hone_node_int(ref->node, "groups")};
  HONE_TRY(hone_spatial_transposed(ref->node, rank, xs->dim + 1, ref->in[W]->shape.dim, &s.window));
  HONE_TRY(hone_operand(ref, X, &s.x));
  HONE_TRY(hone_operand(ref, W, &s.w));
  HONE_TRY(hone_operand(ref, BIAS, &bias));
  HONE_TRY(hone_result(ref, 0, &s.y));
  if (s.y.count == 0) return NULL;
  for (size_t i = 0; bias.real && i < s.y.count; i++) s.y.integer[i] = bias.integer[i % s.filters];
  size_t image = hone_spatial_count(rank, s.window.out) * s.filters, from = 0;
  for (size_t n = 0; s.x.count && n < (size_t)xs->dim[0]; n++) {
    int64_t at[HONE_MAX_SPATIAL] = {0};
    do {
      scatter_pixel(&s, from, n * image, at);
      from += s.channels;
    } while (hone_step(rank, s.window.in, at));
  }
  hone_result_store(ref, 0, &s.y);
  return NULL;
}

const hone_op hone_op_conv_transpose = {
    .name = "conv_transpose",
    .inputs = "x w b?", /* [n, spatial…, c]  [kernel…, m / groups, c]  [m] */
    .outputs = "y",     /* [n, spatial…, m] */
    .attrs = {{"strides", HONE_ATTR_INTS, "[]", NULL},
              {"dilations", HONE_ATTR_INTS, "[]", NULL},
              {"pads", HONE_ATTR_INTS, "[]", NULL}, /* cut off before each axis, after each */
              {"padding", HONE_ATTR_CHOICE, "explicit", "explicit|same_upper|same_lower|valid"},
              {"output_padding", HONE_ATTR_INTS, "[]", NULL}, /* added after each axis */
              {"output_shape", HONE_ATTR_INTS, "[]", NULL},   /* spatial; decides the pads */
              {"groups", HONE_ATTR_INT, "1", NULL}},
    .facts = HONE_HEAVY,
    .infer = conv_transpose_infer,
    .reference = conv_transpose_reference,
};
