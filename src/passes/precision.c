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

static bool takes_precision(const hone_node *node) {
  return node->op == &hone_op_conv || node->op == &hone_op_matmul ||
         node->op == &hone_op_attention;
}

static hone_status *lower_node(hone_node *node, hone_pass_context *context) {
  hone_dtype dtype = context->compute;
  hone_value *inputs[8], *wide, *result = hone_node_out(node, 0);
  hone_node *low;
  if (!takes_precision(node) || result->type.dtype != HONE_F32 || node->input_count > 8)
    return NULL;
  for (int i = 0; i < node->input_count; i++) {
    inputs[i] = node->inputs[i].value;
    if (inputs[i] && inputs[i]->type.dtype == HONE_F32)
      HONE_TRY(cast(node, inputs[i], dtype, &inputs[i]));
  }
  HONE_TRY(hone_node_start(node, node->op, inputs, node->input_count, &low));
  for (int i = 0; i < HONE_MAX_ATTRS && node->op->attrs[i].name; i++) low->attrs[i] = node->attrs[i];
  HONE_TRY(hone_node_finish(low, &wide));
  HONE_TRY(cast(node, wide, HONE_F32, &wide));
  hone_pass_fired(context, "lower precision");
  return hone_substitute(node, 0, wide);
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  if (context->compute == HONE_F32 || context->compute == HONE_DTYPE_NONE) return NULL;
  return hone_each_node(graph, context, lower_node);
}

const hone_pass hone_pass_precision = {"precision", run};
