/* Running the steps of a plan that are a device's. Room: engine. */
#include "engine/frame_device.h"

#include <string.h>

#include "engine/crossings.h"
#include "engine/frame_run.h"

/* ---- Room ----------------------------------------------------------------------------------- */

static void forget_recording(const hone_frame_device *d, hone_frame_recording *r) {
  if (r->recording) d->device->forget(r->recording);
  hone_free(r->callers);
  *r = (hone_frame_recording){0};
}

static void forget_recordings(hone_frame_device *d) {
  for (int i = 0; i < HONE_RECORDINGS; i++) forget_recording(d, &d->recordings[i]);
}

hone_stream *hone_frame_stream(const hone_frame *frame) {
  return frame->run->stream ? frame->run->stream : frame->device.stream;
}

static hone_status *take_memory(const hone_run_state *run, const hone_device *device, size_t size,
                                void **out) {
  if (!run->take_device) return device->take(size, out);
  *out = run->take_device(run->device_argument, size);
  if (*out) return NULL;
  return hone_error(HONE_OUT_OF_MEMORY, "no memory on the device was given for %zu bytes", size);
}

static void give_memory(const hone_run_state *run, const hone_device *device, void *memory) {
  if (!run->give_device) device->give(memory);
  else if (memory) run->give_device(run->device_argument, memory);
}

void hone_frame_device_free(hone_frame *frame) {
  hone_frame_device *d = &frame->device;
  if (!d->device) return;
  if (d->pending) hone_status_free(d->device->wait(hone_frame_stream(frame)));
  forget_recordings(d);
  give_memory(frame->run, d->device, d->memory);
  d->device->give_pinned(d->pinned);
  d->device->close(d->stream);
}

/* Recordings hold addresses: they go with the memory. */
static hone_status *grow(hone_frame *frame, const hone_plan *plan) {
  hone_frame_device *d = &frame->device;
  void *memory;
  if (plan->device_size > d->size || plan->pinned_size > d->pinned_size)
    HONE_TRY(hone_frame_device_settle(frame));
  if (plan->device_size > d->size) {
    forget_recordings(d);
    give_memory(frame->run, d->device, d->memory);
    d->memory = NULL;
    d->size = 0;
    d->kept = 0;
    HONE_TRY(take_memory(frame->run, d->device, plan->device_size, &memory));
    d->memory = memory;
    d->size = plan->device_size;
  }
  if (plan->pinned_size > d->pinned_size) {
    forget_recordings(d);
    d->device->give_pinned(d->pinned);
    d->pinned = NULL;
    d->pinned_size = 0;
    HONE_TRY(d->device->take_pinned(plan->pinned_size, &memory));
    memset(memory, 0, sizeof(hone_device_fault));
    d->pinned = memory;
    d->pinned_size = plan->pinned_size;
  }
  return NULL;
}

static hone_status *open_stream(hone_frame *frame) {
  hone_frame_device *d = &frame->device;
  d->device = frame->run->device;
  return d->stream ? NULL : d->device->open(&d->stream);
}

hone_status *hone_frame_device_enter(hone_frame *frame, const hone_plan *plan) {
  HONE_TRY(open_stream(frame));
  return grow(frame, plan);
}

hone_status *hone_frame_device_place(const hone_frame *frame, int index, size_t bytes, void **out) {
  const hone_tensor *bound = &frame->bound[index];
  *out = bound->data;
  if (bound->size >= bytes) return NULL;
  return hone_error(HONE_INVALID_ARGUMENT, "output '%s' takes %zu bytes and was given %zu",
                    frame->program->graph->outputs[index].value->name, bytes, bound->size);
}

/* ---- Steps ---------------------------------------------------------------------------------- */

static void *address_of(const hone_frame *frame, const hone_value *value) {
  if (!value) return NULL;
  const hone_planned *planned = &frame->plan->values[value->id];
  return hone_root_on_device(frame, planned->root) + planned->inside;
}

hone_device_io hone_frame_device_io(const hone_frame *frame, size_t index, void **pointers) {
  const hone_node *node = frame->plan->steps[index].unit->node;
  const hone_frame_device *d = &frame->device;
  for (int i = 0; i < node->input_count; i++)
    pointers[i] = address_of(frame, node->inputs[i].value);
  for (int i = 0; i < node->output_count; i++)
    pointers[node->input_count + i] = address_of(frame, node->outputs[i]);
  return (hone_device_io){pointers, pointers + node->input_count,
                          d->memory + frame->plan->device_scratch, d->pinned, (int)index};
}

static hone_status *ask_step(hone_frame *frame, size_t index, hone_stream *stream) {
  const hone_plan_step *step = &frame->plan->steps[index];
  hone_device_io io = hone_frame_device_io(frame, index, frame->pointers);
  return hone_error_at(frame->device.device->run(stream, &step->kernel, &io), "node '%s'",
                       hone_node_label(step->unit->node));
}

static hone_status *ask_run(hone_frame *frame, const hone_device_run *run, hone_stream *stream) {
  HONE_TRY(hone_crossings_ask(frame, run, stream, false));
  for (size_t s = run->first; s < run->first + run->count; s++)
    HONE_TRY(ask_step(frame, s, stream));
  return hone_crossings_ask(frame, run, stream, true);
}

/* A value that was no place, as hosts' kernels report it: once. Nothing is under way. */
static hone_status *fault_of(const hone_frame *frame, const hone_device_run *run) {
  hone_device_fault *fault = (void *)frame->device.pinned;
  if (!run->faults || !fault->set) return NULL;
  const hone_node *node = frame->plan->steps[fault->step].unit->node;
  fault->set = 0;
  return hone_error_at(hone_error(HONE_INVALID_ARGUMENT,
                                  "index %lld is outside of a dimension of %lld (element %zu)",
                                  (long long)fault->value, (long long)fault->bound,
                                  (size_t)fault->element),
                       "node '%s' (%s)", hone_node_label(node), node->op->name);
}

/* ---- Recordings ----------------------------------------------------------------------------- */

static hone_frame_recording *recording_of(hone_frame *frame, size_t run, uint64_t ways) {
  hone_frame_device *d = &frame->device;
  for (int i = 0; i < HONE_RECORDINGS; i++) {
    hone_frame_recording *r = &d->recordings[i];
    if (r->plan == frame->plan->number && r->run == run && r->ways == ways) return r;
  }
  hone_frame_recording *r = &d->recordings[d->next++ % HONE_RECORDINGS];
  forget_recording(d, r);
  *r = (hone_frame_recording){.plan = frame->plan->number, .run = run, .ways = ways};
  return r;
}

/* The root of what the caller gave: an input, or after those an output. */
static uint32_t root_of_port(const hone_frame *frame, int port) {
  const hone_graph *graph = frame->program->graph;
  if (port < graph->input_count) return graph->inputs[port]->id;
  return frame->plan->values[graph->outputs[port - graph->input_count].value->id].root;
}

static int ports_of(const hone_frame *frame) {
  return frame->program->graph->input_count + frame->program->graph->output_count;
}

static void *caller_of_port(const hone_frame *frame, int port) {
  return frame->callers.any ? frame->callers.roots[root_of_port(frame, port)].device : NULL;
}

static void note_callers(const hone_frame *frame, void **callers) {
  for (int p = 0; p < ports_of(frame); p++) callers[p] = caller_of_port(frame, p);
}

/* A recording that fails is ended all the same, so that the stream works again. */
static hone_status *record(hone_frame *frame, const hone_device_run *run, hone_frame_recording *r) {
  hone_frame_device *d = &frame->device;
  hone_recording *made = NULL;
  if (!r->callers) r->callers = hone_alloc((size_t)(ports_of(frame) + 1) * sizeof *r->callers);
  HONE_TRY_MEMORY(r->callers);
  note_callers(frame, r->callers);
  HONE_TRY(d->device->record(d->stream));
  hone_status *status = ask_run(frame, run, d->stream);
  hone_status *ended = d->device->recorded(d->stream, &made);
  if (status) {
    hone_status_free(ended);
    d->device->forget(made);
    return status;
  }
  HONE_TRY(ended);
  r->recording = made;
  return NULL;
}

static bool reads_port(const hone_frame *frame, const hone_node *node, uint32_t root) {
  const hone_planned *values = frame->plan->values;
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i].value && values[node->inputs[i].value->id].root == root) return true;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && values[node->outputs[i]->id].root == root) return true;
  return false;
}

/* Has the steps that read or write the root run on its new address. */
static hone_status *repoint_root(hone_frame *frame, const hone_device_run *run,
                                 const hone_frame_recording *r, uint32_t root) {
  for (size_t s = run->first; s < run->first + run->count; s++) {
    if (!reads_port(frame, frame->plan->steps[s].unit->node, root)) continue;
    hone_device_io io = hone_frame_device_io(frame, s, frame->pointers);
    HONE_TRY(frame->device.device->repoint(r->recording, &frame->plan->steps[s].kernel, &io));
  }
  return NULL;
}

/* The caller's memory may be another than when the run was recorded. What half changed is forgotten; so
 * is what takes no other addresses, and the run goes on without. */
static hone_status *repoint(hone_frame *frame, const hone_device_run *run, hone_frame_recording *r) {
  for (int p = 0; frame->callers.any && p < ports_of(frame); p++) {
    void *now = caller_of_port(frame, p);
    if (now == r->callers[p]) continue;
    hone_status *status = repoint_root(frame, run, r, root_of_port(frame, p));
    if (status) {
      forget_recording(&frame->device, r);
      if (hone_status_code(status) != HONE_UNSUPPORTED) return status;
      hone_status_free(status);
      return NULL;
    }
    r->callers[p] = now;
  }
  return NULL;
}

const hone_device_run *hone_frame_device_run_at(const hone_plan *plan, size_t step) {
  size_t i = 0;
  while (plan->device_runs[i].first + plan->device_runs[i].count <= step) i++;
  return &plan->device_runs[i];
}

/* ---- A run ---------------------------------------------------------------------------------- */

/* What was asked for is over before its memory may go, whatever came of asking. */
static hone_status *wait_for(const hone_frame *frame, hone_status *status) {
  hone_status *over = frame->device.device->wait(hone_frame_stream(frame));
  if (!status) return over;
  hone_status_free(over);
  return status;
}

hone_status *hone_frame_device_settle(hone_frame *frame) {
  hone_frame_device *d = &frame->device;
  if (!d->pending) return NULL;
  const hone_device_run *checked = d->checked;
  d->pending = false;
  d->checked = NULL;
  HONE_TRY(wait_for(frame, NULL));
  return checked ? fault_of(frame, checked) : NULL;
}

bool hone_frame_device_faulted(const hone_frame *frame) {
  const hone_frame_device *d = &frame->device;
  return d->checked && __atomic_load_n(&((hone_device_fault *)(void *)d->pinned)->set, __ATOMIC_RELAXED);
}

/* Has the plan's kept roots in the device's memory, by way of pinned memory that no crossing takes. */
static hone_status *keep(hone_frame *frame) {
  const hone_plan *plan = frame->plan;
  hone_frame_device *d = &frame->device;
  size_t at = plan->pinned_kept;
  if (d->kept == plan->number) return NULL;
  HONE_TRY(hone_frame_device_settle(frame));
  for (size_t i = 0; i < plan->kept_count; i++) {
    uint32_t id = plan->kept[i];
    size_t bytes = hone_root_bytes(plan, id);
    if (bytes == 0) continue;
    memcpy(d->pinned + at, frame->data[id].data, bytes);
    HONE_TRY(d->device->upload(hone_frame_stream(frame), hone_root_on_device(frame, id),
                               d->pinned + at, bytes));
    at += hone_align_up(bytes, 64);
  }
  d->kept = plan->number;
  return NULL;
}

/* Whether the run is all that there is to do, with nothing to copy on the host after it. */
static bool may_leave(const hone_frame *frame, const hone_device_run *run) {
  const hone_plan *plan = frame->plan;
  return frame->run->asynchronous && frame->depth == 0 && run->first == 0 &&
         run->count == plan->step_count && plan->first_unit == 0 &&
         plan->next_unit == frame->program->unit_count && hone_crossings_end_there(frame, run);
}

static hone_status *ask_all(hone_frame *frame, const hone_device_run *run,
                            const hone_frame_recording *r) {
  hone_stream *stream = hone_frame_stream(frame);
  HONE_TRY(hone_crossings_before(frame, run, stream));
  if (r->recording) HONE_TRY(frame->device.device->replay(stream, r->recording));
  else HONE_TRY(ask_run(frame, run, stream));
  return hone_crossings_after(frame, run, stream);
}

hone_status *hone_frame_device_run(hone_frame *frame, const hone_device_run *run) {
  hone_frame_device *d = &frame->device;
  size_t index = (size_t)(run - frame->plan->device_runs);
  hone_frame_recording *r = recording_of(frame, index, hone_crossings_ways(frame, run));
  if (hone_crossings_wait(frame, run)) HONE_TRY(hone_frame_device_settle(frame));
  HONE_TRY(keep(frame));
  if (r->recording) HONE_TRY(repoint(frame, run, r));
  else if (r->uses++ == 1) HONE_TRY(record(frame, run, r));
  hone_status *status = ask_all(frame, run, r);
  if (!status && may_leave(frame, run)) {
    d->pending = true;
    if (run->faults) d->checked = run;
    return NULL;
  }
  d->pending = false;
  d->checked = NULL;
  HONE_TRY(wait_for(frame, status));
  HONE_TRY(fault_of(frame, run));
  hone_crossings_finish(frame, run);
  return NULL;
}

/* ---- Step by step --------------------------------------------------------------------------- */

/* By way of pinned memory of their own. */
hone_status *hone_frame_device_fetch(hone_frame *frame, const void *from, void *to, size_t bytes) {
  hone_frame_device *d = &frame->device;
  void *pinned;
  if (bytes == 0) return NULL;
  HONE_TRY(open_stream(frame));
  HONE_TRY(d->device->take_pinned(bytes, &pinned));
  hone_status *status = d->device->download(hone_frame_stream(frame), pinned, from, bytes);
  status = wait_for(frame, status);
  if (!status) memcpy(to, pinned, bytes);
  d->device->give_pinned(pinned);
  return status;
}

hone_status *hone_frame_device_send(hone_frame *frame, void *to, const void *from, size_t bytes) {
  hone_frame_device *d = &frame->device;
  void *pinned;
  if (bytes == 0) return NULL;
  HONE_TRY(open_stream(frame));
  HONE_TRY(d->device->take_pinned(bytes, &pinned));
  memcpy(pinned, from, bytes);
  hone_status *status = d->device->upload(hone_frame_stream(frame), to, pinned, bytes);
  status = wait_for(frame, status);
  d->device->give_pinned(pinned);
  return status;
}

/* Root `id` on the host: where it has a place there, else in memory of this run's, for all that lies
 * inside as well. */
static hone_status *show_root(hone_frame *frame, uint32_t id) {
  const hone_plan *plan = frame->plan;
  size_t bytes = hone_root_bytes(plan, id);
  if (plan->values[id].at.kind != HONE_AT_DEVICE)
    return hone_frame_device_fetch(frame, hone_root_on_device(frame, id), frame->data[id].data,
                                   bytes);
  unsigned char *copy = hone_arena_alloc(&frame->objects, bytes + 1);
  HONE_TRY_MEMORY(copy);
  HONE_TRY(hone_frame_device_fetch(frame, hone_root_on_device(frame, id), copy, bytes));
  for (uint32_t v = 0; v < frame->program->value_count; v++)
    if (plan->values[v].at.kind == HONE_AT_DEVICE && plan->values[v].root == id)
      frame->data[v].data = copy + plan->values[v].inside;
  return NULL;
}

static hone_status *do_step(hone_frame *frame, const hone_device_run *run, size_t step) {
  hone_stream *stream = hone_frame_stream(frame);
  if (step == run->first) {
    HONE_TRY(keep(frame));
    HONE_TRY(hone_crossings_before(frame, run, stream));
    HONE_TRY(hone_crossings_ask(frame, run, stream, false));
  }
  HONE_TRY(ask_step(frame, step, stream));
  if (step + 1 < run->first + run->count) return NULL;
  HONE_TRY(hone_crossings_ask(frame, run, stream, true));
  return hone_crossings_after(frame, run, stream);
}

hone_status *hone_frame_device_step(hone_frame *frame, size_t step, bool show) {
  const hone_device_run *run = hone_frame_device_run_at(frame->plan, step);
  const hone_node *node = frame->plan->steps[step].unit->node;
  HONE_TRY(hone_frame_device_settle(frame));
  HONE_TRY(wait_for(frame, do_step(frame, run, step)));
  if (step + 1 == run->first + run->count) {
    HONE_TRY(fault_of(frame, run));
    hone_crossings_finish(frame, run);
  }
  for (int i = 0; show && i < node->output_count; i++)
    if (node->outputs[i]) HONE_TRY(show_root(frame, frame->plan->values[node->outputs[i]->id].root));
  return NULL;
}
