/* What no matrix kernel does itself becomes pointwise work after the product, which joins its group:
 * a factor where neither operand is constant to take it, a bias that is neither a row nor the whole
 * result. Room: passes. */
#include "passes/passes.h"
#include "passes/rewrite.h"

enum { A, B, BIAS };

/* One number for each column, or one for each element, computed. */
static bool is_plain_bias(const hone_value *bias, const hone_shape *y) {
  const hone_shape *shape = &bias->type.shape;
  if (hone_shape_equal(shape, y)) return !bias->constant;
  for (int i = 0; i < shape->rank - 1; i++)
    if (shape->dim[i] != 1) return false;
  return shape->rank > 0 && y->rank > 0 && shape->dim[shape->rank - 1] == y->dim[y->rank - 1];
}

static hone_status *split_node(hone_node *node, hone_pass_context *context) {
  if (node->op != &hone_op_matmul || node->outputs[0]->type.dtype != HONE_F32) return NULL;
  hone_value *bias = hone_node_in(node, BIAS);
  hone_value *in[2] = {node->inputs[A].value, node->inputs[B].value};
  double alpha = hone_node_real(node, "alpha");
  bool scales = alpha != 1 && !hone_value_is_constant(in[1]);
  if (node->outputs[0]->type.shape.rank < 0) return NULL;
  if (!scales && (!bias || is_plain_bias(bias, &node->outputs[0]->type.shape))) return NULL;
  hone_node *product;
  HONE_TRY(hone_node_start(node, node->op, in, 2, &product));
  for (int i = 0; i < HONE_MAX_ATTRS && node->op->attrs[i].name; i++)
    product->attrs[i] = node->attrs[i];
  if (scales) HONE_TRY(hone_node_set_real(product, "alpha", 1));
  HONE_TRY(hone_node_finish(product, &in[0]));
  in[0]->type.shape = node->outputs[0]->type.shape;
  if (scales) {
    HONE_TRY(hone_graph_real(node->graph, NULL, HONE_F32, alpha, &in[1]));
    HONE_TRY(hone_make(node, &hone_op_mul, in, 2, &in[0]));
  }
  in[1] = bias;
  if (bias) HONE_TRY(hone_make(node, &hone_op_add, in, 2, &in[0]));
  hone_pass_fired(context, "split a product");
  return hone_substitute(node, 0, in[0]);
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  return hone_each_node(graph, context, split_node);
}

const hone_pass hone_pass_split_products = {"split_products", run};
