/* Where every value lies. Integers that feed a shape or an axis are computed on the host, back to where
 * they come from. What comes from the device crosses in a node of its own, to_host; so does what
 * decides a branch or a trip count. Room: passes. */
#include "ir/text.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

/* Shape arithmetic is done on scalars and vectors. */
static bool is_small(const hone_value *value) {
  return value->type.kind == HONE_KIND_TENSOR && value->type.shape.rank >= 0 &&
         value->type.shape.rank <= 1;
}

/* Only light work moves to the host: a computation over large tensors that decides a shape stays
 * where it is, and its result crosses. */
static bool is_light(const hone_node *node) {
  if (node->op->facts & (HONE_HEAVY | HONE_DATA_SHAPED | HONE_HAS_REGIONS)) return false;
  if (node->op->facts & (HONE_SHAPE_ONLY | HONE_OBJECTS)) return true;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *input = node->inputs[i].value;
    if (input && !input->constant && !is_small(input)) return false;
  }
  return true;
}

static bool on_host(const hone_node *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) return node->outputs[i]->place == HONE_PLACE_HOST;
  return false;
}

static void put_on_host(hone_node *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) node->outputs[i]->place = HONE_PLACE_HOST;
}

/* From the last node to the first: who works on the host takes the light work before it along. */
static void mark(hone_graph *graph) {
  for (hone_node *node = graph->last; node; node = node->previous) {
    if (node->op->facts & HONE_OBJECTS) put_on_host(node);
    if (node->op->facts & HONE_SHAPE_ONLY) continue;
    bool host = on_host(node);
    for (int i = 0; i < node->input_count; i++) {
      hone_node *maker = node->inputs[i].value ? node->inputs[i].value->producer : NULL;
      if (maker && (host || hone_op_shaped_by(node->op, i)) && is_light(maker)) put_on_host(maker);
    }
  }
}

/* `value` on the host: what an earlier node has brought there, or a new node before `user`. */
static hone_status *bring(hone_value *value, hone_node *user, hone_value **out) {
  for (hone_use *use = value->uses; use; use = use->next) {
    if (!use->user || !(use->user->op->facts & HONE_CROSSES)) continue;
    *out = use->user->outputs[0];
    return NULL;
  }
  HONE_TRY(hone_make(user, &hone_op_to_host, &value, 1, out));
  (*out)->place = HONE_PLACE_HOST;
  return NULL;
}

static hone_status *cross(hone_node *node, hone_pass_context *context) {
  if (node->op->facts & (HONE_SHAPE_ONLY | HONE_CROSSES)) return NULL;
  bool host = on_host(node);
  for (int i = 0; i < node->input_count; i++) {
    hone_value *input = node->inputs[i].value, *brought;
    if (!input || !hone_value_is_on_device(input)) continue;
    if (!host && !hone_op_host_reads(node->op, i)) continue;
    HONE_TRY(bring(input, node, &brought));
    hone_node_set_input(node, i, brought);
    hone_pass_fired(context, "to the host");
  }
  return NULL;
}

static hone_status *place_graph(hone_graph *graph, hone_pass_context *context) {
  mark(graph);
  for (hone_node *node = graph->first; node; node = node->next) HONE_TRY(cross(node, context));
  return NULL;
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  HONE_TRY(hone_each_graph(graph, context, place_graph));
  return hone_graph_verify_places(graph);
}

const hone_pass hone_pass_place = {"place", run};
