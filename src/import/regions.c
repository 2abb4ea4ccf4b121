/* Conditionals and loops: captures, carried types that settle. Room: import. */
#include "import/regions.h"

#include <string.h>

hone_status *hone_region_capture(hone_graph *region, int first, int offset, hone_value *value,
                                 hone_value **out) {
  hone_node *owner = region->owner;
  *out = value;
  if (value->graph == region) return NULL;
  if (hone_value_is_constant(value))
    return hone_graph_constant(region, value->name, value->type.dtype, value->type.shape,
                               value->constant, value->constant_size, out);
  for (int i = first; i < owner->input_count; i++) {
    if (owner->inputs[i].value != value) continue;
    *out = region->inputs[i + offset];
    return NULL;
  }
  /* All regions of a node take the same captures, so that each gets an input for it. */
  HONE_TRY(hone_node_add_input(owner, value));
  for (int i = 0; i < owner->region_count; i++)
    HONE_TRY(hone_graph_input(owner->regions[i], value->name, value->type, NULL));
  *out = region->inputs[owner->input_count - 1 + offset];
  return NULL;
}

/* Forgets a region that turned out wrong: its names become free. */
static void forget_names(hone_graph *region) {
  hone_map *names = &region->root->names;
  for (int i = 0; i < region->input_count; i++)
    hone_map_remove(names, region->inputs[i]->name, strlen(region->inputs[i]->name));
  for (size_t i = 0; i < region->constant_count; i++)
    hone_map_remove(names, region->constants[i]->name, strlen(region->constants[i]->name));
  for (hone_node *node = region->first; node; node = node->next) {
    for (int i = 0; i < node->output_count; i++)
      if (node->outputs[i])
        hone_map_remove(names, node->outputs[i]->name, strlen(node->outputs[i]->name));
    for (int i = 0; i < node->region_count; i++) forget_names(node->regions[i]);
  }
}

void hone_regions_forget(hone_node *node, int first) {
  for (int i = 0; i < node->region_count; i++) forget_names(node->regions[i]);
  node->region_count = 0;
  for (int i = first; i < node->input_count; i++) hone_node_set_input(node, i, NULL);
  node->input_count = first;
}

static hone_status *add_outputs(hone_node *node, size_t count) {
  hone_type unknown = hone_tensor_type(HONE_DTYPE_NONE, hone_shape_unknown());
  for (size_t i = 0; i < count; i++) HONE_TRY(hone_node_add_output(node, NULL, unknown, NULL));
  return NULL;
}

/* Ends a node of several outputs and gives them. It moves behind what was made outside while its
 * regions were filled, as they may take that. */
static hone_status *end_node(hone_call *call, hone_node *node, size_t count, hone_value **out) {
  hone_node_move(node, NULL);
  HONE_TRY(add_outputs(node, count));
  (void)hone_emit_end(call, node);
  for (size_t i = 0; i < count; i++) out[i] = hone_emit_out(call, node, (int)i);
  return NULL;
}

/* ---- If ---- */

static hone_status *fill_branch(hone_branching *branching, hone_graph *region, bool taken,
                                hone_value **out) {
  HONE_TRY(branching->fill(branching, region, taken, out));
  for (int i = 0; i < branching->output_count; i++) {
    hone_value *inside;
    HONE_TRY(hone_region_capture(region, HONE_IF_CAPTURE, HONE_IF_OFFSET, out[i], &inside));
    HONE_TRY(hone_graph_output(region, inside));
  }
  return NULL;
}

hone_status *hone_emit_if(hone_branching *branching, hone_value **out) {
  static const char *const names[] = {"then_branch", "else_branch"};
  hone_call *call = branching->call;
  hone_graph *regions[2];
  int64_t known;
  size_t count;
  if (hone_known_ints(branching->condition, &known, 1, &count) && count == 1)
    return branching->fill(branching, call->graph, known != 0, out);
  hone_node *node = hone_emit_begin(call, "if", &branching->condition, 1, 0);
  if (!node) return NULL;
  for (int i = 0; i < 2; i++) HONE_TRY(hone_graph_new_region(node, names[i], &regions[i]));
  for (int i = 0; i < 2; i++)
    HONE_TRY(hone_error_at(fill_branch(branching, regions[i], i == 0, out), "%s", names[i]));
  return end_node(call, node, (size_t)branching->output_count, out);
}

/* ---- Loop ---- */

static hone_status *open_dim(hone_looping *loop, size_t i, int d) {
  loop->open[i] |= (unsigned char)(1u << d);
  return hone_graph_symbol(loop->call->graph, NULL, &loop->types[i].shape.dim[d]);
}

hone_status *hone_carried_widen(hone_graph *graph, size_t index, const hone_type *turned,
                                hone_type *type, unsigned char *open, bool *changed) {
  if (type->kind != turned->kind || (type->dtype && turned->dtype && type->dtype != turned->dtype))
    return hone_error(HONE_INVALID_MODEL, "carried value %zu starts as %s and becomes %s", index,
                      hone_dtype_name(type->dtype), hone_dtype_name(turned->dtype));
  if (!type->dtype && turned->dtype) {
    type->dtype = turned->dtype;
    *changed = true;
  }
  if (type->shape.rank < 0) return NULL;
  if (type->shape.rank != turned->shape.rank) {
    type->shape = hone_shape_unknown();
    *changed = true;
    return NULL;
  }
  for (int d = 0; d < type->shape.rank; d++) {
    if (type->shape.dim[d] == turned->shape.dim[d] || *open >> d & 1) continue;
    HONE_TRY(hone_graph_symbol(graph, NULL, &type->shape.dim[d]));
    *open |= (unsigned char)(1u << d);
    *changed = true;
  }
  return NULL;
}

static hone_status *make_region(hone_looping *loop, hone_graph **out) {
  hone_graph *region;
  HONE_TRY(hone_graph_new_region(loop->node, "body", &region));
  hone_type iteration = hone_tensor_type(HONE_S64, (hone_shape){0});
  hone_type condition = hone_tensor_type(HONE_BOOL, (hone_shape){0});
  HONE_TRY(hone_graph_input(region, NULL, iteration, NULL));
  HONE_TRY(hone_graph_input(region, NULL, condition, NULL));
  for (size_t i = 0; i < loop->carried; i++)
    HONE_TRY(hone_graph_input(region, NULL, loop->types[i], NULL));
  *out = region;
  return NULL;
}

/* Fills the region once; `changed` when the types were too narrow. */
static hone_status *fill_loop(hone_looping *loop, hone_value **results, bool *changed) {
  size_t count = 1 + loop->carried + loop->scanned;
  hone_graph *region;
  HONE_TRY(make_region(loop, &region));
  HONE_TRY(loop->fill(loop, region, results));
  for (size_t i = 0; i < count; i++)
    HONE_TRY(hone_region_capture(region, 2 + (int)loop->carried, 0, results[i], &results[i]));
  for (size_t i = 0; i < loop->carried; i++)
    HONE_TRY(hone_carried_widen(region, i, &results[1 + i]->type, &loop->types[i], &loop->open[i],
                                changed));
  for (size_t i = 0; !*changed && i < count; i++) HONE_TRY(hone_graph_output(region, results[i]));
  return NULL;
}

/* Emits until the types hold. Each round opens something; a rank that is not known stays so. */
static hone_status *turn_until_fixed(hone_looping *loop, hone_value **results) {
  for (int round = 0; round < 40; round++) {
    bool changed = false;
    HONE_TRY(fill_loop(loop, results, &changed));
    if (!changed) return NULL;
    hone_regions_forget(loop->node, 2 + (int)loop->carried);
    if (round != 3) continue;
    for (size_t i = 0; i < loop->carried; i++)
      for (int d = 0; d < loop->types[i].shape.rank; d++) HONE_TRY(open_dim(loop, i, d));
  }
  return hone_error(HONE_UNSUPPORTED, "the types of what the loop carries do not settle");
}

static hone_status *emit_loop(hone_looping *loop, hone_arena *memory, hone_value **out) {
  hone_call *call = loop->call;
  hone_value **inputs = HONE_NEW_ARRAY(memory, 2 + loop->carried, hone_value *);
  hone_value **results = HONE_NEW_ARRAY(memory, 1 + loop->carried + loop->scanned, hone_value *);
  loop->types = HONE_NEW_ARRAY(memory, loop->carried + 1, hone_type);
  loop->open = HONE_NEW_ARRAY(memory, loop->carried + 1, unsigned char);
  if (!inputs || !results || !loop->types || !loop->open) return hone_error_memory();
  inputs[0] = loop->trips;
  inputs[1] = loop->condition ? loop->condition : hone_emit_real(call, HONE_BOOL, 1);
  for (size_t i = 0; i < loop->carried; i++) {
    inputs[2 + i] = loop->initial[i];
    loop->types[i] = loop->initial[i]->type;
  }
  loop->node = hone_emit_begin(call, "loop", inputs, (int)(2 + loop->carried), 0);
  if (!loop->node) return NULL;
  hone_emit_set_int(call, loop->node, "carried", (int64_t)loop->carried);
  HONE_TRY(hone_error_at(turn_until_fixed(loop, results), "body"));
  return end_node(call, loop->node, loop->carried + loop->scanned, out);
}

hone_status *hone_emit_loop(hone_looping *loop, hone_value **out) {
  hone_arena memory = {0};
  hone_status *status = emit_loop(loop, &memory, out);
  hone_arena_free(&memory);
  return status;
}
