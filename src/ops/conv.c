/* conv: convolution (correlation, as all frameworks spell it) over any number of spatial axes,
 * grouped, channels last. Room: ops. */
#include "ops/operand.h"
#include "ops/ops.h"
#include "ops/spatial.h"

enum { X, W, BIAS };

/* Fills output 0 where ranks are known. */
static hone_status *conv_shape(hone_infer *infer, const hone_shape *x, const hone_shape *w) {
  int rank = x->rank - 2;
  if (rank < 0 || w->rank != x->rank)
    return hone_infer_fail(infer, "x has %d dimensions and w %d; both need 2 + the spatial ones",
                           x->rank, w->rank);
  int64_t groups = hone_node_int(infer->node, "groups");
  hone_dim channels = x->dim[rank + 1], per_group = w->dim[rank], filters = w->dim[rank + 1];
  if (groups < 1) return hone_infer_fail(infer, "groups is %lld", (long long)groups);
  if (hone_dim_known(filters) && filters % groups != 0)
    return hone_infer_fail(infer, "%lld filters in %lld groups", (long long)filters,
                           (long long)groups);
  if (hone_dim_known(channels) && hone_dim_known(per_group) &&
      (channels % groups != 0 || channels / groups != per_group))
    return hone_infer_fail(infer, "x has %lld channels, w %lld in each of %lld groups",
                           (long long)channels, (long long)per_group, (long long)groups);
  hone_spatial window;
  HONE_TRY(hone_spatial_window(infer->node, rank, x->dim + 1, w->dim, false, &window));
  hone_shape *out = &infer->out[0].shape;
  out->rank = x->rank;
  out->dim[0] = x->dim[0];
  for (int i = 0; i < rank; i++)
    out->dim[1 + i] = window.out[i] == HONE_DIM_FRESH ? hone_infer_fresh(infer) : window.out[i];
  out->dim[rank + 1] = filters;
  return NULL;
}

static hone_status *conv_infer(hone_infer *infer) {
  HONE_TRY(hone_infer_class(infer, X, HONE_FLOATS | HONE_INTEGERS));
  HONE_TRY(hone_infer_same_dtype(infer, W));
  HONE_TRY(hone_infer_same_dtype(infer, BIAS));
  HONE_TRY(hone_infer_rank(infer, BIAS, 1));
  const hone_shape *x = &infer->in[X]->shape, *w = &infer->in[W]->shape;
  infer->out[0] = hone_tensor_type(infer->in[X]->dtype, hone_shape_unknown());
  if (x->rank < 0 || w->rank < 0) return NULL;
  HONE_TRY(conv_shape(infer, x, w));
  const hone_type *bias = hone_infer_in(infer, BIAS);
  hone_dim *filters = &infer->out[0].shape.dim[x->rank - 1];
  if (bias && bias->shape.rank == 1 && !hone_dim_unify(*filters, bias->shape.dim[0], filters))
    return hone_infer_fail(infer, "%lld filters with %lld biases", (long long)*filters,
                           (long long)bias->shape.dim[0]);
  return NULL;
}

/* What one pixel's sums need. */
typedef struct conv_pixel {
  const hone_spatial *window;
  size_t channels, filters, groups; /* in all groups together */
  const hone_numbers *x, *w;
} conv_pixel;

/* Adds every tap of the window at `at` to the `filters` sums from y[to] on; x's image starts at
 * element `image`. */
static void conv_sum(const conv_pixel *p, size_t image, const int64_t *at, hone_numbers *y,
                     size_t to) {
  size_t inner = p->channels / p->groups, outer = p->filters / p->groups, tap_index = 0, offset;
  int64_t tap[HONE_MAX_SPATIAL] = {0};
  do {
    if (hone_spatial_tap(p->window, at, tap, &offset)) {
      for (size_t c = 0; c < p->channels; c++) {
        size_t group = c / inner, row = tap_index * inner + c % inner;
        hone_axpy(y, to + group * outer, p->x, image + offset * p->channels + c, p->w,
                  row * p->filters + group * outer, outer);
      }
    }
    tap_index++;
  } while (hone_step(p->window->rank, p->window->kernel, tap));
}

static hone_status *conv_reference(hone_reference *ref) {
  const hone_shape *xs = &ref->in[X]->shape, *ws = &ref->in[W]->shape;
  int rank = xs->rank - 2;
  hone_spatial window;
  hone_numbers x, w, bias, y;
  HONE_TRY(hone_spatial_window(ref->node, rank, xs->dim + 1, ws->dim, false, &window));
  HONE_TRY(hone_operand(ref, X, &x));
  HONE_TRY(hone_operand(ref, W, &w));
  HONE_TRY(hone_operand(ref, BIAS, &bias));
  HONE_TRY(hone_result(ref, 0, &y));
  if (y.count == 0) return NULL;
  conv_pixel pixel = {&window,
                      (size_t)xs->dim[rank + 1],
                      (size_t)ws->dim[rank + 1],
                      (size_t)hone_node_int(ref->node, "groups"),
                      &x,
                      &w};
  size_t image = hone_spatial_count(rank, window.in) * pixel.channels, to = 0;
  for (int64_t n = 0; n < xs->dim[0]; n++) {
    int64_t at[HONE_MAX_SPATIAL] = {0};
    do {
      if (bias.real)
        for (size_t m = 0; m < pixel.filters; m++) y.integer[to + m] = bias.integer[m];
      conv_sum(&pixel, (size_t)n * image, at, &y, to);
      to += pixel.filters;
    } while (hone_step(rank, window.out, at));
  }
  hone_result_store(ref, 0, &y);
  return NULL;
}

const hone_op hone_op_conv = {
    .name = "conv",
    .inputs = "x w b?", /* [n, spatial…, c]  [kernel…, c / groups, m]  [m] */
    .outputs = "y",     /* [n, spatial…, m] */
    .attrs = {{"strides", HONE_ATTR_INTS, "[]", NULL},
              {"dilations", HONE_ATTR_INTS, "[]", NULL},
              {"pads", HONE_ATTR_INTS, "[]", NULL}, /* before each axis, then after each */
              {"padding", HONE_ATTR_CHOICE, "explicit", "explicit|same_upper|same_lower|valid"},
              {"groups", HONE_ATTR_INT, "1", NULL},
              {"exact", HONE_ATTR_FLAG, "false", NULL}}, /* sums of products, no transforms */
    .facts = HONE_HEAVY,
    .infer = conv_infer,
    .reference = conv_reference,
};
