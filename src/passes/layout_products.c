/* Transposes before a matrix product: swapped operands, and weights that take the order instead.
 * Room: passes. */
#include "passes/layout.h"

/* A product takes its operands' last two axes in either order. */
static hone_status *swap_operands(hone_node *node, bool *done) {
  static const char *const flags[] = {"transpose_a", "transpose_b"};
  for (int i = 0; i < 2; i++) {
    hone_turn own;
    hone_node *maker = node->inputs[i].value->producer;
    if (!hone_turn_of(node->inputs[i].value, &own)) continue;
    bool swaps = own.perm[own.rank - 1] == own.rank - 2 && own.perm[own.rank - 2] == own.rank - 1;
    for (int k = 0; k < own.rank - 2; k++) swaps = swaps && own.perm[k] == k;
    if (!swaps) continue;
    HONE_TRY(hone_node_set_int(node, flags[i], !hone_node_flag(node, flags[i])));
    hone_node_set_input(node, i, maker->inputs[0].value);
    hone_remove_unused(maker);
    *done = true;
  }
  return NULL;
}

/* What a flattening transpose does to the depth of the weights after it: x [n, …] turned to
 * [n, a, b, c] and flattened to [n, a b c]. */
typedef struct flattening {
  hone_value *x;      /* before the transpose */
  hone_shape turned;  /* after it */
  hone_turn turn;
} flattening;

static bool find_flattening(const hone_value *a, flattening *f) {
  const hone_node *view = a->producer;
  if (!view || !(view->op->facts & HONE_VIEW) || a->type.shape.rank != 2) return false;
  const hone_value *turned = view->inputs[0].value;
  if (!hone_turn_of(turned, &f->turn) || f->turn.perm[0] != 0) return false;
  f->x = turned->producer->inputs[0].value;
  f->turned = turned->type.shape;
  for (int i = 1; i < f->turned.rank; i++)
    if (!hone_dim_known(f->turned.dim[i])) return false;
  return a->type.shape.dim[0] == f->turned.dim[0] && f->turned.rank < HONE_MAX_RANK;
}

/* The weights' depth, a b c of [a b c, m], or of [m, a b c] where `across`, as [a, b, c], in the order
 * of x's axes, and flat again. */
static hone_status *turn_depth(hone_node *node, const flattening *f, bool across,
                               hone_value **out) {
  hone_value *weights = node->inputs[1].value;
  hone_turn back = hone_turn_inverse(&f->turn);
  hone_shape split = {.rank = f->turned.rank}, flat = weights->type.shape;
  int perm[HONE_MAX_RANK], columns = across ? 0 : split.rank - 1;
  for (int i = 1; i < split.rank; i++) {
    int to = across ? i : i - 1;
    split.dim[to] = f->turned.dim[i];
    perm[to] = across ? back.perm[i] : back.perm[i] - 1;
  }
  split.dim[columns] = flat.dim[across ? 0 : 1];
  perm[columns] = columns;
  HONE_TRY(hone_make_reshape(node, weights, &split, out));
  HONE_TRY(hone_make_transpose(node, *out, perm, out));
  return hone_make_reshape(node, *out, &flat, out);
}

/* Weights that would not be folded are left as they are: every run would turn them, which are more
 * than what the transpose moves. */
hone_status *hone_turn_weights(hone_node *node, const hone_pass_context *context, bool *done) {
  if (node->op != &hone_op_matmul) return NULL;
  flattening f;
  hone_value *weights = node->inputs[1].value, *view, *turned;
  hone_node *old = node->inputs[0].value->producer;
  if (hone_node_flag(node, "transpose_a") || !hone_value_is_constant(weights) ||
      weights->type.shape.rank != 2 || weights->constant_size > context->fold_limit)
    return NULL;
  if (!find_flattening(node->inputs[0].value, &f)) return NULL;
  hone_shape flat = node->inputs[0].value->type.shape;
  HONE_TRY(turn_depth(node, &f, hone_node_flag(node, "transpose_b"), &turned));
  HONE_TRY(hone_make_reshape(node, f.x, &flat, &view));
  hone_node_set_input(node, 0, view);
  hone_node_set_input(node, 1, turned);
  hone_remove_unused(old);
  *done = true;
  return NULL;
}

/* Whether what becomes of the value is read by attention, which takes any order of rows. */
static bool feeds_attention(const hone_value *value) {
  enum { MOST_STEPS = 16 };
  for (int i = 0; i < MOST_STEPS && value && value->uses; i++) {
    const hone_node *user = value->uses->user;
    if (!user) return false;
    if (user->op == &hone_op_attention) return true;
    bool moves = user->op == &hone_op_transpose || user->op == &hone_op_slice ||
                 user->op == &hone_op_split || (user->op->facts & (HONE_VIEW | HONE_POINTWISE));
    value = moves ? user->outputs[0] : NULL;
  }
  return false;
}

/* Products with weights and norms take rows, the last axis, one by one: a transpose that leaves them
 * whole sinks below, where it moves no more than above or attention takes it in. */
static hone_status *sink_rows(hone_node *node, const hone_turn *turn, bool *done) {
  hone_value *x = node->inputs[0].value, *inputs[3] = {x};
  const hone_shape *y = &node->outputs[0]->type.shape;
  int last = turn->rank - 1;
  hone_node *above;
  if (turn->perm[last] != last || y->rank != turn->rank || node->input_count > 3) return NULL;
  for (int i = 1; i < node->input_count; i++) {
    inputs[i] = node->inputs[i].value;
    if (inputs[i] && inputs[i]->type.shape.rank != 1 + (node->op == &hone_op_matmul && i == 1))
      return NULL;
  }
  bool pays = y->dim[last] <= x->type.shape.dim[last] && hone_value_has_one_use(x);
  if (!pays && !feeds_attention(node->outputs[0])) return NULL;
  inputs[0] = x->producer->inputs[0].value;
  HONE_TRY(hone_copy_above(node, inputs, node->input_count, &above));
  *done = true;
  return hone_turn_outputs(node, above, turn);
}

hone_status *hone_sink_norm(hone_node *node, const hone_turn *turn, bool *done) {
  int axis;
  bool rows = hone_axis(hone_node_int(node, "axis"), turn->rank, &axis) && axis == turn->rank - 1;
  return rows && !hone_node_out(node, 1) ? sink_rows(node, turn, done) : NULL;
}

hone_status *hone_sink_matmul(hone_node *node, const hone_turn *turn, bool *done) {
  (void)turn;
  HONE_TRY(swap_operands(node, done));
  bool weighted = hone_value_is_constant(node->inputs[1].value) && !hone_node_flag(node, "transpose_a");
  hone_turn own;
  if (*done || !weighted || !hone_turn_of(node->inputs[0].value, &own)) return NULL;
  return sink_rows(node, &own, done);
}
