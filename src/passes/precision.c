/* What layers compute in: with bf16 or f16 asked for, the operands of heavy ops are cast to it and
 * their results back, so that the text form shows what runs. Sums stay in f32 inside the kernels.
 * Casts of weights fold; those between layers join the groups before and after. Room: passes. */
#include "passes/passes.h"
#include "passes/rewrite.h"

static hone_status *cast(hone_node *from, hone_value *value, hone_dtype to, hone_value **out) {
  hone_node *node;
  HONE_TRY(hone_node_start(from, &hone_op_cast, &value, 1, &node));
  HONE_TRY(hone_node_set_int(node, "to", to));
  return hone_node_finish(node, out);
}

/* Constant, or a cast of what is: too large to fold. */
static bool is_weight(const hone_value *value) {
  if (value->producer && value->producer->op == &hone_op_cast)
    value = value->producer->inputs[0].value;
  return hone_value_is_constant(value);
}

/* Grouped convolutions stay: their products are too short for the wider multiplications to pay. So do
 * products of two computed operands, which would have to be rounded and packed in every run. */
static bool takes_precision(const hone_node *node) {
  if (node->op == &hone_op_conv && hone_node_int(node, "groups") > 1) return false;
  return (node->op == &hone_op_conv || node->op == &hone_op_matmul) &&
         node->outputs[0]->type.dtype == HONE_F32 && is_weight(node->inputs[1].value);
}

/* The product of lowered operands, as f32. A bias is added after it, unrounded. */
static hone_status *lower_node(hone_node *node, hone_pass_context *context) {
  enum { OPERANDS = 2, BIAS = 2 };
  hone_value *inputs[OPERANDS], *sum[2] = {NULL, hone_node_in(node, BIAS)};
  hone_node *low;
  if (!takes_precision(node) || hone_pass_keeps_f32(context, node)) return NULL;
  for (int i = 0; i < OPERANDS; i++)
    HONE_TRY(cast(node, node->inputs[i].value, context->compute, &inputs[i]));
  HONE_TRY(hone_node_start(node, node->op, inputs, OPERANDS, &low));
  hone_copy_attrs(low, node);
  HONE_TRY(hone_node_finish(low, &sum[0]));
  HONE_TRY(cast(node, sum[0], HONE_F32, &sum[0]));
  if (sum[1]) HONE_TRY(hone_make(node, &hone_op_add, sum, 2, &sum[0]));
  hone_pass_fired(context, "lower precision");
  return hone_substitute(node, 0, sum[0]);
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  if (context->compute == HONE_F32 || context->compute == HONE_DTYPE_NONE) return NULL;
  if (context->takes) return NULL; /* a device's own pass, narrow */
  return hone_each_node(graph, context, lower_node);
}

const hone_pass hone_pass_precision = {"precision", run};
