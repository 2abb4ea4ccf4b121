/* The control flow of networks: bodies, captured values, closing. Room: engine. */
#include <string.h>

#include "engine/network.h"

/* As deep as the text form goes. */
#define MOST_LEVELS 32

static hone_status *check_depth(const hone_network *network) {
  int depth = 0;
  for (; network; network = network->outer) depth++;
  return depth <= MOST_LEVELS
             ? NULL
             : hone_error(HONE_LIMIT, "more than %d bodies inside each other", MOST_LEVELS);
}

static hone_network *root_of(hone_network *network) {
  while (network->outer) network = network->outer;
  return network;
}

static hone_status *new_body(hone_network *network, hone_node *owner, const char *name,
                             int first_capture, int region_offset, hone_network **out) {
  hone_network *root = root_of(network);
  hone_graph *graph;
  HONE_TRY(hone_graph_new_region(owner, name, &graph));
  hone_network *body = hone_alloc_zero(sizeof *body);
  HONE_TRY_MEMORY(body);
  *body = (hone_network){.graph = graph,
                         .outer = network,
                         .next = root->bodies,
                         .owner = owner,
                         .first_capture = first_capture,
                         .region_offset = region_offset};
  root->bodies = body;
  *out = body;
  return NULL;
}

/* A layer that failed leaves no body open. */
static hone_status *end_opening(hone_layer *layer, hone_network *const *bodies, int count) {
  for (int i = 0; layer->status && i < count; i++)
    if (bodies[i]) bodies[i]->closed = true;
  return hone_layer_end(layer);
}

hone_status *hone_network_if(hone_network *network, const char *name, hone_value *condition,
                             hone_network **then_body, hone_network **else_body) {
  static const char *const names[] = {"then", "else"};
  hone_network *bodies[2] = {NULL};
  hone_layer layer = hone_layer_begin(network, name);
  if (!layer.status) hone_layer_keep(&layer, check_depth(network));
  hone_node *node = hone_layer_node(&layer, "if", &condition, 1, 0);
  if (node && !node->input_count)
    hone_layer_keep(&layer, hone_error(HONE_INVALID_ARGUMENT, "its condition is missing"));
  for (int i = 0; node && !layer.status && i < 2; i++)
    hone_layer_keep(&layer, new_body(network, node, names[i], 1, -1, &bodies[i]));
  HONE_TRY(end_opening(&layer, bodies, 2));
  *then_body = bodies[0];
  *else_body = bodies[1];
  return NULL;
}

/* What a loop's body starts with: the turn, the condition, what is carried. Of carried values whose
 * sizes change only the ranks are sure inside. */
static hone_status *loop_inputs(hone_node *node, hone_graph *body, bool changing) {
  hone_shape scalar = {0};
  HONE_TRY(hone_graph_input(body, "turn", hone_tensor_type(HONE_S64, scalar), NULL));
  HONE_TRY(hone_graph_input(body, "condition", hone_tensor_type(HONE_BOOL, scalar), NULL));
  for (int i = 2; i < node->input_count; i++) {
    const hone_value *first = node->inputs[i].value;
    if (!first) return hone_error(HONE_INVALID_ARGUMENT, "carried value %d is missing", i - 2);
    hone_type type = first->type;
    for (int d = 0; changing && d < type.shape.rank; d++)
      HONE_TRY(hone_graph_symbol(body, NULL, &type.shape.dim[d]));
    HONE_TRY(hone_graph_input(body, first->name, type, NULL));
  }
  return NULL;
}

/* The node of a loop; absent trips and condition keep their places. */
static hone_node *loop_node(hone_layer *layer, hone_value *trips, hone_value *condition,
                            hone_value *const *carried, size_t count) {
  hone_node *node = hone_layer_node(layer, "loop", NULL, 0, 0);
  hone_value *first[] = {trips, condition};
  for (size_t i = 0; node && !layer->status && i < 2 + count; i++) {
    hone_value *value = hone_layer_value(layer, i < 2 ? first[i] : carried[i - 2]);
    if (!layer->status) hone_layer_keep(layer, hone_node_add_input(node, value));
  }
  if (node && !layer->status)
    hone_layer_keep(layer, hone_node_set_int(node, "carried", (int64_t)count));
  return layer->status ? NULL : node;
}

hone_status *hone_network_loop(hone_network *network, const char *name, hone_value *trips,
                               hone_value *condition, hone_value *const *carried,
                               size_t carried_count, bool changing, hone_network **body) {
  hone_network *made = NULL;
  hone_layer layer = hone_layer_begin(network, name);
  if (!layer.status) hone_layer_keep(&layer, check_depth(network));
  hone_node *node = loop_node(&layer, trips, condition, carried, carried_count);
  if (node) hone_layer_keep(&layer, new_body(network, node, "body", node->input_count, 0, &made));
  if (made && !layer.status) hone_layer_keep(&layer, loop_inputs(node, made->graph, changing));
  if (made) made->changing = changing;
  HONE_TRY(end_opening(&layer, &made, 1));
  *body = made;
  return NULL;
}

hone_value *hone_network_body_input(hone_network *body, size_t index) {
  bool there = body->outer && body->region_offset == 0 && !body->closed &&
               index < (size_t)body->first_capture;
  return there ? body->graph->inputs[index] : NULL;
}

/* What goes round in a loop comes out as it went in, unless it was said to change its sizes. */
static hone_status *check_carried(const hone_network *body) {
  for (int i = 2; body->region_offset == 0 && i < body->first_capture; i++) {
    const hone_type *in = &body->graph->inputs[i]->type;
    if (i - 1 >= body->graph->output_count)
      return hone_error(HONE_INVALID_ARGUMENT, "its body gives no carried value %d", i - 2);
    const hone_type *out = &body->graph->outputs[i - 1].value->type;
    if (in->kind != out->kind || in->dtype != out->dtype)
      return hone_error(HONE_INVALID_ARGUMENT, "carried value %d is %s and becomes %s", i - 2,
                        hone_dtype_name(in->dtype), hone_dtype_name(out->dtype));
    if (!body->changing && !hone_shape_equal(&in->shape, &out->shape))
      return hone_error(HONE_INVALID_ARGUMENT, "carried value %d changes its shape", i - 2);
  }
  return NULL;
}

static hone_status *check_bodies(const hone_network *body, size_t output_count) {
  const hone_node *owner = body->owner;
  const hone_graph *first = owner->regions[0];
  int skipped = body->region_offset == 0; /* whether a loop goes on is no output of the layer */
  if (body->closed) return hone_error(HONE_INVALID_ARGUMENT, "it is closed already");
  for (int r = 0; r < owner->region_count; r++)
    if (owner->regions[r]->output_count != first->output_count)
      return hone_error(HONE_INVALID_ARGUMENT, "one body has %d outputs and the other %d",
                        first->output_count, owner->regions[r]->output_count);
  HONE_TRY(check_carried(body));
  if (first->output_count >= skipped && (size_t)(first->output_count - skipped) == output_count)
    return NULL;
  return hone_error(HONE_INVALID_ARGUMENT,
                    "its bodies have %d outputs, and %zu of the layer are "
                    "asked for",
                    first->output_count, output_count);
}

/* Bodies inside the owner's are closed before it. */
static hone_status *check_inner(hone_network *body) {
  for (const hone_network *at = root_of(body)->bodies; at; at = at->next)
    if (!at->closed && at->outer->owner == body->owner)
      return hone_error(HONE_INVALID_ARGUMENT, "the body of '%.100s' inside it is not closed",
                        hone_node_label(at->owner));
  return NULL;
}

/* The owner moves behind all that was captured while its bodies were open. */
static void make_outputs(hone_layer *layer, hone_node *owner, size_t count) {
  hone_type unknown = hone_tensor_type(HONE_DTYPE_NONE, hone_shape_unknown());
  for (size_t i = 0; i < count && !layer->status; i++)
    hone_layer_keep(layer, hone_node_add_output(owner, NULL, unknown, NULL));
  if (layer->status) return;
  hone_node_move(owner, NULL);
  (void)hone_layer_infer(layer, owner);
}

hone_status *hone_network_close(hone_network *body, hone_value **outputs, size_t output_count) {
  if (!body->outer) return hone_error(HONE_INVALID_ARGUMENT, "a network is finished, not closed");
  hone_layer layer = hone_layer_begin(body->outer, NULL);
  if (!layer.status) layer.name = hone_node_label(body->owner);
  if (!layer.status) hone_layer_keep(&layer, check_bodies(body, output_count));
  if (!layer.status) hone_layer_keep(&layer, check_inner(body));
  if (layer.status) return hone_layer_end(&layer);
  hone_node *owner = body->owner;
  make_outputs(&layer, owner, output_count);
  if (layer.status) {
    for (int i = 0; i < owner->output_count; i++) hone_node_drop_output(owner, i);
    owner->output_count = 0;
    layer.open = false; /* the owner stays, its bodies open */
  }
  for (hone_network *at = root_of(body)->bodies; at && !layer.status; at = at->next)
    if (at->owner == owner) at->closed = true;
  return hone_layer_give_node(&layer, owner, outputs);
}
