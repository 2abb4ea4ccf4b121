/* Recognising squeeze and excite. Room: ops. */
#include "ops/gate.h"

#include "ops/ops.h"

static bool is_pointwise_conv(const hone_node *node) {
  if (node->op != &hone_op_conv || hone_node_int(node, "groups") != 1) return false;
  const hone_value *w = hone_node_in(node, 1);
  const hone_shape *shape = &w->type.shape;
  if (!w->constant || w->type.dtype != HONE_F32) return false;
  for (int i = 0; i < shape->rank - 2; i++)
    if (shape->dim[i] != 1) return false;
  return shape->rank > 2;
}

/* One number a channel, of each picture or of all. */
static bool is_gate(const hone_value *value, const hone_shape *x) {
  const hone_shape *shape = &value->type.shape;
  if (value->constant || value->type.dtype != HONE_F32 || shape->rank != x->rank) return false;
  for (int i = 1; i < x->rank - 1; i++)
    if (shape->dim[i] != 1) return false;
  return (shape->dim[0] == 1 || shape->dim[0] == x->dim[0]) &&
         shape->dim[x->rank - 1] == x->dim[x->rank - 1];
}

const hone_node *hone_gate_of(const hone_node *conv, int *x) {
  const hone_value *in = hone_node_in(conv, 0);
  if (!in || !in->producer || !hone_value_has_one_use(in) || !is_pointwise_conv(conv)) return NULL;
  const hone_node *mul = in->producer;
  const hone_shape *shape = &in->type.shape;
  if (mul->op != &hone_op_mul || in->type.dtype != HONE_F32 || shape->rank < 3) return NULL;
  for (*x = 0; *x < 2; ++*x) {
    const hone_value *scaled = mul->inputs[*x].value, *gate = mul->inputs[1 - *x].value;
    if (!scaled->constant && hone_shape_equal(&scaled->type.shape, shape) && is_gate(gate, shape))
      return mul;
  }
  return NULL;
}
