/* A trial run at build: it tells the sizes that planning from the inputs does not. Room: engine.
 *
 * Groups in the bodies of loops and in branches, and those that follow what only running tells, are
 * met with their sizes when the engine runs. The plans that the run leaves behind are where they
 * are read; what it did not come to (the other branch) is planned from the sizes around it.
 */
#include <stdio.h>

#include "base/log.h"
#include "engine/builder.h"
#include "engine/tune.h"
#include "engine/typical.h"

/* A model that takes longer for one run keeps the cost model's choices for what it did not reach.
 */
#define SECONDS "20"

/* ---- The run -------------------------------------------------------------------------------- */

typedef struct asker {
  hone_builder *b;
  hone_status *refused; /* the build is to fail */
} asker;

/* Whether to stop: who builds is asked while the run lasts. */
static bool ask(void *argument) {
  asker *a = argument;
  if (!a->refused) a->refused = hone_build_progress(a->b, "running once");
  return a->refused || a->b->stopped;
}

static hone_status *set_inputs(hone_builder *b, hone_context *context, hone_arena *memory) {
  const hone_graph *graph = b->engine->graph;
  hone_datum *inputs = HONE_NEW_ARRAY(memory, graph->input_count + 1, hone_datum);
  HONE_TRY_MEMORY(inputs);
  HONE_TRY(
      hone_typical_inputs(graph, hone_option_text(b->options, HONE_OPTION_shapes), memory, inputs));
  for (int i = 0; i < graph->input_count; i++) {
    hone_tensor tensor;
    HONE_TRY(hone_tensor_of(memory, &inputs[i], &tensor));
    hone_type type = hone_tensor_type(inputs[i].dtype, inputs[i].shape);
    if (inputs[i].kind == HONE_KIND_TENSOR) hone_seed_elements(&type, tensor.data, tensor.size);
    HONE_TRY(hone_set_input(context, (size_t)i, &tensor));
  }
  return NULL;
}

static hone_status *run_in(asker *a, hone_context *context) {
  hone_arena memory = {0};
  hone_set_poll(context, ask, a);
  hone_status *status = set_inputs(a->b, context, &memory);
  if (!status) status = hone_run(context);
  hone_arena_free(&memory);
  return status;
}

static hone_status *run_once(asker *a, hone_context **out) {
  hone_options *options;
  hone_context *context = NULL;
  char threads[16];
  snprintf(threads, sizeof threads, "%d", a->b->engine->threads);
  HONE_TRY(hone_options_new(&options));
  hone_status *status = hone_options_set(options, "threads", threads);
  if (!status) status = hone_options_set(options, "deadline", SECONDS);
  if (!status) status = hone_context_new(a->b->engine, options, &context);
  if (!status) status = run_in(a, context);
  hone_options_free(options);
  if (status) {
    hone_context_free(context);
    return status;
  }
  *out = context;
  return NULL;
}

/* A run that fails leaves the plans that it came to. */
hone_status *hone_run_typical(hone_builder *b, hone_context **out) {
  asker a = {.b = b};
  *out = NULL;
  if (b->stopped) return NULL;
  hone_status *status = run_once(&a, out);
  if (a.refused) {
    hone_context_free(*out);
    *out = NULL;
    hone_status_free(status);
    return a.refused;
  }
  if (!status || hone_status_code(status) == HONE_OUT_OF_MEMORY) return status;
  hone_log(HONE_LOG_INFO,
           "the trial run ended early (%s): some groups have the kernel that the "
           "cost model expects to be fastest",
           hone_status_message(status));
  hone_status_free(status);
  return NULL;
}

/* ---- What it told --------------------------------------------------------------------------- */

/* The newest plan that has unit `index` in its stage. */
static const hone_plan *find_plan(const hone_program *program, size_t index) {
  for (const hone_plan *first = program->plans; first; first = first->next)
    for (const hone_plan *plan = first; plan; plan = plan->stages)
      if (index >= plan->first_unit && index < plan->next_unit) return plan;
  return NULL;
}

/* What a region's input begins as, its elements 0 where they are not known. */
static hone_status *begin_input(const hone_plan *plan, const hone_node *node,
                                const hone_graph *region, int index, hone_arena *memory,
                                hone_datum *out) {
  const hone_value *source = hone_control_source(node, index);
  const hone_planned *planned = source ? &plan->values[source->id] : NULL;
  hone_type type = planned ? planned->type : region->inputs[index]->type;
  size_t bytes;
  *out = (hone_datum){.kind = type.kind, .dtype = type.dtype, .shape = type.shape};
  if (planned && planned->known) out->data = planned->known->data;
  if (out->data || type.kind != HONE_KIND_TENSOR) return NULL;
  if (!hone_type_known(&type) || !hone_shape_bytes(&type.shape, type.dtype, &bytes))
    return hone_error(HONE_UNSUPPORTED, "a size is not known");
  out->data = hone_arena_zero(memory, bytes + 1);
  HONE_TRY_MEMORY(out->data);
  return NULL;
}

/* Plans a region that the run did not enter. */
static hone_status *plan_region(const hone_builder *b, const hone_plan *plan, const hone_node *node,
                                hone_program *region, hone_arena *memory) {
  hone_datum *data = HONE_NEW_ARRAY(memory, region->value_count + 1, hone_datum);
  hone_plan *made;
  HONE_TRY_MEMORY(data);
  for (int i = 0; i < region->graph->input_count; i++)
    HONE_TRY(
        begin_input(plan, node, region->graph, i, memory, &data[region->graph->inputs[i]->id]));
  HONE_TRY(hone_plan_get(region, NULL, data, b->engine->threads, &made));
  hone_plan_release(made);
  return NULL;
}

static hone_status *meet_region(const hone_builder *b, const hone_plan *plan, const hone_node *node,
                                hone_program *region) {
  hone_arena memory = {0};
  if (!plan || region->plans) return NULL;
  hone_status *status = plan_region(b, plan, node, region, &memory);
  hone_arena_free(&memory);
  if (hone_status_code(status) == HONE_OUT_OF_MEMORY) return status;
  hone_status_free(status); /* its groups keep the cost model's choice */
  return NULL;
}

/* Regions nest no deeper than the text form lets them. */
static hone_status *settle(hone_builder *b, hone_program *program) {
  for (size_t u = 0; u < program->unit_count; u++) {
    hone_unit *unit = &program->units[u];
    const hone_plan *plan = find_plan(program, u);
    if (hone_map_get(&b->later, (const char *)&unit, sizeof unit)) {
      HONE_TRY(hone_build_progress(b, "measuring kernels"));
      HONE_TRY(hone_choose_unit(b, unit, plan));
    }
    for (int r = 0; unit->regions && r < unit->node->region_count; r++) {
      HONE_TRY(meet_region(b, plan, unit->node, unit->regions[r]));
      HONE_TRY(settle(b, unit->regions[r]));
    }
  }
  return NULL;
}

hone_status *hone_choose_later(hone_builder *b) {
  if (b->later.count == 0) return NULL;
  hone_context *context;
  b->tries = false;
  HONE_TRY(hone_run_typical(b, &context));
  hone_context_free(context);
  return settle(b, b->engine->program);
}
