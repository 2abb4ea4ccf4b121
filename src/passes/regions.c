/* Bodies of control flow: what they capture that is constant moves inside, where it can be folded and
 * packed; what they no longer need is no longer passed in; a branch whose condition is known takes
 * the node's place. Room: passes. */
#include "base/map.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

/* The first input of `node` that is a capture, and how much further left it is among the inputs of the
 * bodies; false for ops whose bodies take no captures as they are. */
static bool captures_of(const hone_node *node, int *first, int *shift) {
  if (node->op == &hone_op_if) {
    *first = *shift = 1;
    return true;
  }
  *shift = 0;
  *first = node->op == &hone_op_loop ? 2 + (int)hone_node_int(node, "carried") : 0;
  return node->op == &hone_op_loop;
}

static hone_status *move_inside(hone_graph *body, int index, const hone_value *constant) {
  hone_value *input = body->inputs[index], *inside;
  if (!input->uses) return NULL;
  HONE_TRY(hone_graph_constant(body, constant->name, constant->type.dtype, constant->type.shape,
                               constant->constant, constant->constant_size, &inside));
  hone_value_replace(input, inside);
  return NULL;
}

static bool is_used_inside(const hone_node *node, int index) {
  for (int r = 0; r < node->region_count; r++)
    if (node->regions[r]->inputs[index]->uses) return true;
  return false;
}

static hone_status *trim_captures(hone_node *node, hone_pass_context *context) {
  int first, shift;
  if (!captures_of(node, &first, &shift)) return NULL;
  for (int i = node->input_count - 1; i >= first; i--) {
    hone_value *value = node->inputs[i].value;
    for (int r = 0; r < node->region_count && hone_value_is_constant(value); r++)
      HONE_TRY(move_inside(node->regions[r], i - shift, value));
    if (is_used_inside(node, i - shift)) continue;
    hone_node_drop_input(node, i);
    for (int r = 0; r < node->region_count; r++)
      hone_graph_drop_input(node->regions[r], i - shift);
    if (value && value->producer) hone_remove_unused(value->producer);
    hone_pass_fired(context, "drop capture");
  }
  return NULL;
}

/* Copies the chosen body before the node; `values` stands for its inputs and takes what it makes. */
static hone_status *copy_branch(hone_node *node, const hone_graph *body, hone_map *values) {
  for (int i = 0; i < body->input_count; i++)
    HONE_TRY(hone_map_put(values, (const char *)&body->inputs[i], sizeof body->inputs[i],
                          node->inputs[1 + i].value));
  for (const hone_node *inner = body->first; inner; inner = inner->next)
    HONE_TRY(hone_node_copy(inner, node->graph, node, values, NULL));
  for (int i = 0, count = body->output_count; i < count; i++) {
    const hone_value *output = body->outputs[i].value;
    if (!hone_node_out(node, i)) continue;
    hone_value *to = hone_map_get(values, (const char *)&output, sizeof output);
    if (!to)
      HONE_TRY(hone_graph_constant(node->graph, output->name, output->type.dtype,
                                   output->type.shape, output->constant, output->constant_size,
                                   &to));
    HONE_TRY(hone_substitute(node, i, to));
  }
  return NULL;
}

static hone_status *take_branch(hone_node *node, hone_pass_context *context) {
  double condition;
  if (node->op != &hone_op_if || !hone_uniform(node->inputs[0].value, &condition)) return NULL;
  hone_map values = {0};
  hone_status *status = copy_branch(node, node->regions[condition != 0 ? 0 : 1], &values);
  hone_map_free(&values);
  hone_pass_fired(context, "take branch");
  return status;
}

/* From the outside in: a constant sinks through all levels at once, and a branch that goes takes its
 * own with it. */
static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  for (hone_node *node = graph->first, *next; node; node = next) {
    next = node->next;
    if (node->op == &hone_op_group) continue;
    HONE_TRY(trim_captures(node, context));
    for (int i = 0; i < node->region_count; i++) HONE_TRY(run(node->regions[i], context));
    HONE_TRY(take_branch(node, context));
  }
  return NULL;
}

const hone_pass hone_pass_regions = {"regions", run};
