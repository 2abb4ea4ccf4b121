/* Groups on a device made ready to be timed, and recordings of the run that they are for.
 * Room: engine. */
#include "engine/device_bench.h"

#include <string.h>
#include <xxhash.h>

#include "base/pool.h"
#include "engine/crossings.h"

/* ---- What there is to choose ------------------------------------------------------------------ */

static hone_status *view_of(const hone_bench_group *group, hone_arena *memory,
                            hone_group_view *out) {
  const hone_graph *body = group->body;
  hone_type *types = HONE_NEW_ARRAY(memory, body->next_id + 1, hone_type);
  const hone_datum **known = HONE_NEW_ARRAY(memory, body->next_id + 1, const hone_datum *);
  if (!types || !known) return hone_error_memory();
  for (int i = 0; i < body->input_count; i++) {
    types[body->inputs[i]->id] = group->inputs[i];
    known[body->inputs[i]->id] = group->known[i];
  }
  HONE_TRY(hone_infer_body(body, types, known, memory));
  *out = (hone_group_view){
      .body = body, .types = types, .known = group->known, .threads = group->threads};
  return NULL;
}

/* Without those that need what the engine shall do without. */
static size_t candidates_of(const hone_device_bench *bench, const hone_unit *unit,
                            hone_candidate *out) {
  const hone_backend *backend = unit->prepared.backend;
  bool all = hone_option_is(bench->b->options, HONE_OPTION_needs, "all");
  size_t place[HONE_MAX_CANDIDATES];
  size_t kept = 0, count = backend->candidates(unit->body, out, HONE_MAX_CANDIDATES);
  if (count > HONE_MAX_CANDIDATES) count = HONE_MAX_CANDIDATES;
  for (size_t c = 0; c < count; c++) {
    place[c] = kept;
    if (!all && out[c].needs) continue;
    out[kept] = out[c];
    if (out[c].inside) out[kept].like = place[out[c].like];
    kept++;
  }
  return kept;
}

static size_t kind_of(const hone_device_bench *bench, const hone_device_group *group) {
  size_t g = 0;
  while (g < bench->count && (strcmp(bench->groups[g].kind_key, group->kind_key) != 0 ||
                              bench->groups[g].count != group->count))
    g++;
  return g;
}

/* A group whose sizes are known; one that has no choice is timed for the report. */
static hone_status *add_group(hone_device_bench *bench, hone_unit *unit) {
  const hone_backend *backend = unit->prepared.backend;
  hone_device_group *group = &bench->groups[bench->count];
  bool known;
  *group = (hone_device_group){.unit = unit};
  group->count = candidates_of(bench, unit, group->candidates);
  while (group->timed < group->count && !group->candidates[group->timed].inside) group->timed++;
  HONE_TRY(hone_typical_group(bench->b, unit, bench->b->typical, &bench->memory, &group->typical,
                              &known));
  if (!known) return NULL;
  HONE_TRY(view_of(&group->typical, &bench->memory, &group->view));
  HONE_TRY(hone_timing_key(&group->typical, backend, group->key));
  HONE_TRY(hone_kind_key(&group->typical, backend, group->kind_key));
  group->kind = kind_of(bench, group);
  bench->count++;
  return NULL;
}

/* All that the time of a whole run depends on: the groups in their order, and what each is offered. */
static uint64_t hash_run(const hone_device_bench *bench) {
  uint64_t hash = 0;
  for (size_t g = 0; g < bench->count; g++) {
    const hone_device_group *group = &bench->groups[g];
    hash = XXH3_64bits_withSeed(group->kind_key, strlen(group->kind_key), hash);
    for (size_t c = 0; c < group->count; c++) {
      const hone_candidate *one = &group->candidates[c];
      hash = XXH3_64bits_withSeed(one->name, strlen(one->name), hash + (uint64_t)one->variant);
    }
  }
  return hash;
}

hone_status *hone_bench_find(hone_device_bench *bench) {
  hone_program *program = bench->b->engine->program;
  bench->groups = HONE_NEW_ARRAY(&bench->memory, program->unit_count + 1, hone_device_group);
  HONE_TRY_MEMORY(bench->groups);
  for (size_t u = 0; u < program->unit_count; u++) {
    hone_unit *unit = &program->units[u];
    if (unit->kind == HONE_UNIT_KERNEL && unit->prepared.backend->device)
      HONE_TRY(add_group(bench, unit));
  }
  bench->run = hash_run(bench);
  return NULL;
}

size_t hone_bench_at_once(const hone_device_group *group, size_t candidate) {
  for (size_t c = group->timed; c < group->count; c++)
    if (group->candidates[c].like == candidate) return c;
  return candidate;
}

double hone_bench_time(const hone_device_bench *bench, const hone_device_group *group,
                       size_t candidate) {
  const hone_candidate *one = &group->candidates[candidate];
  if (one->inside) one = &group->candidates[one->like];
  return hone_timing_cache_get(&bench->b->cache, group->key, one->name, one->variant);
}

double hone_bench_inside(const hone_device_bench *bench, const hone_device_group *group,
                         size_t candidate) {
  double time = hone_bench_time(bench, group, candidate);
  bool waits = group->candidates[candidate].needs && time >= 0 && time < HONE_TIMING_NEVER;
  return waits ? time + group->unit->prepared.backend->device->overlap : time;
}

size_t hone_bench_fastest(const hone_device_bench *bench, const hone_device_group *group,
                          double *times) {
  for (size_t c = 0; c < group->timed; c++) times[c] = hone_bench_inside(bench, group, c);
  return hone_fastest(times, group->timed);
}

/* ---- The run that they are timed in ----------------------------------------------------------- */

/* The stage of the run with the most steps on the device. */
static void choose_stage(hone_frame *frame) {
  size_t most = 0;
  for (size_t i = 0; i < frame->chain_count; i++) {
    size_t steps = 0;
    for (size_t r = 0; r < frame->chain[i]->device_run_count; r++)
      steps += frame->chain[i]->device_runs[r].count;
    if (steps < most) continue;
    most = steps;
    frame->plan = frame->chain[i];
  }
}

static hone_status *find_steps(hone_device_bench *bench) {
  const hone_plan *plan = bench->frame->plan;
  bench->of_step = HONE_NEW_ARRAY(&bench->memory, plan->step_count + 1, hone_device_group *);
  HONE_TRY_MEMORY(bench->of_step);
  for (size_t s = 0; s < plan->step_count; s++)
    for (size_t g = 0; g < bench->count && plan->steps[s].kernel.on_device; g++)
      if (bench->groups[g].unit == plan->steps[s].unit) bench->of_step[s] = &bench->groups[g];
  return NULL;
}

hone_status *hone_bench_open(hone_device_bench *bench, hone_context *context) {
  bench->frame = context->frame;
  bench->device = bench->frame->device.device;
  if (!bench->device) return NULL;
  bench->stream = hone_frame_stream(bench->frame);
  choose_stage(bench->frame);
  return find_steps(bench);
}

/* ---- Contenders ------------------------------------------------------------------------------- */

hone_status *hone_bench_want(hone_device_group *group, size_t candidate) {
  if (!group->contenders)
    group->contenders = HONE_NEW_ARRAY(&group->memory, group->count, hone_contender);
  HONE_TRY_MEMORY(group->contenders);
  group->contenders[candidate].wanted = !group->contenders[candidate].runs;
  return NULL;
}

static hone_status *prepare_one(hone_device_group *group, const hone_candidate *candidate,
                                hone_contender *out) {
  const hone_prepared *base = &group->unit->prepared;
  const hone_tuning tuning = {.view = &group->view};
  HONE_TRY(base->backend->prepare(base->body, candidate->name, candidate->variant, base->packs,
                                  base->pack_count, &tuning, &group->memory, &out->prepared));
  out->runs = true;
  return base->backend->plan(&out->prepared, &group->view, &group->memory, &out->step);
}

/* One that does not take the sizes is out. */
static hone_status *enter_one(hone_device_group *group, const hone_candidate *candidate,
                              hone_contender *out) {
  hone_status *status = prepare_one(group, candidate, out);
  if (!status) return NULL;
  if (out->runs) group->unit->prepared.backend->release(&out->prepared);
  out->runs = false;
  hone_code code = hone_status_code(status);
  if (code != HONE_UNSUPPORTED && code != HONE_NOT_FOUND) return status;
  hone_status_free(status);
  return NULL;
}

static hone_status *enter_group(hone_device_group *group) {
  for (size_t c = 0; group->contenders && c < group->count; c++) {
    hone_contender *one = &group->contenders[c];
    if (!one->wanted) continue;
    one->wanted = false;
    HONE_TRY(enter_one(group, &group->candidates[c], one));
  }
  return NULL;
}

static void enter_some(void *argument, int part, int parts) {
  hone_device_bench *bench = argument;
  size_t g;
  (void)part, (void)parts;
  while ((g = atomic_fetch_add(&bench->next, 1)) < bench->count)
    bench->groups[g].failed = enter_group(&bench->groups[g]);
}

static hone_status *take_scratch(hone_device_bench *bench, size_t bytes) {
  if (bytes <= bench->scratch_size) return NULL;
  bench->device->give(bench->scratch);
  bench->scratch = NULL;
  bench->scratch_size = 0;
  HONE_TRY(bench->device->take(bytes, &bench->scratch));
  bench->scratch_size = bytes;
  return NULL;
}

/* On all threads: a library's plan takes a while to make. */
hone_status *hone_bench_enter(hone_device_bench *bench) {
  hone_status *status = NULL;
  size_t scratch = 1;
  atomic_store(&bench->next, 0);
  hone_pool_run(hone_pool_default_threads(), enter_some, bench);
  for (size_t g = 0; g < bench->count; g++) {
    hone_device_group *group = &bench->groups[g];
    for (size_t c = 0; group->contenders && c < group->count; c++) {
      const hone_contender *one = &group->contenders[c];
      if (one->runs && one->step.scratch > scratch) scratch = one->step.scratch;
    }
    if (status) hone_status_free(group->failed);
    else status = group->failed;
    group->failed = NULL;
  }
  return status ? status : take_scratch(bench, scratch);
}

/* ---- Recordings ------------------------------------------------------------------------------- */

static hone_status *set_mark(const hone_device_bench *bench, hone_mark *mark) {
  return mark ? bench->device->set_mark(bench->stream, mark) : NULL;
}

/* What the host gave the run is given again, since its memory has been other values' meanwhile: indices
 * are places then. The mark before the run comes after that. */
static hone_status *begin_step(const hone_device_bench *bench, size_t index, hone_mark *const *marks) {
  const hone_plan *plan = bench->frame->plan;
  bool begins = index == 0;
  if (plan->steps[index].kernel.on_device) {
    const hone_device_run *run = hone_frame_device_run_at(plan, index);
    if (run->first == index) {
      HONE_TRY(hone_crossings_ask(bench->frame, run, bench->stream, false));
      begins = true;
    }
  }
  return begins ? set_mark(bench, marks[index]) : NULL;
}

static hone_status *ask_step(const hone_device_bench *bench, size_t index, hone_mark *const *marks) {
  hone_frame *frame = bench->frame;
  const hone_step *step = &frame->plan->steps[index].kernel;
  const hone_contender *on = bench->of_step[index] ? bench->of_step[index]->on : NULL;
  HONE_TRY(begin_step(bench, index, marks));
  if (step->on_device) {
    hone_device_io io = hone_frame_device_io(frame, index, frame->pointers);
    if (on) io.scratch = bench->scratch;
    HONE_TRY(bench->device->run(bench->stream, on ? &on->step : step, &io));
  }
  return set_mark(bench, marks[index + 1]);
}

hone_status *hone_bench_record(const hone_device_bench *bench, hone_mark *const *marks,
                               hone_recording **out) {
  hone_recording *made = NULL;
  HONE_TRY(bench->device->record(bench->stream));
  hone_status *status = NULL;
  for (size_t s = 0; s < bench->frame->plan->step_count && !status; s++)
    status = ask_step(bench, s, marks);
  hone_status *ended = bench->device->recorded(bench->stream, &made);
  if (status) {
    hone_status_free(ended);
    bench->device->forget(made);
    return status;
  }
  HONE_TRY(ended);
  *out = made;
  return NULL;
}

hone_status *hone_bench_replay(const hone_device_bench *bench, const hone_recording *recording) {
  HONE_TRY(bench->device->replay(bench->stream, recording));
  return bench->device->wait(bench->stream);
}

/* ---- The end ---------------------------------------------------------------------------------- */

void hone_bench_leave(hone_device_bench *bench) {
  if (bench->device) bench->device->give(bench->scratch);
  bench->scratch = NULL;
  bench->scratch_size = 0;
}

void hone_bench_free(hone_device_bench *bench) {
  for (size_t g = 0; g < bench->count; g++) {
    hone_device_group *group = &bench->groups[g];
    for (size_t c = 0; group->contenders && c < group->count; c++)
      if (group->contenders[c].runs)
        group->unit->prepared.backend->release(&group->contenders[c].prepared);
    hone_arena_free(&group->memory);
  }
  hone_arena_free(&bench->memory);
}
