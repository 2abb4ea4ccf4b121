/* Running stages: addresses, segments of kernels, plain units. Room: engine. */
#include "engine/frame.h"

#include <string.h>

#include "base/log.h"
#include "base/pool.h"
#include "ops/objects.h"

#define MAX_DEPTH 64

bool hone_buffer_grow(hone_buffer *buffer, size_t size) {
  if (size <= buffer->size && buffer->data) return true;
  unsigned char *data = hone_alloc_aligned(64, size + 64);
  if (!data) return false;
  if (buffer->size) memcpy(data, buffer->data, buffer->size);
  hone_free(buffer->data);
  *buffer = (hone_buffer){data, size};
  return true;
}

static hone_status *init_frame(hone_frame *frame) {
  hone_program *program = frame->program;
  const hone_graph *graph = program->graph;
  hone_arena *memory = &frame->memory;
  frame->data = HONE_NEW_ARRAY(memory, program->value_count + 1, hone_datum);
  frame->outputs = HONE_NEW_ARRAY(memory, graph->output_count + 1, hone_buffer);
  frame->child_start = HONE_NEW_ARRAY(memory, program->unit_count + 1, size_t);
  if (!frame->data || !frame->outputs || !frame->child_start) return hone_error_memory();
  size_t children = 0;
  for (size_t u = 0; u < program->unit_count; u++) {
    frame->child_start[u] = children;
    if (program->units[u].regions) children += (size_t)program->units[u].node->region_count;
  }
  frame->child_start[program->unit_count] = children;
  frame->children = HONE_NEW_ARRAY(memory, children + 1, hone_frame *);
  frame->times = HONE_NEW_ARRAY(memory, program->unit_count + 1, hone_step_time);
  if (!frame->children || !frame->times) return hone_error_memory();
  for (size_t i = 0; i < graph->constant_count; i++)
    frame->data[graph->constants[i]->id] = hone_value_datum(graph->constants[i]);
  return NULL;
}

hone_status *hone_frame_new(hone_run_state *run, hone_program *program, int depth,
                            hone_frame **out) {
  if (depth > MAX_DEPTH) return hone_error(HONE_LIMIT, "control flow is nested too deep");
  hone_frame *frame = hone_alloc_zero(sizeof *frame);
  HONE_TRY_MEMORY(frame);
  frame->run = run;
  frame->program = program;
  frame->depth = depth;
  hone_status *status = init_frame(frame);
  if (status) {
    hone_frame_free(frame);
    return status;
  }
  *out = frame;
  return NULL;
}

void hone_frame_free(hone_frame *frame) {
  if (!frame) return;
  if (frame->children)
    for (size_t i = 0; i < frame->child_start[frame->program->unit_count]; i++)
      hone_frame_free(frame->children[i]);
  if (frame->outputs)
    for (int i = 0; i < frame->program->graph->output_count; i++) hone_free(frame->outputs[i].data);
  hone_frame_forget_stages(frame);
  hone_free(frame->arena.data);
  hone_free(frame->pointers);
  hone_arena_free(&frame->objects);
  hone_arena_free(&frame->loops[0]);
  hone_arena_free(&frame->loops[1]);
  hone_arena_free(&frame->memory);
  hone_free(frame);
}

size_t hone_frame_memory(const hone_frame *frame) {
  size_t total = frame->arena.size + frame->objects.total + frame->loops[0].total +
                 frame->loops[1].total + frame->memory.total;
  for (int i = 0; i < frame->program->graph->output_count; i++) total += frame->outputs[i].size;
  for (size_t i = 0; i < frame->child_start[frame->program->unit_count]; i++)
    if (frame->children[i]) total += hone_frame_memory(frame->children[i]);
  return total;
}

hone_status *hone_frame_child(hone_frame *frame, size_t index, int region, hone_frame **out) {
  hone_frame **child = &frame->children[frame->child_start[index] + (size_t)region];
  if (!*child)
    HONE_TRY(hone_frame_new(frame->run, frame->program->units[index].regions[region],
                            frame->depth + 1, child));
  *out = *child;
  return NULL;
}

const hone_datum *hone_frame_output(const hone_frame *frame, int index) {
  return &frame->data[frame->program->graph->outputs[index].value->id];
}

/* ---- Addresses ------------------------------------------------------------------------------- */

/* Asks the caller for memory for output `index`, once a run: then it is bound. */
static hone_status *ask_for_memory(hone_frame *frame, int index, hone_dtype dtype,
                                   const hone_shape *shape, size_t bytes) {
  hone_tensor *bound = &frame->bound[index];
  *bound = (hone_tensor){.struct_size = sizeof *bound, .dtype = dtype, .rank = shape->rank};
  for (int d = 0; d < shape->rank; d++) bound->dims[d] = shape->dim[d];
  bound->size = bytes;
  bound->data = frame->run->give(frame->run->give_argument, (size_t)index, bound);
  if (bound->data) return NULL;
  return hone_error(HONE_OUT_OF_MEMORY, "no memory was given for output '%s'",
                    frame->program->graph->outputs[index].value->name);
}

/* Memory for output `index`: the caller's where it is bound, else the frame's own. */
static hone_status *output_memory(hone_frame *frame, int index, hone_dtype dtype,
                                  const hone_shape *shape, size_t bytes, void **out) {
  const hone_tensor *bound = frame->bound ? &frame->bound[index] : NULL;
  if (bound && !bound->data && frame->run->give)
    HONE_TRY(ask_for_memory(frame, index, dtype, shape, bytes));
  if (bound && bound->data) {
    if (bound->size < bytes)
      return hone_error(HONE_INVALID_ARGUMENT, "output '%s' takes %zu bytes and was given %zu",
                        frame->program->graph->outputs[index].value->name, bytes, bound->size);
    *out = bound->data;
    return NULL;
  }
  if (!hone_buffer_grow(&frame->outputs[index], bytes)) return hone_error_memory();
  *out = frame->outputs[index].data;
  return NULL;
}

/* Makes room for the stage and writes down where its values are. */
static hone_status *enter_stage(hone_frame *frame, const hone_plan *plan) {
  if (!hone_buffer_grow(&frame->arena, plan->arena_size)) return hone_error_memory();
  if (plan->pointer_count > frame->pointer_room) {
    void **pointers = hone_realloc(frame->pointers, plan->pointer_count * sizeof *pointers);
    HONE_TRY_MEMORY(pointers);
    frame->pointers = pointers;
    frame->pointer_room = plan->pointer_count;
  }
  for (size_t id = 0; id < frame->program->value_count; id++) {
    const hone_planned *planned = &plan->values[id];
    hone_datum *datum = &frame->data[id];
    switch (planned->at.kind) {
      case HONE_AT_FIXED:
        *datum = *planned->known;
        continue;
      case HONE_AT_ARENA:
        datum->data = frame->arena.data + planned->at.offset;
        break;
      case HONE_AT_OUTPUT:
        if (plan->output_bytes[planned->at.index])
          HONE_TRY(output_memory(frame, planned->at.index, planned->type.dtype,
                                 &planned->type.shape, plan->output_bytes[planned->at.index],
                                 &datum->data));
        else
          datum->data = frame->data[planned->root].data;
        if (planned->root != id) datum->data = (char *)datum->data + planned->inside;
        break;
      case HONE_AT_INPUT:
      case HONE_AT_CONSTANT:
        if (planned->root == id) continue;
        datum->data = (char *)frame->data[planned->root].data + planned->inside;
        break;
      case HONE_AT_GROWN:
      case HONE_AT_NOWHERE:
        continue;
    }
    datum->kind = HONE_KIND_TENSOR;
    datum->dtype = planned->type.dtype;
    datum->shape = planned->typed ? planned->type.shape : *planned->bound;
  }
  return NULL;
}

/* ---- Kernels -----------------------------------------------------------------------------------
 */

/* One phase of a step, as its parts see it. */
typedef struct phase_run {
  const hone_plan_step *step;
  int phase;
  hone_kernel_io io; /* without `fault`, of which every part has its own */
  atomic_flag faulting;
  hone_kernel_fault fault; /* the least of the parts'; faulting guards it */
} phase_run;

#define POLL_NS 20000000u

/* Only the calling thread asks. */
static bool should_stop(hone_run_state *run) {
  if (atomic_load_explicit(&run->cancelled, memory_order_relaxed)) return true;
  if (!run->deadline && !run->poll) return false;
  uint64_t now = hone_now();
  if (run->deadline && now > run->deadline) return true;
  if (!run->poll || now < run->next_poll) return false;
  run->next_poll = now + POLL_NS;
  return run->poll(run->poll_argument);
}

/* The fault of the first element stays: the same for any workers. */
static void add_fault(phase_run *run, const hone_kernel_fault *fault) {
  while (atomic_flag_test_and_set(&run->faulting))
    ;
  if (!run->fault.what || fault->element < run->fault.element) run->fault = *fault;
  atomic_flag_clear(&run->faulting);
}

static void phase_part(void *argument, int part, int parts) {
  phase_run *run = argument;
  hone_kernel_fault fault = {.what = NULL};
  hone_kernel_io io = run->io;
  io.fault = &fault;
  run->step->kernel.phases[run->phase](run->step->kernel.args, &io, part, parts);
  if (__builtin_expect(fault.what != NULL, 0)) add_fault(run, &fault);
}

static hone_status *fault_status(const phase_run *run) {
  const hone_kernel_fault *fault = &run->fault;
  const hone_node *node = fault->node ? fault->node : run->step->unit->node;
  return hone_error_at(
      hone_error(HONE_INVALID_ARGUMENT, "%s %lld is outside of %s of %lld (input %d, element %zu)",
                 fault->what, (long long)fault->value, fault->where, (long long)fault->bound,
                 fault->input, fault->element),
      "node '%s' (%s)", hone_node_label(node), node->op->name);
}

static int parts_of(const hone_frame *frame, const hone_plan_step *step) {
  int parts = step->kernel.parts < frame->run->threads ? step->kernel.parts : frame->run->threads;
  return parts < 1 ? 1 : parts < HONE_MOST_PARTS ? parts : HONE_MOST_PARTS;
}

/* Addresses of the step's inputs, outputs and, where it finds their sizes, dimensions begin at
 * `pointers`. */
static hone_status *run_kernel(hone_frame *frame, hone_team *team, const hone_plan_step *step,
                               void **pointers) {
  const hone_node *node = step->unit->node;
  phase_run run = {.step = step, .faulting = ATOMIC_FLAG_INIT};
  run.io.in = pointers;
  run.io.out = pointers + node->input_count;
  run.io.scratch = frame->arena.data + frame->plan->scratch_offset;
  if (step->kernel.finds) run.io.dims = pointers + node->input_count + node->output_count;
  int parts = parts_of(frame, step);
  for (; run.phase < step->kernel.phase_count; run.phase++) {
    hone_team_run(team, parts, phase_part, &run);
    if (__builtin_expect(run.fault.what != NULL, 0)) return fault_status(&run);
  }
  return NULL;
}

/* The widest step's parts: a segment of small steps borrows nobody. */
static int segment_threads(const hone_frame *frame, const hone_plan_step *steps, size_t count) {
  int threads = 1;
  for (size_t i = 0; i < count; i++) {
    int parts = parts_of(frame, &steps[i]);
    if (parts > threads) threads = parts;
  }
  return threads;
}

static void fill_pointers(hone_frame *frame, const hone_plan_step *step, void **pointers) {
  const hone_node *node = step->unit->node;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *input = node->inputs[i].value;
    *pointers++ = input ? frame->data[input->id].data : NULL;
  }
  for (int i = 0; i < node->output_count; i++) {
    const hone_value *output = node->outputs[i];
    *pointers++ = output ? frame->data[output->id].data : NULL;
  }
  for (int i = 0; step->kernel.finds && i < node->output_count; i++) {
    const hone_value *output = node->outputs[i];
    *pointers++ = output ? frame->data[output->id].shape.dim : NULL;
  }
}

static size_t pointers_of(const hone_plan_step *step) {
  size_t outputs = (size_t)step->unit->node->output_count;
  return (size_t)step->unit->node->input_count + outputs * (step->kernel.finds ? 2 : 1);
}

static void record(hone_frame *frame, const hone_plan_step *step, uint64_t start) {
  hone_step_time *time = &frame->times[step->unit - frame->program->units];
  time->runs++;
  time->nanoseconds += hone_now() - start;
}

static hone_status *run_steps(hone_frame *frame, hone_team *team, const hone_plan_step *steps,
                              size_t count, void **pointers) {
  for (size_t i = 0; i < count; i++) {
    if (should_stop(frame->run)) return hone_error(HONE_CANCELLED, "the run was cancelled");
    HONE_TRY(run_kernel(frame, team, &steps[i], pointers));
    pointers += pointers_of(&steps[i]);
  }
  return NULL;
}

/* Kernel steps that follow each other, on one team. */
static hone_status *run_segment(hone_frame *frame, size_t first, size_t count, void **pointers) {
  const hone_plan_step *steps = &frame->plan->steps[first];
  void **at = pointers;
  for (size_t i = 0; i < count; i++) {
    fill_pointers(frame, &steps[i], at);
    at += pointers_of(&steps[i]);
  }
  uint64_t start = frame->run->profiled ? hone_now() : 0;
  hone_team team;
  hone_team_open(&team, segment_threads(frame, steps, count));
  hone_status *status = run_steps(frame, &team, steps, count, pointers);
  hone_team_close(&team);
  if (frame->run->profiled) record(frame, steps, start);
  return status;
}

/* ---- Values that the run puts somewhere -------------------------------------------------- */

/* Whether the bytes lie in one of the node's inputs. */
static bool lies_in_input(const hone_frame *frame, const hone_node *node, const void *data) {
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *input = node->inputs[i].value;
    const hone_datum *datum = input ? &frame->data[input->id] : NULL;
    size_t bytes;
    if (!datum || datum->kind != HONE_KIND_TENSOR ||
        !hone_shape_bytes(&datum->shape, datum->dtype, &bytes))
      continue;
    const char *begin = datum->data, *at = data;
    if (at >= begin && at < begin + (bytes ? bytes : 1)) return true;
  }
  return false;
}

hone_status *hone_frame_give(hone_frame *frame, const hone_node *node, int index,
                             const hone_datum *datum) {
  if (!node->outputs[index]) return NULL;
  hone_datum *out = &frame->data[node->outputs[index]->id];
  /* What sequences and optionals hold may come from anywhere: they are always copied. */
  if (datum->kind != HONE_KIND_TENSOR || lies_in_input(frame, node, datum->data))
    return hone_datum_copy(&frame->objects, datum, out);
  *out = *datum;
  return NULL;
}

/* ---- Plain units -------------------------------------------------------------------------------
 */

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

/* ---- A run
 * --------------------------------------------------------------------------------------- */

static bool is_kernel(const hone_plan_step *step) {
  return step->kernel.phase_count > 0;
}

/* Views of what grew have their address only now. */
static void refresh_views(hone_frame *frame, const hone_plan *plan) {
  for (size_t u = plan->first_unit; u < plan->next_unit; u++) {
    const hone_unit *unit = &frame->program->units[u];
    if (unit->kind != HONE_UNIT_VIEW || !unit->node->outputs[0]) continue;
    uint32_t id = unit->node->outputs[0]->id;
    const hone_planned *planned = &plan->values[id];
    if (planned->at.kind != HONE_AT_GROWN) continue;
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
  if (frame->run->profiled) record(frame, step, start);
  refresh_views(frame, frame->plan);
  return NULL;
}

/* Step `index`, its values shown, with those of the units up to the next step, which only stand
 * for what is already there. */
static hone_status *run_watched(hone_frame *frame, size_t index, void **pointers) {
  const hone_plan *plan = frame->plan;
  const hone_plan_step *step = &plan->steps[index];
  const hone_unit *units = frame->program->units;
  hone_datum *reference;
  HONE_TRY(hone_watch_before(frame, step->unit, &reference));
  if (is_kernel(step))
    HONE_TRY(run_segment(frame, index, 1, pointers));
  else
    HONE_TRY(run_other(frame, step));
  HONE_TRY(hone_watch_after(frame, step->unit, reference));
  size_t next = index + 1 < plan->step_count ? (size_t)(plan->steps[index + 1].unit - units)
                                             : plan->next_unit;
  return hone_watch_passive(frame, (size_t)(step->unit - units) + 1, next);
}

static hone_status *run_watched_stage(hone_frame *frame) {
  const hone_plan *plan = frame->plan;
  void **pointers = frame->pointers;
  size_t first =
      plan->step_count ? (size_t)(plan->steps[0].unit - frame->program->units) : plan->next_unit;
  HONE_TRY(hone_watch_passive(frame, plan->first_unit, first));
  for (size_t i = 0; i < plan->step_count; i++) {
    if (should_stop(frame->run)) return hone_error(HONE_CANCELLED, "the run was cancelled");
    HONE_TRY(run_watched(frame, i, pointers));
    pointers += pointers_of(&plan->steps[i]);
  }
  return NULL;
}

static hone_status *run_stage(hone_frame *frame) {
  const hone_plan *plan = frame->plan;
  HONE_TRY(enter_stage(frame, plan));
  refresh_views(frame, plan);
  if (frame->run->watch.call) return run_watched_stage(frame);
  void **pointers = frame->pointers;
  for (size_t i = 0; i < plan->step_count;) {
    const hone_plan_step *step = &plan->steps[i];
    if (should_stop(frame->run)) return hone_error(HONE_CANCELLED, "the run was cancelled");
    size_t count = 1, taken = pointers_of(step);
    if (is_kernel(step)) {
      while (!frame->run->profiled && i + count < plan->step_count && is_kernel(step + count))
        taken += pointers_of(step + count++);
      HONE_TRY(run_segment(frame, i, count, pointers));
    } else {
      HONE_TRY(run_other(frame, step));
    }
    pointers += taken;
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
    HONE_TRY(output_memory(frame, i, datum->dtype, &datum->shape, bytes, &memory));
    if (bytes) memcpy(memory, datum->data, bytes);
    datum->data = memory;
  }
  return NULL;
}

hone_status *hone_frame_run(hone_frame *frame, const hone_datum *inputs) {
  const hone_graph *graph = frame->program->graph;
  hone_arena_reset(&frame->objects);
  for (int i = 0; frame->bound && frame->run->give && i < graph->output_count; i++)
    frame->bound[i].data = NULL;
  for (int i = 0; i < graph->input_count; i++) frame->data[graph->inputs[i]->id] = inputs[i];
  for (size_t depth = 0;; depth++) {
    HONE_TRY(hone_frame_stage(frame, depth));
    HONE_TRY(run_stage(frame));
    if (frame->plan->next_unit == frame->program->unit_count) break;
  }
  return deliver(frame);
}
