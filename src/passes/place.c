/* Marks what is computed on the host: integers that feed a shape, an axis, a trip count or a
 * branch, back to where they come from. Room: passes. */
#include "passes/passes.h"
#include "passes/rewrite.h"

static bool is_shape_input(const hone_op *op, int index) {
  return op->shape_inputs >> (index < 31 ? index : 31) & 1;
}

/* A value that the host needs takes its maker there, with all that it makes. */
static void need_on_host(hone_value *value) {
  hone_node *maker = value->producer;
  for (int i = 0; maker && i < maker->output_count; i++)
    if (maker->outputs[i]) maker->outputs[i]->place = HONE_PLACE_HOST;
}

static bool on_host(const hone_node *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) return node->outputs[i]->place == HONE_PLACE_HOST;
  return false;
}

/* Only light work moves to the host; a large computation that decides a shape stays where it is,
 * and its result is copied. */
static bool is_light(const hone_node *node) {
  return !(node->op->facts & (HONE_HEAVY | HONE_DATA_SHAPED | HONE_HAS_REGIONS));
}

/* Shape arithmetic is done on scalars and vectors. */
static bool is_small(const hone_value *value) {
  return value->type.shape.rank >= 0 && value->type.shape.rank <= 1;
}

static hone_status *place_graph(hone_graph *graph, hone_pass_context *context) {
  (void)context;
  for (hone_node *node = graph->last; node; node = node->previous) {
    bool objects = node->op->facts & HONE_OBJECTS, host = on_host(node) && is_light(node);
    for (int i = 0; objects && i < node->output_count; i++)
      if (node->outputs[i]) node->outputs[i]->place = HONE_PLACE_HOST;
    for (int i = 0; i < node->input_count; i++) {
      hone_value *input = node->inputs[i].value;
      if (!input || (node->op->facts & HONE_SHAPE_ONLY)) continue;
      if (is_shape_input(node->op, i) || (host && is_small(input))) need_on_host(input);
    }
  }
  return NULL;
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  return hone_each_graph(graph, context, place_graph);
}

const hone_pass hone_pass_place = {"place", run};
