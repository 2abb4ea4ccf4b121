/* A run: stage by stage, the kernels in segments, everything else unit by unit. Room: engine. */
#include "engine/frame_run.h"

#include <string.h>

#include "base/log.h"
#include "ops/objects.h"

static hone_status *run_plain(hone_frame *frame, const hone_plan_step *step) {
  const hone_unit *unit = step->unit;
  const hone_node *node = unit->node;
  hone_arena *objects = &frame->objects;
  const hone_datum **in = HONE_NEW_ARRAY(objects, node->input_count + 1, const hone_datum *);
  hone_datum *out = HONE_NEW_ARRAY(objects, node->output_count + 1, hone_datum);
  if (!in || !out) return hone_error_memory();
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i].value) in[i] = &frame->data[node->inputs[i].value->id];
  if (unit->body)
    HONE_TRY(hone_interpret(unit->body, in, out, objects));
  else
    HONE_TRY(hone_evaluate(node, in, out, objects));
  for (int i = 0; i < node->output_count; i++) HONE_TRY(hone_frame_give(frame, node, i, &out[i]));
  return NULL;
}

static bool is_kernel(const hone_plan_step *step) {
  return step->kernel.phase_count > 0;
}

/* Views of what grew have their address only now. */
static void refresh_views(hone_frame *frame, const hone_plan *plan) {
  for (size_t i = 0; i < plan->grown_view_count; i++) {
    uint32_t id = plan->grown_views[i];
    const hone_planned *planned = &plan->values[id];
    frame->data[id] = frame->data[planned->root];
    frame->data[id].shape = planned->type.shape;
    frame->data[id].dtype = planned->type.dtype;
  }
}

/* Runs a unit that is no kernel. */
static hone_status *run_other(hone_frame *frame, const hone_plan_step *step) {
  uint64_t start = frame->run->profiled ? hone_now() : 0;
  if (step->unit->kind == HONE_UNIT_CONTROL)
    HONE_TRY(hone_frame_control(frame, (size_t)(step->unit - frame->program->units)));
  else
    HONE_TRY(run_plain(frame, step));
  if (frame->run->profiled) hone_frame_record(frame, step, start);
  refresh_views(frame, frame->plan);
  return NULL;
}

/* Step `index`, its values shown, with those of the units up to the next step, which only stand
 * for what is already there. */
static hone_status *run_watched(hone_frame *frame, size_t index) {
  const hone_plan *plan = frame->plan;
  const hone_plan_step *step = &plan->steps[index];
  const hone_unit *units = frame->program->units;
  hone_datum *reference;
  HONE_TRY(hone_watch_before(frame, step->unit, &reference));
  if (is_kernel(step))
    HONE_TRY(hone_frame_segment(frame, index, 1));
  else if (step->kernel.on_device)
    HONE_TRY(hone_frame_device_step(frame, index, true));
  else
    HONE_TRY(run_other(frame, step));
  HONE_TRY(hone_watch_after(frame, step->unit, reference));
  size_t next = index + 1 < plan->step_count ? (size_t)(plan->steps[index + 1].unit - units)
                                             : plan->next_unit;
  return hone_watch_passive(frame, (size_t)(step->unit - units) + 1, next);
}

/* What is shown of values on the device stands where their places were. */
static hone_status *run_watched_stage(hone_frame *frame) {
  const hone_plan *plan = frame->plan;
  frame->entered = 0;
  size_t first =
      plan->step_count ? (size_t)(plan->steps[0].unit - frame->program->units) : plan->next_unit;
  HONE_TRY(hone_watch_passive(frame, plan->first_unit, first));
  for (size_t i = 0; i < plan->step_count; i++) {
    if (hone_run_should_stop(frame->run)) return hone_error(HONE_CANCELLED, "the run was cancelled");
    HONE_TRY(run_watched(frame, i));
  }
  return NULL;
}

/* The device's run that begins at step `first`, of `*count` steps; one step of it in a profiled run. */
static hone_status *run_on_device(hone_frame *frame, size_t first, size_t *count) {
  if (frame->run->profiled) {
    uint64_t start = hone_now();
    HONE_TRY(hone_frame_device_step(frame, first, false));
    hone_frame_record(frame, &frame->plan->steps[first], start);
    return NULL;
  }
  const hone_device_run *run = hone_frame_device_run_at(frame->plan, first);
  *count = run->count;
  return hone_frame_device_run(frame, run);
}

static hone_status *run_stage(hone_frame *frame) {
  const hone_plan *plan = frame->plan;
  HONE_TRY(hone_frame_enter(frame, plan));
  refresh_views(frame, plan);
  if (frame->run->watch.call) return run_watched_stage(frame);
  for (size_t i = 0; i < plan->step_count;) {
    const hone_plan_step *step = &plan->steps[i];
    if (hone_run_should_stop(frame->run)) return hone_error(HONE_CANCELLED, "the run was cancelled");
    size_t count = 1;
    if (is_kernel(step)) {
      while (!frame->run->profiled && i + count < plan->step_count && is_kernel(step + count)) count++;
      HONE_TRY(hone_frame_segment(frame, i, count));
    } else if (step->kernel.on_device) {
      HONE_TRY(run_on_device(frame, i, &count));
    } else {
      HONE_TRY(run_other(frame, step));
    }
    i += count;
  }
  return NULL;
}

/* Outputs that no kernel wrote in place go to the caller's memory now. */
static hone_status *deliver(hone_frame *frame) {
  const hone_graph *graph = frame->program->graph;
  for (int i = 0; frame->bound && i < graph->output_count; i++) {
    const hone_tensor *bound = &frame->bound[i];
    hone_datum *datum = &frame->data[graph->outputs[i].value->id];
    size_t bytes;
    if (!bound->data && !frame->run->give) continue;
    if (datum->kind != HONE_KIND_TENSOR || datum->dtype == HONE_STR) continue;
    if (!hone_shape_bytes(&datum->shape, datum->dtype, &bytes) || datum->data == bound->data)
      continue;
    void *memory;
    if (bound->data && bound->memory == HONE_ON_DEVICE) {
      HONE_TRY(hone_frame_device_place(frame, i, bytes, &memory));
      HONE_TRY(hone_frame_device_send(frame, memory, datum->data, bytes));
      datum->data = memory;
      continue;
    }
    HONE_TRY(hone_frame_output_memory(frame, i, datum->dtype, &datum->shape, bytes, &memory));
    if (bytes) memcpy(memory, datum->data, bytes);
    datum->data = memory;
  }
  return NULL;
}

static hone_status *begin(hone_frame *frame, const hone_datum *inputs) {
  const hone_graph *graph = frame->program->graph;
  hone_arena_reset(&frame->objects);
  for (int i = 0; frame->bound && frame->run->give && i < graph->output_count; i++)
    frame->bound[i].data = NULL;
  for (int i = 0; i < graph->input_count; i++) frame->data[graph->inputs[i]->id] = inputs[i];
  frame->callers.given = inputs;
  return hone_callers_begin(frame);
}

hone_status *hone_frame_ready(hone_frame *frame, const hone_datum *inputs) {
  HONE_TRY(begin(frame, inputs));
  HONE_TRY(hone_frame_stage(frame, 0));
  return hone_frame_enter(frame, frame->plan);
}

hone_status *hone_frame_run(hone_frame *frame, const hone_datum *inputs) {
  HONE_TRY(begin(frame, inputs));
  for (size_t depth = 0;; depth++) {
    HONE_TRY(hone_frame_stage(frame, depth));
    HONE_TRY(run_stage(frame));
    if (frame->plan->next_unit == frame->program->unit_count) break;
  }
  return deliver(frame);
}
