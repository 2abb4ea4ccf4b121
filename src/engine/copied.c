/* How many bytes the units of an engine copy at typical sizes. Room: engine. */
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

hone_status *hone_copied_bytes(const hone_engine *engine, hone_arena *memory, int64_t **out) {
  const hone_program *program = engine->program;
  hone_plan *plan;
  *out = HONE_NEW_ARRAY(memory, program->unit_count + 1, int64_t);
  HONE_TRY_MEMORY(*out);
  HONE_TRY(guess_plan(engine, memory, &plan));
  size_t planned = plan ? plan->next_unit : 0;
  for (size_t u = planned; u < program->unit_count; u++) (*out)[u] = -1;
  for (size_t s = 0; plan && s < plan->step_count; s++) {
    const hone_unit *unit = plan->steps[s].unit;
    (*out)[unit - program->units] = bytes_of_step(plan, unit->node);
  }
  hone_plan_release(plan);
  return NULL;
}
