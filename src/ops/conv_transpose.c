/* conv_transpose: the gradient of a convolution with respect to its input, as decoders use it;
 * channels last, any number of spatial axes. Room: ops. */
#include "ops/conv_shape.h"
#include "ops/operand.h"
#include "ops/ops.h"

static hone_status *transposed_rule(hone_infer *infer, const hone_shape *x, const hone_shape *w,
                                    hone_spatial *window, hone_dim *filters) {
  int rank = x->rank - 2;
  int64_t groups = hone_node_int(infer->node, "groups");
  hone_dim channels = x->dim[rank + 1], per_group = w->dim[rank];
  *filters = HONE_DIM_FRESH;
  if (!hone_dim_unify(channels, w->dim[rank + 1], &channels) ||
      (hone_dim_known(channels) && channels % groups != 0))
    return hone_infer_fail(infer, "%lld channels, %lld in w, %lld groups",
                           (long long)x->dim[rank + 1], (long long)w->dim[rank + 1],
                           (long long)groups);
  if (hone_dim_known(per_group) && !hone_mul_s64(per_group, groups, filters))
    return hone_infer_fail(infer, "the number of filters overflows");
  return hone_spatial_transposed(infer->node, rank, x->dim + 1, w->dim, window);
}

static hone_status *conv_transpose_infer(hone_infer *infer) {
  return hone_infer_conv(infer, transposed_rule);
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
  const hone_shape *xs = &ref->in[HONE_CONV_X]->shape, *ys = &ref->out[0]->shape;
  int rank = xs->rank - 2;
  hone_numbers bias;
  scatter s = {.channels = (size_t)xs->dim[rank + 1],
               .filters = (size_t)ys->dim[rank + 1],
               .groups = (size_t)hone_node_int(ref->node, "groups")};
  HONE_TRY(hone_spatial_transposed(ref->node, rank, xs->dim + 1, ref->in[HONE_CONV_W]->shape.dim,
                                   &s.window));
  HONE_TRY(hone_operand(ref, HONE_CONV_X, &s.x));
  HONE_TRY(hone_operand(ref, HONE_CONV_W, &s.w));
  HONE_TRY(hone_operand(ref, HONE_CONV_BIAS, &bias));
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
