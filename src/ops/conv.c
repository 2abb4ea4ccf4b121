/* conv: convolution (correlation, as all frameworks spell it) over any number of spatial axes,
 * grouped, channels last. Room: ops. */
#include "ops/conv.h"

#include "ops/ops.h"

hone_status *hone_conv_window(hone_infer *infer, const hone_shape *x, const hone_shape *w,
                              hone_spatial *window, hone_dim *filters) {
  int rank = x->rank - 2;
  int64_t groups = hone_node_int(infer->node, "groups");
  hone_dim channels = x->dim[rank + 1], per_group = w->dim[rank];
  *filters = w->dim[rank + 1];
  if (hone_dim_known(*filters) && *filters % groups != 0)
    return hone_infer_fail(infer, "%lld filters in %lld groups", (long long)*filters,
                           (long long)groups);
  if (hone_dim_known(channels) && hone_dim_known(per_group) &&
      (channels % groups != 0 || channels / groups != per_group))
    return hone_infer_fail(infer, "x has %lld channels, w %lld in each of %lld groups",
                           (long long)channels, (long long)per_group, (long long)groups);
  return hone_spatial_window(infer->node, rank, x->dim + 1, w->dim, false, window);
}

static hone_status *conv_infer(hone_infer *infer) {
  return hone_infer_conv(infer, hone_conv_window);
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

hone_status *hone_conv_sums(hone_reference *ref, const hone_numbers *x, const hone_numbers *w,
                            const hone_numbers *bias, hone_numbers *y) {
  const hone_shape *xs = &ref->in[HONE_CONV_X]->shape, *ws = &ref->in[HONE_CONV_W]->shape;
  int rank = xs->rank - 2;
  hone_spatial window;
  HONE_TRY(hone_spatial_window(ref->node, rank, xs->dim + 1, ws->dim, false, &window));
  if (y->count == 0) return NULL;
  conv_pixel pixel = {&window,
                      (size_t)xs->dim[rank + 1],
                      (size_t)ws->dim[rank + 1],
                      (size_t)hone_node_int(ref->node, "groups"),
                      x,
                      w};
  size_t image = hone_spatial_count(rank, window.in) * pixel.channels, to = 0;
  for (int64_t n = 0; n < xs->dim[0]; n++) {
    int64_t at[HONE_MAX_SPATIAL] = {0};
    do {
      if (bias->real)
        for (size_t m = 0; m < pixel.filters; m++) y->integer[to + m] = bias->integer[m];
      conv_sum(&pixel, (size_t)n * image, at, y, to);
      to += pixel.filters;
    } while (hone_step(rank, window.out, at));
  }
  return NULL;
}

static hone_status *conv_reference(hone_reference *ref) {
  hone_numbers x, w, bias, y;
  HONE_TRY(hone_operand(ref, HONE_CONV_X, &x));
  HONE_TRY(hone_operand(ref, HONE_CONV_W, &w));
  HONE_TRY(hone_operand(ref, HONE_CONV_BIAS, &bias));
  HONE_TRY(hone_result(ref, 0, &y));
  HONE_TRY(hone_conv_sums(ref, &x, &w, &bias, &y));
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
              {"exact", HONE_ATTR_FLAG, "false", NULL}, /* sums of products, no transforms */
              {"tf32", HONE_ATTR_FLAG, "false", NULL}}, /* f32 operands may be rounded to tf32 */
    .facts = HONE_HEAVY,
    .infer = conv_infer,
    .reference = conv_reference,
};
