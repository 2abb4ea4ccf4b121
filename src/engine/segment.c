/* Segments: kernel steps that follow each other, on one team of threads. Room: engine. */
#include "base/log.h"
#include "base/pool.h"
#include "engine/frame_run.h"

/* One phase of a step, as its parts see it. */
typedef struct phase_run {
  const hone_plan_step *step;
  int phase;
  hone_kernel_io io; /* without `fault`, of which every part has its own */
  atomic_flag faulting;
  hone_kernel_fault fault; /* the least of the parts'; faulting guards it */
} phase_run;

#define POLL_NS 20000000u

bool hone_run_should_stop(hone_run_state *run) {
  if (atomic_load_explicit(&run->cancelled, memory_order_relaxed)) return true;
  const hone_run_state *whole = run->whole;
  if (whole && atomic_load_explicit(&whole->cancelled, memory_order_relaxed)) return true;
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

/* Of the step's inputs, outputs and, where it finds their sizes, dimensions. */
static void **pointers_of(const hone_frame *frame, const hone_plan_step *step) {
  return frame->pointers + step->pointers;
}

static hone_status *run_kernel(hone_frame *frame, hone_team *team, const hone_plan_step *step) {
  const hone_node *node = step->unit->node;
  void **pointers = pointers_of(frame, step);
  phase_run run = {.step = step, .faulting = ATOMIC_FLAG_INIT};
  run.io.in = pointers;
  run.io.out = pointers + node->input_count;
  run.io.scratch = frame->arena.data + frame->plan->scratch_offset;
  if (step->kernel.finds) run.io.dims = pointers + node->input_count + node->output_count;
  int parts = parts_of(frame, step);
  for (; run.phase < step->kernel.phase_count; run.phase++) {
    for (run.io.turn = 0; run.io.turn <= step->kernel.repeats[run.phase]; run.io.turn++)
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

static void fill_pointers(hone_frame *frame, const hone_plan_step *step) {
  const hone_node *node = step->unit->node;
  void **pointers = pointers_of(frame, step);
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

void hone_frame_record(hone_frame *frame, const hone_plan_step *step, uint64_t start) {
  hone_step_time *time = &frame->times[step->unit - frame->program->units];
  time->runs++;
  time->nanoseconds += hone_now() - start;
}

static hone_status *run_steps(hone_frame *frame, hone_team *team, const hone_plan_step *steps,
                              size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (hone_run_should_stop(frame->run)) return hone_error(HONE_CANCELLED, "the run was cancelled");
    HONE_TRY(run_kernel(frame, team, &steps[i]));
  }
  return NULL;
}

hone_status *hone_frame_segment(hone_frame *frame, size_t first, size_t count) {
  const hone_plan_step *steps = &frame->plan->steps[first];
  for (size_t i = 0; i < count; i++) fill_pointers(frame, &steps[i]);
  uint64_t start = frame->run->profiled ? hone_now() : 0;
  hone_team team;
  hone_team_open(&team, segment_threads(frame, steps, count));
  hone_status *status = run_steps(frame, &team, steps, count);
  hone_team_close(&team);
  if (frame->run->profiled) hone_frame_record(frame, steps, start);
  return status;
}
