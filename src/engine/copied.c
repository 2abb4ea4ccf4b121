/* How many bytes the units of an engine copy, and have cross, at typical sizes. Room: engine. */
#include "engine/copied.h"

#include "engine/plan.h"
#include "engine/typical.h"

static size_t bytes_of(const hone_plan *plan, const hone_value *value) {
  const hone_type *type = &plan->values[value->id].type;
  size_t bytes = 0;
  (void)hone_shape_bytes(&type->shape, type->dtype, &bytes);
  return bytes;
}

/* What the unit of a step writes, less what lies in its output already. */
static int64_t bytes_of_step(const hone_plan *plan, const hone_node *node) {
  size_t written = 0;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) written += bytes_of(plan, node->outputs[i]);
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value, *out = node->outputs[0];
    if (in && out && plan->values[in->id].root == plan->values[out->id].root)
      written -= bytes_of(plan, in);
  }
  return (int64_t)written;
}

/* The plan at sizes that are guessed; NULL where they do not suit the graph. */
static hone_status *guess_plan(const hone_engine *engine, hone_arena *memory, hone_plan **out) {
  hone_program *program = engine->program;
  const hone_graph *graph = program->graph;
  hone_datum *inputs = HONE_NEW_ARRAY(memory, graph->input_count + 1, hone_datum);
  hone_datum *data = HONE_NEW_ARRAY(memory, program->value_count + 1, hone_datum);
  if (!inputs || !data) return hone_error_memory();
  hone_status *status = hone_typical_inputs(graph, "", memory, inputs);
  for (int i = 0; i < graph->input_count; i++) data[graph->inputs[i]->id] = inputs[i];
  *out = NULL;
  if (!status) status = hone_plan_get(program, NULL, data, engine->threads, out);
  if (status) *out = NULL;
  hone_status_free(status);
  return NULL;
}

enum { UP = 1, DOWN = 2 };

/* Which roots cross: by value id. */
static hone_status *find_crossings(const hone_plan *plan, hone_arena *memory, uint8_t **out) {
  *out = HONE_NEW_ARRAY(memory, plan->program->value_count + 1, uint8_t);
  HONE_TRY_MEMORY(*out);
  for (size_t r = 0; r < plan->device_run_count; r++) {
    const hone_device_run *run = &plan->device_runs[r];
    for (size_t i = 0; i < run->up_count; i++) (*out)[run->up[i]] |= UP;
    for (size_t i = 0; i < run->down_count; i++) (*out)[run->down[i]] |= DOWN;
  }
  return NULL;
}

static int64_t crossed_by(const hone_plan *plan, const hone_node *node, const uint8_t *crossings) {
  size_t crossed = 0;
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i].value && crossings[plan->values[node->inputs[i].value->id].root] & DOWN)
      crossed += bytes_of(plan, node->inputs[i].value);
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && crossings[plan->values[node->outputs[i]->id].root] & UP)
      crossed += bytes_of(plan, node->outputs[i]);
  return (int64_t)crossed;
}

static hone_status *fill_in(const hone_plan *plan, hone_arena *memory, hone_unit_bytes *out) {
  uint8_t *crossings;
  HONE_TRY(find_crossings(plan, memory, &crossings));
  for (size_t s = 0; s < plan->step_count; s++) {
    const hone_plan_step *step = &plan->steps[s];
    hone_unit_bytes *bytes = &out[step->unit - plan->program->units];
    bytes->copied = bytes_of_step(plan, step->unit->node);
    if (!step->kernel.on_device) bytes->crossed = crossed_by(plan, step->unit->node, crossings);
  }
  return NULL;
}

hone_status *hone_unit_bytes_of(const hone_engine *engine, hone_arena *memory,
                                hone_unit_bytes **out) {
  const hone_program *program = engine->program;
  hone_plan *plan;
  *out = HONE_NEW_ARRAY(memory, program->unit_count + 1, hone_unit_bytes);
  HONE_TRY_MEMORY(*out);
  HONE_TRY(guess_plan(engine, memory, &plan));
  size_t planned = plan ? plan->next_unit : 0;
  for (size_t u = planned; u < program->unit_count; u++) (*out)[u] = (hone_unit_bytes){-1, -1};
  hone_status *status = plan ? fill_in(plan, memory, *out) : NULL;
  hone_plan_release(plan);
  return status;
}
