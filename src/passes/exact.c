/* fp32-strict: convolutions are sums of products, never transforms of them. Room: passes. */
#include "passes/passes.h"
#include "passes/rewrite.h"

static hone_status *mark_graph(hone_graph *graph, hone_pass_context *context) {
  for (hone_node *node = graph->first; node; node = node->next) {
    if (node->op != &hone_op_conv) continue;
    HONE_TRY(hone_node_set_int(node, "exact", true));
    hone_pass_fired(context, "exact");
  }
  return NULL;
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  return context->strict ? hone_each_graph(graph, context, mark_graph) : NULL;
}

const hone_pass hone_pass_exact = {"exact", run};
