/* Making programs. Room: engine. */
#include "engine/program.h"

#include "engine/plan.h"

static hone_unit_kind kind_of(const hone_node *node) {
  uint32_t facts = node->op->facts;
  if (node->op == &hone_op_group) return HONE_UNIT_PLAIN;
  if (hone_control_runs(node->op)) return HONE_UNIT_CONTROL;
  if ((facts & HONE_VIEW) && node->inputs[0].value &&
      node->inputs[0].value->type.kind == HONE_KIND_TENSOR &&
      node->inputs[0].value->type.dtype != HONE_STR)
    return HONE_UNIT_VIEW;
  return HONE_UNIT_PLAIN;
}

static hone_status *make_units(hone_program *program, hone_arena *arena) {
  const hone_graph *graph = program->graph;
  for (const hone_node *n = graph->first; n; n = n->next) program->unit_count++;
  program->units = HONE_NEW_ARRAY(arena, program->unit_count, hone_unit);
  HONE_TRY_MEMORY(program->units);
  hone_unit *unit = program->units;
  for (const hone_node *n = graph->first; n; n = n->next, unit++) {
    unit->node = n;
    unit->kind = kind_of(n);
    if (n->op == &hone_op_group) unit->body = n->regions[0];
    if (unit->kind != HONE_UNIT_CONTROL) continue;
    unit->regions = HONE_NEW_ARRAY(arena, n->region_count, hone_program *);
    HONE_TRY_MEMORY(unit->regions);
    for (int i = 0; i < n->region_count; i++)
      HONE_TRY(hone_program_make(n->regions[i], arena, &unit->regions[i]));
  }
  return NULL;
}

static hone_status *list_values(hone_program *program, hone_arena *arena) {
  const hone_graph *graph = program->graph;
  program->value_count = graph->next_id;
  program->values = HONE_NEW_ARRAY(arena, program->value_count + 1, const hone_value *);
  HONE_TRY_MEMORY(program->values);
  for (int i = 0; i < graph->input_count; i++)
    program->values[graph->inputs[i]->id] = graph->inputs[i];
  for (size_t i = 0; i < graph->constant_count; i++)
    program->values[graph->constants[i]->id] = graph->constants[i];
  for (const hone_node *n = graph->first; n; n = n->next)
    for (int i = 0; i < n->output_count; i++)
      if (n->outputs[i]) program->values[n->outputs[i]->id] = n->outputs[i];
  return NULL;
}

hone_status *hone_program_make(const hone_graph *graph, hone_arena *arena, hone_program **out) {
  hone_program *program = HONE_NEW(arena, hone_program);
  HONE_TRY_MEMORY(program);
  program->graph = graph;
  program->host_inputs = HONE_NEW_ARRAY(arena, graph->input_count / 64 + 1, uint64_t);
  HONE_TRY_MEMORY(program->host_inputs);
  for (int i = 0; i < graph->input_count; i++)
    if (graph->inputs[i]->place == HONE_PLACE_HOST)
      program->host_inputs[i / 64] |= (uint64_t)1 << (i % 64);
  HONE_TRY(list_values(program, arena));
  HONE_TRY(make_units(program, arena));
  pthread_mutex_init(&program->lock, NULL);
  *out = program;
  return NULL;
}

void hone_unit_release(hone_unit *unit) {
  const hone_backend *backend = unit->kind == HONE_UNIT_KERNEL ? unit->prepared.backend : NULL;
  if (backend && backend->release) backend->release(&unit->prepared);
}

void hone_program_drop(hone_program *program) {
  if (!program) return;
  for (size_t i = 0; i < program->unit_count; i++) hone_unit_release(&program->units[i]);
  for (size_t i = 0; i < program->unit_count; i++)
    if (program->units[i].regions)
      for (int r = 0; r < program->units[i].node->region_count; r++)
        hone_program_drop(program->units[i].regions[r]);
  hone_plans_drop(program);
  pthread_mutex_destroy(&program->lock);
}
