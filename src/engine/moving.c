/* What a frame writes down anew for every run of a stage, where the rest stands from the run before: a
 * run of a small model on a GPU takes a few microseconds of the host, and its values' places would be
 * most of that. Room: engine. */
#include "engine/planner.h"

/* Whether a run finds the value elsewhere than the one before, or leaves another size there. */
static bool moves(const hone_planned *planned, bool is_root) {
  switch (planned->at.kind) {
    case HONE_AT_OUTPUT:
      return true;
    case HONE_AT_INPUT:
      return !is_root; /* the run begins with those that are */
    case HONE_AT_ARENA:
    case HONE_AT_DEVICE:
      return !planned->typed;
    default:
      return false;
  }
}

/* Where an output is copied to the caller's memory, it stands there afterwards. */
static bool is_delivered(const hone_graph *graph, uint32_t id) {
  int i = 0;
  while (i < graph->output_count && graph->outputs[i].value->id != id) i++;
  return i < graph->output_count;
}

static hone_status *list_values(hone_planner *p) {
  hone_plan *plan = p->plan;
  const hone_program *program = p->program;
  plan->moving = HONE_NEW_ARRAY(p->memory, program->value_count + 1, uint32_t);
  HONE_TRY_MEMORY(plan->moving);
  for (uint32_t id = 0; id < program->value_count; id++)
    if (moves(&p->values[id], p->values[id].root == id) || is_delivered(program->graph, id))
      plan->moving[plan->moving_count++] = id;
  return NULL;
}

static hone_status *list_views(hone_planner *p) {
  hone_plan *plan = p->plan;
  plan->grown_views = HONE_NEW_ARRAY(p->memory, plan->next_unit - plan->first_unit + 1, uint32_t);
  HONE_TRY_MEMORY(plan->grown_views);
  for (size_t u = plan->first_unit; u < plan->next_unit; u++) {
    const hone_unit *unit = &p->program->units[u];
    const hone_value *view = unit->kind == HONE_UNIT_VIEW ? unit->node->outputs[0] : NULL;
    if (view && p->values[view->id].at.kind == HONE_AT_GROWN)
      plan->grown_views[plan->grown_view_count++] = view->id;
  }
  return NULL;
}

hone_status *hone_list_moving(hone_planner *p) {
  HONE_TRY(list_values(p));
  return list_views(p);
}
