/* A pad before a window that pads by itself. Room: passes. */
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

const hone_simplify_rule hone_window_rules[] = {{"pad into window", NULL, absorb_pad}, {0}};
