/* x * factor without a multiplication of its own. Room: passes. */
#include "passes/rescale.h"

#include "passes/affine.h"

enum { MOST_DEPTH = 6 };

/* The constant operand of a product, by its index; -1 where there is none. */
static int constant_operand(const hone_node *node) {
  for (int i = 0; i < 2; i++)
    if (hone_value_is_constant(node->inputs[i].value) &&
        node->inputs[i].value->type.dtype == HONE_F32)
      return i;
  return -1;
}

static bool has_constant_limits(const hone_node *node) {
  for (int i = 1; i < node->input_count; i++)
    if (node->inputs[i].value && !hone_value_is_constant(node->inputs[i].value)) return false;
  return true;
}

static bool may_rescale(const hone_value *x, int depth);

/* The operand of a product that can take a factor: a constant, or one that is a product itself, the
 * smaller first. */
static int factor_of(const hone_node *node, int depth) {
  int constant = constant_operand(node);
  if (constant >= 0) return constant;
  bool second_broadcasts = hone_shape_equal(&node->inputs[0].value->type.shape,
                                            &node->outputs[0]->type.shape);
  for (int i = 0; i < 2; i++) {
    int at = second_broadcasts ? 1 - i : i;
    if (may_rescale(node->inputs[at].value, depth - 1)) return at;
  }
  return -1;
}

static bool may_rescale(const hone_value *x, int depth) {
  if (x->type.dtype != HONE_F32 || depth == 0) return false;
  if (x->constant) return true;
  const hone_node *node = x->producer;
  if (!node || !hone_value_has_one_use(x)) return false;
  if (node->op == &hone_op_mul) return factor_of(node, depth) >= 0;
  if (node->op == &hone_op_relu) return may_rescale(node->inputs[0].value, depth - 1);
  if (node->op == &hone_op_clip)
    return has_constant_limits(node) && may_rescale(node->inputs[0].value, depth - 1);
  return (node->op == &hone_op_add || node->op == &hone_op_sub) &&
         may_rescale(node->inputs[0].value, depth - 1) &&
         may_rescale(node->inputs[1].value, depth - 1);
}

static hone_status *scale_constant(hone_graph *graph, const hone_value *x, double factor,
                                   hone_value **out) {
  hone_arena scratch = {0};
  size_t count = 0;
  double *data = hone_constant_reals(x, &scratch, &count);
  for (size_t i = 0; data && i < count; i++) data[i] *= factor;
  hone_status *status = data ? hone_constant_from(graph, HONE_F32, &x->type.shape, data, out)
                             : hone_error_memory();
  hone_arena_free(&scratch);
  return status;
}

/* Depth is bounded by may_rescale. */
static hone_status *rescale(hone_value *x, int depth, double factor, hone_value **out) {
  hone_node *node = x->producer;
  hone_value *in[3] = {NULL};
  if (x->constant) return scale_constant(x->graph, x, factor, out);
  int count = node->input_count < 3 ? node->input_count : 3;
  int only = node->op == &hone_op_mul ? factor_of(node, depth) : -1;
  for (int i = 0; i < count; i++) {
    in[i] = node->inputs[i].value;
    if (in[i] && (only < 0 || only == i)) HONE_TRY(rescale(in[i], depth - 1, factor, &in[i]));
  }
  HONE_TRY(hone_make(node, node->op, in, count, out));
  (*out)->type.shape = x->type.shape;
  return NULL;
}

hone_status *hone_rescale(hone_value *x, double factor, hone_value **out) {
  *out = NULL;
  if (factor <= 0 || x->constant || !may_rescale(x, MOST_DEPTH)) return NULL;
  return rescale(x, MOST_DEPTH, factor, out);
}
