/* On a device with tensor cores: a first layer whose windows lie side by side, as the patches of a
 * vision transformer do, is a product of rows, one a window, with the filters as a matrix. A
 * convolution takes steps of a row of a window, 48 of 64 elements for a picture of three channels,
 * and has none of the kernels that there are for products of few rows.
 *
 * The rows are made by one transpose, which takes the place of the one from planes to channels, and
 * does the rounding that a picture in f32 needs anyway (move_rounded.cu). So this is for first
 * layers alone (up to 8 channels), whose filters the kernel that keeps them in shared memory
 * (conv_stem.cu) has no room for, and not for windows of many channels, of which each row is whole
 * steps. On the CPU, and in f32, whose kernels gather windows as fast as rows, it stays a
 * convolution. Room: passes.
 */
#include "ops/conv_shape.h"
#include "passes/layout.h"
#include "passes/passes.h"

enum { MOST_CHANNELS = 8, LEAST_FILTERS = 64, LEAST_DEPTH = 256, EIGHT = 8 };

typedef struct patches {
  int axes;
  int64_t out[HONE_MAX_SPATIAL],
      size[HONE_MAX_SPATIAL]; /* windows, elements of one, along each axis */
  int64_t channels, filters, depth;
  hone_value *x; /* the picture as it is read */
  bool planes;   /* which is one plane of each channel after the other */
} patches;

/* Sizes for which it pays, and rows that are multiples of 16 bytes. */
static bool is_worth(const patches *p) {
  return p->channels <= MOST_CHANNELS && p->filters >= LEAST_FILTERS && p->depth >= LEAST_DEPTH &&
         p->filters % EIGHT == 0 && p->depth % EIGHT == 0;
}

/* Whether the windows cover the picture, each element once. */
static bool are_patches(const hone_spatial *w) {
  for (int i = 0; i < w->rank; i++)
    if (w->before[i] || w->dilation[i] != 1 || w->stride[i] != w->kernel[i] || w->out[i] < 1 ||
        w->in[i] % w->kernel[i] || w->in[i] / w->kernel[i] != w->out[i])
      return false;
  return true;
}

/* The picture before it was put into channels, where it was. */
static void find_picture(hone_value *x, patches *p) {
  hone_turn turn;
  p->x = x;
  p->planes = hone_turn_of(x, &turn) && turn.perm[0] == 0 && turn.perm[turn.rank - 1] == 1;
  for (int i = 1; p->planes && i + 1 < turn.rank; i++) p->planes = turn.perm[i] == i + 1;
  if (p->planes) p->x = x->producer->inputs[0].value;
}

static hone_status *find_patches(const hone_node *node, patches *p, bool *found) {
  hone_value *x = node->inputs[HONE_CONV_X].value, *w = node->inputs[HONE_CONV_W].value;
  const hone_shape *in = &x->type.shape, *filters = &w->type.shape;
  hone_spatial window;
  *found = false;
  if (!hone_value_is_constant(w) || node->outputs[0]->type.dtype != HONE_F32 ||
      hone_node_int(node, "groups") != 1 || filters->rank < 3 || in->rank != filters->rank ||
      2 * filters->rank - 2 > HONE_MAX_RANK)
    return NULL;
  *p = (patches){.axes = filters->rank - 2};
  p->channels = filters->dim[p->axes], p->filters = filters->dim[p->axes + 1];
  p->depth = (int64_t)hone_shape_span(filters, 0, p->axes + 1);
  for (int i = 0; i < p->axes; i++)
    if (!hone_dim_known(in->dim[1 + i])) return NULL;
  HONE_TRY(hone_spatial_window(node, p->axes, in->dim + 1, filters->dim, false, &window));
  if (!is_worth(p) || !are_patches(&window)) return NULL;
  for (int i = 0; i < p->axes; i++) {
    p->out[i] = window.out[i];
    p->size[i] = window.kernel[i];
  }
  find_picture(x, p);
  *found = true;
  return NULL;
}

/* [n, out…, depth], the depth in the order in which the picture lies: of planes the
 * channels first. */
static hone_status *make_rows(hone_node *node, const patches *p, hone_value **out) {
  hone_shape apart = {.rank = 2 * p->axes + 2}, rows = {.rank = p->axes + 2};
  int first = p->planes ? 2 : 1, channels = p->planes ? 1 : apart.rank - 1,
      perm[HONE_MAX_RANK] = {0};
  apart.dim[0] = rows.dim[0] = p->x->type.shape.dim[0];
  apart.dim[channels] = p->channels;
  rows.dim[p->axes + 1] = p->depth;
  for (int i = 0; i < p->axes; i++) {
    apart.dim[first + 2 * i] = rows.dim[1 + i] = p->out[i];
    apart.dim[first + 2 * i + 1] = p->size[i];
    perm[1 + i] = first + 2 * i;
    perm[1 + p->axes + p->planes + i] = first + 2 * i + 1;
  }
  perm[p->planes ? 1 + p->axes : apart.rank - 1] = channels;
  HONE_TRY(hone_make_reshape(node, p->x, &apart, out));
  HONE_TRY(hone_make_transpose(node, *out, perm, out));
  return hone_make_reshape(node, *out, &rows, out);
}

/* [depth, filters] in the same order. */
static hone_status *make_matrix(hone_node *node, const patches *p, hone_value **out) {
  hone_shape matrix = {.rank = 2, .dim = {p->depth, p->filters}};
  int perm[HONE_MAX_RANK] = {p->axes};
  *out = node->inputs[HONE_CONV_W].value;
  for (int i = 0; i < p->axes; i++) perm[1 + i] = i;
  perm[p->axes + 1] = p->axes + 1;
  if (p->planes) HONE_TRY(hone_make_transpose(node, *out, perm, out));
  return hone_make_reshape(node, *out, &matrix, out);
}

static hone_status *multiply(hone_node *node, hone_pass_context *context) {
  patches p;
  bool found = false;
  if (node->op != &hone_op_conv || hone_pass_keeps_f32(context, node) || !context->takes(node))
    return NULL;
  HONE_TRY(find_patches(node, &p, &found));
  if (!found) return NULL;
  hone_value *inputs[3] = {NULL, NULL, hone_node_in(node, HONE_CONV_BIAS)}, *y;
  HONE_TRY(make_rows(node, &p, &inputs[0]));
  HONE_TRY(make_matrix(node, &p, &inputs[1]));
  HONE_TRY(hone_make(node, &hone_op_matmul, inputs, inputs[2] ? 3 : 2, &y));
  hone_pass_fired(context, "patches to rows");
  return hone_substitute(node, 0, y);
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  bool narrow = context->compute == HONE_F16 || context->compute == HONE_BF16;
  if (!context->takes || context->strict || (!narrow && !context->tf32)) return NULL;
  return hone_each_node(graph, context, multiply);
}

const hone_pass hone_pass_patches = {"patches", run};
