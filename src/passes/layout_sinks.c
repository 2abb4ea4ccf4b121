/* How a transpose sinks below each kind of op. Room: passes. */
#include <string.h>

#include "passes/layout.h"

/* Sizes of symbols count as 1: all that is compared shares them, or does not know them. */
static double weight(const hone_value *value) {
  double product = 1;
  for (int i = 0; i < value->type.shape.rank; i++)
    if (hone_dim_known(value->type.shape.dim[i])) product *= (double)value->type.shape.dim[i];
  return product;
}

/* A value of the space below in the space above: what a transpose made is taken before it, anything
 * else is given its full rank and turned back. */
static hone_status *lift(hone_node *node, hone_value *value, const hone_turn *turn,
                         hone_value **out) {
  hone_turn own;
  *out = value;
  if (!value || value->type.shape.rank == 0) return NULL;
  if (hone_turn_of(value, &own) && hone_turn_equal(&own, turn)) {
    *out = value->producer->inputs[0].value;
    return NULL;
  }
  if (value->type.shape.rank < turn->rank) {
    hone_shape full = {.rank = turn->rank};
    int lead = turn->rank - value->type.shape.rank;
    for (int i = 0; i < full.rank; i++)
      full.dim[i] = i < lead ? 1 : value->type.shape.dim[i - lead];
    HONE_TRY(hone_make_reshape(node, value, &full, &value));
  }
  hone_turn back = hone_turn_inverse(turn);
  return hone_make_transpose(node, value, back.perm, out);
}

/* Whether it pays: what comes out of transposes outweighs what would have to go through one.
 * Constants are turned once, now. */
static bool pays(const hone_node *node, const hone_turn *turn) {
  double turned = 0, other = 0;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *value = node->inputs[i].value;
    hone_turn own;
    if (!value || value->constant) continue;
    int symbols = 0;
    for (int k = 0; k < value->type.shape.rank; k++)
      symbols += !hone_dim_known(value->type.shape.dim[k]);
    if (hone_turn_of(value, &own) && hone_turn_equal(&own, turn)) turned += weight(value);
    else if (value->type.shape.rank < 0 || value->type.shape.rank > turn->rank) return false;
    else if (value->type.shape.rank < turn->rank && symbols > 1) return false;
    else other += weight(value);
  }
  return turned > other;
}

hone_status *hone_sink_alike(hone_node *node, const hone_turn *turn, bool *done) {
  hone_value *inputs[64];
  hone_node *above;
  int axis = 0;
  if (node->outputs[0]->type.shape.rank != turn->rank || node->input_count > 64) return NULL;
  if (!pays(node, turn)) return NULL;
  if (node->op == &hone_op_concat && !hone_axis(hone_node_int(node, "axis"), turn->rank, &axis))
    return NULL;
  for (int i = 0; i < node->input_count; i++)
    HONE_TRY(lift(node, node->inputs[i].value, turn, &inputs[i]));
  HONE_TRY(hone_copy_above(node, inputs, node->input_count, &above));
  if (node->op == &hone_op_concat) HONE_TRY(hone_node_set_int(above, "axis", turn->perm[axis]));
  *done = true;
  return hone_turn_outputs(node, above, turn);
}

/* `node` above, its first input taken before the transpose, the others as they are. */
static hone_status *lift_first(hone_node *node, hone_node **above) {
  hone_value *inputs[8];
  if (node->input_count < 1 || node->input_count > 8)
    return hone_error(HONE_INTERNAL, "%d inputs to lift", node->input_count);
  for (int i = 0; i < node->input_count; i++) inputs[i] = node->inputs[i].value;
  inputs[0] = inputs[0]->producer->inputs[0].value;
  return hone_copy_above(node, inputs, node->input_count, above);
}

hone_status *hone_sink_axis(hone_node *node, const hone_turn *turn, bool *done) {
  hone_node *above;
  int axis;
  if (!hone_axis(hone_node_int(node, "axis"), turn->rank, &axis)) return NULL;
  HONE_TRY(lift_first(node, &above));
  HONE_TRY(hone_node_set_int(above, "axis", turn->perm[axis]));
  *done = true;
  return hone_turn_outputs(node, above, turn);
}

hone_status *hone_sink_reduce(hone_node *node, const hone_turn *turn, bool *done) {
  bool axes[HONE_MAX_RANK], keep = hone_node_flag(node, "keep");
  int64_t above_axes[HONE_MAX_RANK];
  size_t count = 0;
  hone_turn rest = {0};
  hone_node *above;
  hone_value *list;
  if (!hone_reduce_axes(node, axes)) return NULL;
  bool gone[HONE_MAX_RANK] = {false};
  for (int i = 0; i < turn->rank; i++) {
    if (!axes[i]) continue;
    above_axes[count++] = turn->perm[i];
    gone[turn->perm[i]] = true;
  }
  for (int i = 0; i < turn->rank; i++) {
    if (axes[i] && !keep) continue;
    int place = turn->perm[i];
    for (int k = 0; !keep && k < turn->perm[i]; k++) place -= gone[k];
    rest.perm[rest.rank++] = place;
  }
  HONE_TRY(hone_graph_ints(node->graph, NULL, 1, above_axes, count, &list));
  HONE_TRY(hone_copy_above(node, (hone_value *[]){node->inputs[0].value->producer->inputs[0].value,
                                                  list}, 2, &above));
  *done = true;
  if (rest.rank >= 2) return hone_turn_outputs(node, above, &rest);
  hone_value *out;
  HONE_TRY(hone_node_finish(above, &out));
  return hone_substitute(node, 0, out);
}

/* The list of axes at input `index`, 0 … `count` - 1 where it is absent, as axes above. */
static bool axes_above(const hone_node *node, int index, const hone_turn *turn, size_t count,
                       int64_t *out) {
  int64_t given[HONE_MAX_RANK];
  size_t has = count;
  if (count > (size_t)turn->rank) return false;
  for (size_t i = 0; i < count; i++) given[i] = (int64_t)i;
  if (hone_node_in(node, index) &&
      !hone_constant_ints(node->inputs[index].value, given, HONE_MAX_RANK, &has))
    return false;
  for (size_t i = 0; i < has; i++) {
    int axis;
    if (!hone_axis(given[i], turn->rank, &axis)) return false;
    out[i] = turn->perm[axis];
  }
  return has == count;
}

/* Puts a list of axes at input `index` of a node that may have fewer inputs. */
static hone_status *set_axes(hone_node *node, int index, const int64_t *axes, size_t count) {
  hone_value *list;
  HONE_TRY(hone_graph_ints(node->graph, NULL, 1, axes, count, &list));
  while (node->input_count <= index) HONE_TRY(hone_node_add_input(node, NULL));
  hone_node_set_input(node, index, list);
  return NULL;
}

hone_status *hone_sink_slice(hone_node *node, const hone_turn *turn, bool *done) {
  enum { STARTS = 1, AXES = 3 };
  int64_t axes[HONE_MAX_RANK];
  hone_node *above;
  const hone_shape *starts = &node->inputs[STARTS].value->type.shape;
  if (starts->rank != 1 || !hone_dim_known(starts->dim[0])) return NULL;
  size_t count = (size_t)starts->dim[0];
  if (!axes_above(node, AXES, turn, count, axes)) return NULL;
  HONE_TRY(lift_first(node, &above));
  HONE_TRY(set_axes(above, AXES, axes, count));
  *done = true;
  return hone_turn_outputs(node, above, turn);
}

hone_status *hone_sink_pad(hone_node *node, const hone_turn *turn, bool *done) {
  enum { PADS = 1, AXES = 3 };
  int64_t axes[HONE_MAX_RANK];
  hone_node *above;
  const hone_shape *pads = &node->inputs[PADS].value->type.shape;
  if (pads->rank != 1 || !hone_dim_known(pads->dim[0])) return NULL;
  size_t count = (size_t)pads->dim[0] / 2;
  if (!axes_above(node, AXES, turn, count, axes)) return NULL;
  HONE_TRY(lift_first(node, &above));
  HONE_TRY(set_axes(above, AXES, axes, count));
  *done = true;
  return hone_turn_outputs(node, above, turn);
}

/* resize names its axes in an attribute; without them it names all. */
hone_status *hone_sink_resize(hone_node *node, const hone_turn *turn, bool *done) {
  size_t count;
  int64_t above_axes[HONE_MAX_RANK];
  hone_node *above;
  const int64_t *axes = hone_node_ints(node, "axes", &count);
  if (count > (size_t)turn->rank) return NULL;
  for (size_t i = 0; i < (count ? count : (size_t)turn->rank); i++) {
    int axis;
    if (!hone_axis(count ? axes[i] : (int64_t)i, turn->rank, &axis)) return NULL;
    above_axes[i] = turn->perm[axis];
  }
  HONE_TRY(lift_first(node, &above));
  HONE_TRY(hone_node_set_ints(above, "axes", above_axes, count ? count : (size_t)turn->rank));
  *done = true;
  return hone_turn_outputs(node, above, turn);
}

/* transpose(pad(x)) = pad(transpose(x)): less to move, and the pad comes next to a window that may take
 * it in. */
hone_status *hone_lift_over_pad(hone_node *node, bool *done) {
  enum { PADS = 1, AXES = 3 };
  hone_turn turn;
  hone_node *pad = node->inputs[0].value->producer, *below;
  hone_value *inputs[4] = {NULL}, *to;
  int64_t axes[HONE_MAX_RANK];
  if (!pad || pad->op != &hone_op_pad || !hone_turn_of(node->outputs[0], &turn)) return NULL;
  if (!hone_value_has_one_use(pad->outputs[0])) return NULL;
  const hone_shape *pads = &pad->inputs[PADS].value->type.shape;
  if (pads->rank != 1 || !hone_dim_known(pads->dim[0])) return NULL;
  size_t count = (size_t)pads->dim[0] / 2;
  hone_turn back = hone_turn_inverse(&turn);
  if (!axes_above(pad, AXES, &back, count, axes)) return NULL;
  for (int i = 0; i < pad->input_count && i < 4; i++) inputs[i] = pad->inputs[i].value;
  HONE_TRY(hone_make_transpose(node, inputs[0], turn.perm, &inputs[0]));
  HONE_TRY(hone_node_start(node, pad->op, inputs, 4, &below));
  HONE_TRY(hone_node_add_sources(below, pad));
  hone_copy_attrs(below, pad);
  HONE_TRY(set_axes(below, AXES, axes, count));
  HONE_TRY(hone_node_finish(below, &to));
  *done = true;
  return hone_substitute(node, 0, to);
}
