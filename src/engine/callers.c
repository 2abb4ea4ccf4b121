/* The caller's memory on the device, or pinned. Room: engine. */
#include "engine/callers.h"

#include "engine/frame_run.h"

/* A copy of the input on the host, once a run. */
static hone_status *show_input(hone_frame *frame, int index) {
  hone_callers *c = &frame->callers;
  hone_datum *datum = &frame->data[frame->program->graph->inputs[index]->id];
  size_t bytes = 0;
  if (c->inputs[index] != HONE_ON_DEVICE) return NULL;
  if (!c->shown[index]) {
    (void)hone_shape_bytes(&datum->shape, datum->dtype, &bytes);
    void *copy = hone_arena_alloc(&frame->objects, bytes + 1);
    HONE_TRY_MEMORY(copy);
    HONE_TRY(hone_frame_device_fetch(frame, datum->data, copy, bytes));
    c->shown[index] = copy;
  }
  datum->data = c->shown[index];
  return NULL;
}

static hone_status *make_room(hone_frame *frame) {
  hone_callers *c = &frame->callers;
  const hone_program *program = frame->program;
  if (c->roots) return NULL;
  c->shown = HONE_NEW_ARRAY(&frame->memory, program->graph->input_count + 1, void *);
  HONE_TRY_MEMORY(c->shown);
  size_t ports = (size_t)program->graph->input_count + (size_t)program->graph->output_count;
  c->told = HONE_NEW_ARRAY(&frame->memory, ports + 1, uint32_t);
  HONE_TRY_MEMORY(c->told);
  c->roots = HONE_NEW_ARRAY(&frame->memory, program->value_count + 1, hone_caller);
  return c->roots ? NULL : hone_error_memory();
}

static bool is_any(const hone_frame *frame) {
  const hone_graph *graph = frame->program->graph;
  for (int i = 0; i < graph->input_count; i++)
    if (frame->callers.inputs[i] != HONE_ON_HOST) return true;
  for (int i = 0; frame->bound && i < graph->output_count; i++)
    if (frame->bound[i].data && frame->bound[i].memory != HONE_ON_HOST) return true;
  return false;
}

hone_status *hone_callers_begin(hone_frame *frame) {
  hone_callers *c = &frame->callers;
  const hone_graph *graph = frame->program->graph;
  c->any = c->inputs && is_any(frame);
  if (!c->any) return NULL;
  HONE_TRY(make_room(frame));
  for (int i = 0; i < graph->input_count; i++) c->shown[i] = NULL;
  for (int i = 0; i < graph->input_count; i++)
    if (hone_program_host_input(frame->program, i)) HONE_TRY(show_input(frame, i));
  return NULL;
}

/* Whether the stage, or what delivers the outputs, reads root `id` on the host. */
static bool is_read_on_host(const hone_frame *frame, const hone_plan *plan, uint32_t id) {
  const hone_graph *graph = frame->program->graph;
  if (!plan->device_run_count || plan->values[id].on_host || frame->run->watch.call) return true;
  for (int i = 0; i < graph->output_count; i++)
    if (plan->values[graph->outputs[i].value->id].root == id) return true;
  return false;
}

bool hone_callers_take(const hone_frame *frame, const hone_plan *plan, int index) {
  const hone_tensor *bound = frame->bound ? &frame->bound[index] : NULL;
  if (!frame->callers.any || !bound || !bound->data || bound->memory != HONE_ON_DEVICE) return false;
  const hone_value *output = frame->program->graph->outputs[index].value;
  const hone_planned *root = &plan->values[plan->values[output->id].root];
  return root->at.kind == HONE_AT_OUTPUT && root->at.index == index && root->on_device &&
         !root->on_host && !frame->run->watch.call;
}

/* What is told of the root from now on. */
static hone_caller *tell_of(hone_callers *c, uint32_t root) {
  c->told[c->told_count++] = root;
  return &c->roots[root];
}

static hone_status *enter_inputs(hone_frame *frame, const hone_plan *plan) {
  const hone_graph *graph = frame->program->graph;
  for (int i = 0; i < graph->input_count; i++) {
    uint32_t id = graph->inputs[i]->id;
    hone_caller *root = tell_of(&frame->callers, id);
    root->pinned = frame->callers.inputs[i] == HONE_ON_HOST_PINNED;
    if (frame->callers.inputs[i] != HONE_ON_DEVICE) continue;
    root->device = frame->callers.given[i].data;
    if (is_read_on_host(frame, plan, id)) HONE_TRY(show_input(frame, i));
  }
  return NULL;
}

hone_status *hone_callers_enter(hone_frame *frame, const hone_plan *plan) {
  const hone_graph *graph = frame->program->graph;
  hone_callers *c = &frame->callers;
  if (!c->any) return NULL;
  while (c->told_count) c->roots[c->told[--c->told_count]] = (hone_caller){0};
  HONE_TRY(enter_inputs(frame, plan));
  for (int i = 0; frame->bound && i < graph->output_count; i++) {
    const hone_planned *made = &plan->values[graph->outputs[i].value->id];
    const hone_planned *root = &plan->values[made->root];
    if (root->at.kind != HONE_AT_OUTPUT || root->at.index != i || !frame->bound[i].data) continue;
    hone_caller *told = tell_of(c, made->root);
    if (hone_callers_take(frame, plan, i)) told->device = frame->bound[i].data;
    told->pinned = frame->bound[i].memory == HONE_ON_HOST_PINNED;
  }
  return NULL;
}
