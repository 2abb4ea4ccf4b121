/* A pad before a window that pads by itself; transposed convolutions that are plain ones. Room: passes.
 */
#include <math.h>
#include <string.h>

#include "passes/simplify.h"

/* The constant, non-negative pads of a pad node along its input's spatial axes, all begins, then all
 * ends; false when it pads others, or not by a number, which goes to `value`. */
static bool spatial_pads(const hone_node *pad, int64_t *out, double *value) {
  int64_t pads[2 * HONE_MAX_RANK], axes[HONE_MAX_RANK];
  size_t count, axis_count;
  int rank = pad->inputs[0].value->type.shape.rank;
  if (rank < 3 || strcmp(hone_node_text(pad, "mode"), "constant") != 0) return false;
  if (!hone_constant_ints(hone_node_in(pad, 1), pads, 2 * HONE_MAX_RANK, &count)) return false;
  *value = 0;
  if (hone_node_in(pad, 2) && !hone_uniform(pad->inputs[2].value, value)) return false;
  for (int i = 0; i < rank; i++) axes[i] = i;
  axis_count = (size_t)rank;
  if (hone_node_in(pad, 3) &&
      !hone_constant_ints(pad->inputs[3].value, axes, HONE_MAX_RANK, &axis_count))
    return false;
  if (count != 2 * axis_count) return false;
  memset(out, 0, 2 * (size_t)(rank - 2) * sizeof *out);
  for (size_t i = 0; i < axis_count; i++) {
    int axis;
    int64_t begin = pads[i], end = pads[axis_count + i];
    if (!hone_axis(axes[i], rank, &axis) || begin < 0 || end < 0) return false;
    if (begin == 0 && end == 0) continue;
    if (axis == 0 || axis == rank - 1) return false;
    out[axis - 1] = begin;
    out[rank - 2 + axis - 1] = end;
  }
  return true;
}

/* What a window's padding counts as: 0 in sums, nothing in a maximum. */
static bool pads_alike(const hone_node *node, double value) {
  if (node->op == &hone_op_conv) return value == 0;
  const char *kind = hone_node_text(node, "kind");
  if (strcmp(kind, "max") == 0) return value == -INFINITY && !hone_node_out(node, 1);
  return strcmp(kind, "avg") == 0 && value == 0 && hone_node_flag(node, "count_pads") &&
         !hone_node_flag(node, "ceil");
}

static hone_status *absorb_pad(hone_node *node, const hone_pass_context *context,
                               hone_value **to) {
  (void)context;
  int64_t pads[2 * HONE_MAX_RANK];
  size_t count;
  double value;
  if (node->op != &hone_op_conv && node->op != &hone_op_pool) return NULL;
  hone_node *pad = node->inputs[0].value->producer;
  if (!pad || pad->op != &hone_op_pad || !spatial_pads(pad, pads, &value)) return NULL;
  const char *padding = hone_node_text(node, "padding");
  bool none = strcmp(padding, "valid") == 0;
  if ((!none && strcmp(padding, "explicit") != 0) || !pads_alike(node, value)) return NULL;
  const int64_t *own = hone_node_ints(node, "pads", &count);
  size_t wanted = 2 * (size_t)(node->inputs[0].value->type.shape.rank - 2);
  bool pools_zero = node->op == &hone_op_pool;
  for (size_t i = 0; !none && i < count && i < wanted; i++) {
    if (pools_zero && own[i]) return NULL; /* its own pads may not be counted as zeros */
    pads[i] += own[i];
  }
  HONE_TRY(hone_node_set_ints(node, "pads", pads, wanted));
  HONE_TRY(hone_node_set_text(node, "padding", "explicit"));
  hone_node_set_input(node, 0, pad->inputs[0].value);
  HONE_TRY(hone_node_add_sources(node, pad));
  hone_remove_unused(pad);
  *to = node->outputs[0];
  return NULL;
}

/* Attribute `name` as `count` numbers; where it is not given, `fallback`. */
static bool read_numbers(const hone_node *node, const char *name, size_t count, int64_t fallback,
                         int64_t *out) {
  size_t given;
  const int64_t *values = hone_node_ints(node, name, &given);
  if (given != 0 && given != count) return false;
  for (size_t i = 0; i < count; i++) out[i] = given ? values[i] : fallback;
  return true;
}

static bool all_are(const int64_t *values, size_t count, int64_t wanted) {
  for (size_t i = 0; i < count; i++)
    if (values[i] != wanted) return false;
  return true;
}

/* The pads of the plain convolution, where the strides are 1 and nothing decides the pads but
 * themselves; false where there is none. An empty picture has an empty result. */
static bool plain_pads(const hone_node *node, size_t axes, int64_t *pads, int64_t *dilations) {
  const hone_shape *x = &node->inputs[0].value->type.shape, *w = &node->inputs[1].value->type.shape;
  int64_t strides[HONE_MAX_RANK], more[HONE_MAX_RANK];
  size_t shaped;
  const char *padding = hone_node_text(node, "padding");
  (void)hone_node_ints(node, "output_shape", &shaped);
  if (shaped || (strcmp(padding, "explicit") != 0 && strcmp(padding, "valid") != 0) ||
      !read_numbers(node, "strides", axes, 1, strides) || !all_are(strides, axes, 1) ||
      !read_numbers(node, "output_padding", axes, 0, more) || !all_are(more, axes, 0) ||
      !read_numbers(node, "dilations", axes, 1, dilations) ||
      !read_numbers(node, "pads", 2 * axes, 0, pads))
    return false;
  for (size_t i = 0; i < 2 * axes; i++) {
    int64_t reach, cut = padding[0] == 'v' ? 0 : pads[i];
    if (!hone_dim_known(x->dim[1 + i % axes]) || x->dim[1 + i % axes] == 0) return false;
    if (!hone_mul_s64(w->dim[i % axes] - 1, dilations[i % axes], &reach)) return false;
    pads[i] = reach - cut;
    if (cut < 0 || pads[i] < 0) return false;
  }
  return true;
}

/* The taps of w in the other order. */
static hone_status *reverse_taps(hone_node *node, size_t axes, hone_value **w) {
  int64_t starts[HONE_MAX_RANK], ends[HONE_MAX_RANK], along[HONE_MAX_RANK], steps[HONE_MAX_RANK];
  const int64_t *lists[] = {starts, ends, along, steps};
  hone_value *inputs[5] = {*w};
  for (size_t i = 0; i < axes; i++) {
    starts[i] = steps[i] = -1;
    ends[i] = INT64_MIN;
    along[i] = (int64_t)i;
  }
  for (int i = 0; i < 4; i++)
    HONE_TRY(hone_graph_ints(node->graph, NULL, 1, lists[i], axes, &inputs[1 + i]));
  return hone_make(node, &hone_op_slice, inputs, 5, w);
}

/* [taps…, m / groups, c] as [taps…, c / groups, m]. */
static hone_status *exchange_channels(hone_node *node, size_t axes, int64_t groups, hone_value **w) {
  const hone_shape own = (*w)->type.shape;
  const int64_t filters = own.dim[axes], channels = own.dim[axes + 1] / groups;
  hone_shape apart = own, joined = own;
  int perm[HONE_MAX_RANK];
  for (int i = 0; i < HONE_MAX_RANK; i++) perm[i] = i;
  if (groups == 1) {
    perm[axes] = (int)axes + 1, perm[axes + 1] = (int)axes;
    return hone_make_transpose(node, *w, perm, w);
  }
  apart.rank = (int)axes + 3;
  apart.dim[axes + 1] = groups, apart.dim[axes + 2] = channels;
  joined.dim[axes] = channels, joined.dim[axes + 1] = filters * groups;
  perm[axes] = (int)axes + 2, perm[axes + 2] = (int)axes;
  HONE_TRY(hone_make_reshape(node, *w, &apart, w));
  HONE_TRY(hone_make_transpose(node, *w, perm, w));
  return hone_make_reshape(node, *w, &joined, w);
}

/* A transposed convolution without strides is a plain one of its weights turned around. */
static hone_status *turn_weights(hone_node *node, const hone_pass_context *context,
                                 hone_value **to) {
  (void)context;
  const hone_shape *x = &node->inputs[0].value->type.shape, *w = &node->inputs[1].value->type.shape;
  int64_t pads[2 * HONE_MAX_RANK], dilations[HONE_MAX_RANK];
  if (w->rank < 3 || x->rank != w->rank || w->rank >= HONE_MAX_RANK || !hone_shape_known(w))
    return NULL;
  const size_t axes = (size_t)w->rank - 2;
  const int64_t groups = hone_node_int(node, "groups");
  if (groups < 1 || w->dim[axes + 1] % groups != 0 || !plain_pads(node, axes, pads, dilations))
    return NULL;
  hone_value *inputs[3] = {node->inputs[0].value, node->inputs[1].value, hone_node_in(node, 2)};
  hone_node *plain;
  HONE_TRY(reverse_taps(node, axes, &inputs[1]));
  HONE_TRY(exchange_channels(node, axes, groups, &inputs[1]));
  HONE_TRY(hone_node_start(node, &hone_op_conv, inputs, inputs[2] ? 3 : 2, &plain));
  HONE_TRY(hone_node_set_ints(plain, "dilations", dilations, axes));
  HONE_TRY(hone_node_set_ints(plain, "pads", pads, 2 * axes));
  HONE_TRY(hone_node_set_int(plain, "groups", groups));
  return hone_node_finish(plain, to);
}

const hone_simplify_rule hone_window_rules[] = {
    {"pad into window", NULL, absorb_pad},
    {"transposed convolution without strides", &hone_op_conv_transpose, turn_weights},
    {0}};
