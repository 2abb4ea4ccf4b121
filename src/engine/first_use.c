/* The engine file's bytes that a new plan is the first to use. Room: engine.
 *
 * Whatever a run reads of the file belongs to a step of its plan, so that checking it when the plan
 * is made is checking it before its first use, and steady runs check nothing. What opening checked
 * (most of it, unless told to wait) costs a look at a bit.
 */
#include "engine/planner.h"
#include "engine/stored.h"

static hone_status *add_packs(hone_stored_list *list, const hone_unit *unit, hone_arena *memory) {
  for (int i = 0; i < unit->prepared.pack_count; i++) {
    const hone_pack *pack = &unit->prepared.packs[i];
    HONE_TRY(hone_stored_add(list, (hone_bytes){pack->bytes, pack->size}, memory));
  }
  return NULL;
}

static hone_status *add_regions(hone_stored_list *list, const hone_node *node, hone_arena *memory) {
  for (int r = 0; r < node->region_count; r++)
    HONE_TRY(hone_stored_add_constants(list, node->regions[r], false, memory));
  return NULL;
}

/* A kernel reads its packs, the reference the constants of the regions; regions that the engine runs
 * have plans of their own. */
static hone_status *add_steps(hone_stored_list *list, const hone_plan *plan, hone_arena *memory) {
  for (size_t i = 0; i < plan->step_count; i++) {
    const hone_plan_step *step = &plan->steps[i];
    if (hone_step_runs(&step->kernel))
      HONE_TRY(add_packs(list, step->unit, memory));
    else if (step->unit->kind != HONE_UNIT_CONTROL)
      HONE_TRY(add_regions(list, step->unit->node, memory));
  }
  return NULL;
}

static hone_status *add_constants(hone_stored_list *list, const hone_graph *graph,
                                  hone_arena *memory) {
  for (size_t i = 0; i < graph->constant_count; i++) {
    const hone_value *constant = graph->constants[i];
    hone_bytes bytes = {constant->constant, constant->constant_size};
    HONE_TRY(hone_stored_add(list, bytes, memory));
  }
  return NULL;
}

/* What the plans of a program read where every kernel takes the sizes it gets. */
static hone_status *add_program(hone_stored_list *list, const hone_program *program,
                                hone_arena *memory) {
  HONE_TRY(add_constants(list, program->graph, memory));
  for (size_t u = 0; u < program->unit_count; u++) {
    const hone_unit *unit = &program->units[u];
    if (unit->kind == HONE_UNIT_KERNEL)
      HONE_TRY(add_packs(list, unit, memory));
    else if (unit->kind != HONE_UNIT_CONTROL)
      HONE_TRY(add_regions(list, unit->node, memory));
    for (int r = 0; unit->regions && r < unit->node->region_count; r++)
      HONE_TRY(add_program(list, unit->regions[r], memory));
  }
  return NULL;
}

static hone_status *check_and_free(const hone_program *program, hone_status *status,
                                   const hone_stored_list *list, hone_arena *memory) {
  if (!status) status = hone_stored_check(program->stored, list->items, list->count);
  hone_arena_free(memory);
  return status;
}

hone_status *hone_plan_check_stored(const hone_plan *plan) {
  hone_arena memory = {0};
  hone_stored_list list = {.items = NULL};
  if (!plan->program->stored) return NULL;
  return check_and_free(plan->program, add_steps(&list, plan, &memory), &list, &memory);
}

hone_status *hone_plan_check_node(const hone_program *program, const hone_node *node) {
  hone_arena memory = {0};
  hone_stored_list list = {.items = NULL};
  if (!program->stored) return NULL;
  return check_and_free(program, add_regions(&list, node, &memory), &list, &memory);
}

hone_status *hone_plan_check_constants(const hone_program *program) {
  hone_arena memory = {0};
  hone_stored_list list = {.items = NULL};
  if (!program->stored) return NULL;
  return check_and_free(program, add_constants(&list, program->graph, &memory), &list, &memory);
}

hone_status *hone_program_check_stored(const hone_program *program) {
  hone_arena memory = {0};
  hone_stored_list list = {.items = NULL};
  if (!program->stored) return NULL;
  return check_and_free(program, add_program(&list, program, &memory), &list, &memory);
}
