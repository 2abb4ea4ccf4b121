/* From a stage's steps to lifetimes, and so to offsets. Room: engine. */
#include <string.h>

#include "engine/memory_plan.h"
#include "engine/planner.h"

/* The graph's outputs whose memory a kernel of this stage makes are written in place. */
hone_status *hone_place_outputs(hone_planner *p) {
  const hone_graph *graph = p->program->graph;
  for (int i = 0; i < graph->output_count; i++) {
    const hone_planned *planned = &p->values[graph->outputs[i].value->id];
    if (planned->at.kind != HONE_AT_ARENA) continue;
    hone_planned *root = &p->values[planned->root];
    if (planned->inside != 0) continue;
    bool made_here = !p->before || p->before->values[planned->root].at.kind == HONE_AT_NOWHERE;
    if (root->at.kind != HONE_AT_ARENA || !made_here || root->bound) continue;
    root->at = (hone_location){.kind = HONE_AT_OUTPUT, .index = i};
    if (!hone_shape_bytes(&root->type.shape, root->type.dtype, &p->plan->output_bytes[i]))
      return hone_error(HONE_LIMIT, "the size of output '%s' overflows",
                        graph->outputs[i].value->name);
  }
  return NULL;
}

typedef struct lifetimes {
  hone_block *blocks;
  uint32_t *ids;  /* of each block */
  int32_t *block; /* by value id: its block, or -1 */
  size_t count;
} lifetimes;

static hone_status *add_block(hone_planner *p, lifetimes *l, uint32_t id, int first, int last,
                              int fixed) {
  hone_planned *planned = &p->values[id];
  size_t bytes;
  const hone_shape *shape = planned->bound ? planned->bound : &planned->type.shape;
  if (!hone_shape_bytes(shape, planned->type.dtype, &bytes))
    return hone_error(HONE_LIMIT, "the size of '%s' overflows", p->program->values[id]->name);
  l->block[id] = (int32_t)l->count;
  l->ids[l->count] = id;
  l->blocks[l->count++] = (hone_block){.size = bytes ? bytes : 1,
                                       .first = first,
                                       .last = last,
                                       .offset = planned->at.offset,
                                       .fixed = fixed};
  return NULL;
}

/* Extends the life of the memory under `value` to `step`. */
static void use_until(hone_planner *p, lifetimes *l, const hone_value *value, int step) {
  if (!value) return;
  int32_t block = l->block[p->values[value->id].root];
  if (block >= 0 && l->blocks[block].last < step) l->blocks[block].last = step;
}

/* The memory under `value`, which step `step` writes: from the first such step on. */
static hone_status *begin_block(hone_planner *p, lifetimes *l, const hone_value *value, int step) {
  uint32_t root = p->values[value->id].root;
  if (p->values[root].at.kind != HONE_AT_ARENA) return NULL;
  if (l->block[root] < 0) return add_block(p, l, root, step, step, 0);
  use_until(p, l, value, step);
  return NULL;
}

static hone_status *collect_lifetimes(hone_planner *p, lifetimes *l) {
  const hone_graph *graph = p->program->graph;
  int steps = (int)p->plan->step_count, end = steps + 1;
  memset(l->block, 0xff, p->program->value_count * sizeof *l->block);
  if (p->before)
    for (uint32_t id = 0; id < p->program->value_count; id++) {
      const hone_planned *old = &p->before->values[id];
      if (old->at.kind == HONE_AT_ARENA && old->root == id) HONE_TRY(add_block(p, l, id, 0, 0, 1));
    }
  for (int s = 0; s < steps; s++) {
    const hone_node *node = p->plan->steps[s].unit->node;
    for (int i = 0; i < node->input_count; i++) use_until(p, l, node->inputs[i].value, s);
    for (int i = 0; i < node->output_count; i++) {
      const hone_value *output = node->outputs[i];
      if (output && p->values[output->id].at.kind == HONE_AT_ARENA)
        HONE_TRY(begin_block(p, l, output, s));
    }
  }
  for (size_t u = p->plan->next_unit; u < p->program->unit_count; u++) {
    const hone_node *node = p->program->units[u].node;
    for (int i = 0; i < node->input_count; i++) {
      const hone_value *input = node->inputs[i].value;
      if (input && p->values[input->id].at.kind != HONE_AT_NOWHERE) use_until(p, l, input, end);
    }
  }
  for (int i = 0; i < graph->output_count; i++) {
    const hone_value *output = graph->outputs[i].value;
    if (p->values[output->id].at.kind != HONE_AT_NOWHERE) use_until(p, l, output, end);
  }
  return NULL;
}

hone_status *hone_lay_out(hone_planner *p) {
  size_t room = p->program->value_count + 1;
  lifetimes l = {HONE_NEW_ARRAY(p->memory, room, hone_block),
                 HONE_NEW_ARRAY(p->memory, room, uint32_t),
                 HONE_NEW_ARRAY(p->memory, room, int32_t), 0};
  if (!l.blocks || !l.ids || !l.block) return hone_error_memory();
  HONE_TRY(collect_lifetimes(p, &l));
  hone_plan *plan = p->plan;
  HONE_TRY(hone_memory_plan(l.blocks, l.count, &plan->scratch_offset));
  for (size_t i = 0; i < l.count; i++) p->values[l.ids[i]].at.offset = l.blocks[i].offset;
  /* Views and parts, also of what turned into an output's own place, follow their roots. */
  for (uint32_t id = 0; id < p->program->value_count; id++) {
    hone_planned *planned = &p->values[id];
    if (planned->at.kind != HONE_AT_ARENA || planned->root == id) continue;
    planned->at = p->values[planned->root].at;
    if (planned->at.kind == HONE_AT_ARENA) planned->at.offset += planned->inside;
  }
  size_t scratch = 0;
  for (size_t s = 0; s < plan->step_count; s++)
    if (!plan->steps[s].kernel.on_device && plan->steps[s].kernel.scratch > scratch)
      scratch = plan->steps[s].kernel.scratch;
  if (!hone_add(plan->scratch_offset, scratch, &plan->arena_size))
    return hone_error(HONE_LIMIT, "the memory that a run takes overflows");
  return NULL;
}
