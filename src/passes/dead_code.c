/* Removes nodes that nothing uses, from the last to the first, and optional outputs that nothing
 * wants. Room: passes. */
#include <string.h>

#include "passes/passes.h"
#include "passes/rewrite.h"

/* Whether output `index` of the schema may be absent. */
static bool is_optional(const char *signature, int index) {
  const char *at = signature;
  for (int i = 0; i < index && *at; i++) {
    at += strcspn(at, " ");
    at += *at == ' ';
  }
  size_t size = strcspn(at, " ");
  return size && at[size - 1] == '?';
}

static hone_status *clean_graph(hone_graph *graph, hone_pass_context *context) {
  (void)context;
  for (hone_node *node = graph->last, *previous; node; node = previous) {
    previous = node->previous;
    bool used = node->output_count == 0;
    for (int i = 0; i < node->output_count; i++)
      used = used || (node->outputs[i] && node->outputs[i]->uses);
    if (!used) {
      hone_node_remove(node);
      continue;
    }
    for (int i = 0; i < node->output_count; i++)
      if (node->outputs[i] && !node->outputs[i]->uses && is_optional(node->op->outputs, i))
        hone_node_drop_output(node, i);
  }
  return NULL;
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  return hone_each_graph(graph, context, clean_graph);
}

const hone_pass hone_pass_dead_code = {"dead_code", run};
