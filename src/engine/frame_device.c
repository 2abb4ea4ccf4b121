/* Running the steps of a plan that are a device's. Room: engine. */
#include "engine/frame_device.h"

#include <string.h>

#include "engine/frame_run.h"

/* ---- Room ----------------------------------------------------------------------------------- */

static void forget_recordings(hone_frame_device *d) {
  for (int i = 0; i < HONE_RECORDINGS; i++) {
    if (d->recordings[i].recording) d->device->forget(d->recordings[i].recording);
    d->recordings[i] = (hone_frame_recording){0};
  }
}

void hone_frame_device_free(hone_frame_device *d) {
  if (!d->device) return;
  forget_recordings(d);
  d->device->give(d->memory);
  d->device->give_pinned(d->pinned);
  d->device->close(d->stream);
}

static const hone_device *device_of(const hone_plan *plan) {
  return plan->steps[plan->device_runs[0].first].unit->prepared.backend->device;
}

/* Recordings hold addresses: they go with the memory. */
static hone_status *grow(hone_frame_device *d, const hone_plan *plan) {
  void *memory;
  if (plan->device_size > d->size) {
    forget_recordings(d);
    d->device->give(d->memory);
    d->memory = NULL;
    d->size = 0;
    HONE_TRY(d->device->take(plan->device_size, &memory));
    d->memory = memory;
    d->size = plan->device_size;
  }
  if (plan->pinned_size > d->pinned_size) {
    forget_recordings(d);
    d->device->give_pinned(d->pinned);
    d->pinned = NULL;
    d->pinned_size = 0;
    HONE_TRY(d->device->take_pinned(plan->pinned_size, &memory));
    d->pinned = memory;
    d->pinned_size = plan->pinned_size;
  }
  return NULL;
}

hone_status *hone_frame_device_enter(hone_frame *frame, const hone_plan *plan) {
  hone_frame_device *d = &frame->device;
  d->device = device_of(plan);
  if (!d->stream) HONE_TRY(d->device->open(&d->stream));
  return grow(d, plan);
}

/* ---- Copies --------------------------------------------------------------------------------- */

static size_t bytes_of(const hone_plan *plan, uint32_t id) {
  const hone_type *type = &plan->values[id].type;
  size_t bytes = 0;
  (void)hone_shape_bytes(&type->shape, type->dtype, &bytes);
  return bytes;
}

/* Walks the crossings of a run: what lies where in pinned memory. */
typedef struct crossing {
  uint32_t id;
  size_t bytes;
  unsigned char *pinned;
  unsigned char *there;
} crossing;

static crossing crossing_at(const hone_frame *frame, const hone_device_run *run, size_t index,
                            size_t *at) {
  const hone_plan *plan = frame->plan;
  uint32_t id = index < run->up_count ? run->up[index] : run->down[index - run->up_count];
  crossing c = {id, bytes_of(plan, id), frame->device.pinned + *at,
                frame->device.memory + plan->values[id].device_offset};
  *at += hone_align_up(c.bytes, 64);
  return c;
}

#define CROSSINGS_BEGIN hone_align_up(sizeof(hone_device_fault), 64)

/* Between the host's memory and the pinned: before the run what goes up, after it what came down. */
static void stage(hone_frame *frame, const hone_device_run *run, bool after) {
  size_t at = CROSSINGS_BEGIN;
  for (size_t i = 0; i < run->up_count + run->down_count; i++) {
    crossing c = crossing_at(frame, run, i, &at);
    void *host = frame->data[c.id].data;
    if (c.bytes == 0) continue;
    if (!after && i < run->up_count) memcpy(c.pinned, host, c.bytes);
    if (after && i >= run->up_count) memcpy(host, c.pinned, c.bytes);
  }
  if (!after) memset(frame->device.pinned, 0, sizeof(hone_device_fault));
}

static hone_status *ask_copies(hone_frame *frame, const hone_device_run *run, bool down) {
  hone_frame_device *d = &frame->device;
  void *fault = d->memory + frame->plan->device_fault;
  size_t at = CROSSINGS_BEGIN;
  for (size_t i = 0; i < run->up_count + run->down_count; i++) {
    crossing c = crossing_at(frame, run, i, &at);
    if (c.bytes == 0 || down != (i >= run->up_count)) continue;
    if (down) HONE_TRY(d->device->download(d->stream, c.pinned, c.there, c.bytes));
    else HONE_TRY(d->device->upload(d->stream, c.there, c.pinned, c.bytes));
  }
  if (!run->faults) return NULL;
  if (down) return d->device->download(d->stream, d->pinned, fault, sizeof(hone_device_fault));
  return d->device->upload(d->stream, fault, d->pinned, sizeof(hone_device_fault));
}

/* ---- Steps ---------------------------------------------------------------------------------- */

static void *address_of(const hone_frame *frame, const hone_value *value) {
  if (!value) return NULL;
  const hone_planned *planned = &frame->plan->values[value->id];
  return frame->device.memory + frame->plan->values[planned->root].device_offset + planned->inside;
}

/* The step's addresses are written to `pointers`, as those of a step on the host are. */
static hone_status *ask_step(hone_frame *frame, size_t index, void **pointers) {
  const hone_plan_step *step = &frame->plan->steps[index];
  const hone_node *node = step->unit->node;
  hone_frame_device *d = &frame->device;
  for (int i = 0; i < node->input_count; i++)
    pointers[i] = address_of(frame, node->inputs[i].value);
  for (int i = 0; i < node->output_count; i++)
    pointers[node->input_count + i] = address_of(frame, node->outputs[i]);
  hone_device_io io = {pointers, pointers + node->input_count,
                       d->memory + frame->plan->device_scratch,
                       d->memory + frame->plan->device_fault, (int)index};
  return hone_error_at(d->device->run(d->stream, &step->kernel, &io), "node '%s'",
                       hone_node_label(node));
}

static hone_status *ask_run(hone_frame *frame, const hone_device_run *run) {
  HONE_TRY(ask_copies(frame, run, false));
  for (size_t s = run->first; s < run->first + run->count; s++)
    HONE_TRY(ask_step(frame, s, frame->pointers));
  return ask_copies(frame, run, true);
}

/* A value that was no place, as hosts' kernels report it. */
static hone_status *fault_of(const hone_frame *frame, const hone_device_run *run) {
  const hone_device_fault *fault = (const void *)frame->device.pinned;
  if (!run->faults || !fault->set) return NULL;
  const hone_node *node = frame->plan->steps[fault->step].unit->node;
  return hone_error_at(hone_error(HONE_INVALID_ARGUMENT,
                                  "index %lld is outside of a dimension of %lld (element %zu)",
                                  (long long)fault->value, (long long)fault->bound,
                                  (size_t)fault->element),
                       "node '%s' (%s)", hone_node_label(node), node->op->name);
}

static hone_frame_recording *recording_of(hone_frame_device *d, const hone_plan *plan, size_t run) {
  for (int i = 0; i < HONE_RECORDINGS; i++)
    if (d->recordings[i].plan == plan->number && d->recordings[i].run == run) return &d->recordings[i];
  hone_frame_recording *r = &d->recordings[d->next++ % HONE_RECORDINGS];
  if (r->recording) d->device->forget(r->recording);
  *r = (hone_frame_recording){.plan = plan->number, .run = run};
  return r;
}

/* A recording that fails is ended all the same, so that the stream works again. */
static hone_status *record(hone_frame *frame, const hone_device_run *run, hone_recording **out) {
  hone_frame_device *d = &frame->device;
  hone_recording *made = NULL;
  HONE_TRY(d->device->record(d->stream));
  hone_status *status = ask_run(frame, run), *ended = d->device->recorded(d->stream, &made);
  if (status) {
    hone_status_free(ended);
    d->device->forget(made);
    return status;
  }
  HONE_TRY(ended);
  *out = made;
  return NULL;
}

const hone_device_run *hone_frame_device_run_at(const hone_plan *plan, size_t step) {
  size_t i = 0;
  while (plan->device_runs[i].first + plan->device_runs[i].count <= step) i++;
  return &plan->device_runs[i];
}

/* What was asked for is over before its memory may go, whatever came of asking. */
static hone_status *wait_for(hone_frame_device *d, hone_status *status) {
  hone_status *over = d->device->wait(d->stream);
  if (!status) return over;
  hone_status_free(over);
  return status;
}

hone_status *hone_frame_device_run(hone_frame *frame, const hone_device_run *run) {
  hone_frame_device *d = &frame->device;
  hone_frame_recording *r =
      recording_of(d, frame->plan, (size_t)(run - frame->plan->device_runs));
  stage(frame, run, false);
  if (r->uses++ == 1) HONE_TRY(record(frame, run, &r->recording));
  HONE_TRY(wait_for(d, r->recording ? d->device->replay(d->stream, r->recording)
                                    : ask_run(frame, run)));
  HONE_TRY(fault_of(frame, run));
  stage(frame, run, true);
  return NULL;
}

/* ---- Step by step --------------------------------------------------------------------------- */

/* The bytes of root `id`, by way of pinned memory of their own. */
static hone_status *fetch(hone_frame *frame, uint32_t id, void *to, size_t bytes) {
  hone_frame_device *d = &frame->device;
  void *pinned;
  if (bytes == 0) return NULL;
  HONE_TRY(d->device->take_pinned(bytes, &pinned));
  hone_status *status = d->device->download(
      d->stream, pinned, d->memory + frame->plan->values[id].device_offset, bytes);
  if (!status) status = d->device->wait(d->stream);
  if (!status) memcpy(to, pinned, bytes);
  d->device->give_pinned(pinned);
  return status;
}

/* Root `id` on the host: where it has a place there, else in memory of this run's, for all that lies
 * inside as well. */
static hone_status *show_root(hone_frame *frame, uint32_t id) {
  const hone_plan *plan = frame->plan;
  size_t bytes = bytes_of(plan, id);
  if (plan->values[id].at.kind != HONE_AT_DEVICE)
    return fetch(frame, id, frame->data[id].data, bytes);
  unsigned char *copy = hone_arena_alloc(&frame->objects, bytes + 1);
  HONE_TRY_MEMORY(copy);
  HONE_TRY(fetch(frame, id, copy, bytes));
  for (uint32_t v = 0; v < frame->program->value_count; v++)
    if (plan->values[v].at.kind == HONE_AT_DEVICE && plan->values[v].root == id)
      frame->data[v].data = copy + plan->values[v].inside;
  return NULL;
}

static hone_status *do_step(hone_frame *frame, const hone_device_run *run, size_t step) {
  bool last = step + 1 == run->first + run->count;
  if (step == run->first) {
    stage(frame, run, false);
    HONE_TRY(ask_copies(frame, run, false));
  }
  HONE_TRY(ask_step(frame, step, frame->pointers));
  return last ? ask_copies(frame, run, true) : NULL;
}

hone_status *hone_frame_device_step(hone_frame *frame, size_t step, bool show) {
  hone_frame_device *d = &frame->device;
  const hone_device_run *run = hone_frame_device_run_at(frame->plan, step);
  const hone_node *node = frame->plan->steps[step].unit->node;
  HONE_TRY(wait_for(d, do_step(frame, run, step)));
  if (step + 1 == run->first + run->count) {
    HONE_TRY(fault_of(frame, run));
    stage(frame, run, true);
  }
  for (int i = 0; show && i < node->output_count; i++)
    if (node->outputs[i]) HONE_TRY(show_root(frame, frame->plan->values[node->outputs[i]->id].root));
  return NULL;
}
