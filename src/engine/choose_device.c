/* Kernels for groups on a device: their candidates, timed inside the run that they are for.
 * Room: engine.
 *
 * The engine runs once at the typical sizes, on the first candidate of every group. Then its steps are
 * recorded again and again, each time with another candidate of every group and a mark after each step,
 * and the recordings replayed in turn: a candidate meets the caches as they are between its neighbours,
 * the clocks that the others meet, and no wait for the host.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/pool.h"
#include "engine/builder.h"
#include "engine/crossings.h"
#include "engine/frame.h"
#include "engine/tune.h"

#define ROUNDS  9   /* odd, as is FEWEST: a median is one of the times */
#define FEWEST  5   /* rounds, where all of them would take longer than LONG_NS */
#define LONG_NS 4e9
#define WARM_NS 2e8 /* replays before the first round: clocks rise */

typedef struct contender {
  hone_prepared prepared;
  hone_step step;
  double times[ROUNDS];
  int rounds;
  bool runs;
} contender;

typedef struct device_group {
  hone_unit *unit;
  hone_candidate candidates[HONE_MAX_CANDIDATES];
  size_t count;
  hone_bench_group typical;
  hone_group_view view; /* of it */
  char key[HONE_TIMING_KEY];
  contender *contenders; /* by candidate; NULL: it is not timed */
  hone_arena memory;     /* theirs */
  hone_status *failed;   /* of making them ready */
} device_group;

typedef struct device_bench {
  hone_builder *b;
  hone_arena memory;
  device_group *groups;
  size_t count;
  hone_frame *frame; /* after a run at the typical sizes */
  const hone_device *device;
  hone_stream *stream;
  void *scratch;         /* for whichever candidate runs */
  hone_mark **marks;     /* before each step of the frame's plan, and after the last */
  device_group **of_step; /* NULL: nothing is chosen there */
  hone_recording **turns; /* a recording for each place in the lists of candidates */
  size_t turn_count;
  _Atomic size_t next; /* of the groups that are made ready */
} device_bench;

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
static size_t candidates_of(const device_bench *bench, const hone_unit *unit,
                            hone_candidate *out) {
  const hone_backend *backend = unit->prepared.backend;
  bool all = hone_option_is(bench->b->options, HONE_OPTION_needs, "all");
  size_t kept = 0, count = backend->candidates(unit->body, out, HONE_MAX_CANDIDATES);
  if (count > HONE_MAX_CANDIDATES) count = HONE_MAX_CANDIDATES;
  for (size_t c = 0; c < count; c++)
    if (all || !out[c].needs) out[kept++] = out[c];
  return kept;
}

/* A group whose sizes are known; one that has no choice is timed for the report. */
static hone_status *add_group(device_bench *bench, hone_unit *unit) {
  const hone_backend *backend = unit->prepared.backend;
  device_group *group = &bench->groups[bench->count];
  bool known;
  *group = (device_group){.unit = unit};
  group->count = candidates_of(bench, unit, group->candidates);
  HONE_TRY(hone_typical_group(bench->b, unit, bench->b->typical, &bench->memory, &group->typical,
                              &known));
  if (!known) return NULL;
  HONE_TRY(view_of(&group->typical, &bench->memory, &group->view));
  HONE_TRY(hone_timing_key(&group->typical, backend, group->key));
  bench->count++;
  return NULL;
}

static hone_status *find_groups(device_bench *bench) {
  hone_program *program = bench->b->engine->program;
  bench->groups = HONE_NEW_ARRAY(&bench->memory, program->unit_count + 1, device_group);
  HONE_TRY_MEMORY(bench->groups);
  for (size_t u = 0; u < program->unit_count; u++) {
    hone_unit *unit = &program->units[u];
    if (unit->kind == HONE_UNIT_KERNEL && unit->prepared.backend->device)
      HONE_TRY(add_group(bench, unit));
  }
  return NULL;
}

static double time_of(const device_bench *bench, const device_group *group, size_t candidate) {
  return hone_timing_cache_get(&bench->b->cache, group->key, group->candidates[candidate].name,
                               group->candidates[candidate].variant);
}

static size_t missing_times(const device_bench *bench, const device_group *group) {
  size_t missing = 0;
  for (size_t c = 0; c < group->count; c++) missing += time_of(bench, group, c) < 0;
  return missing;
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

static hone_status *find_steps(device_bench *bench) {
  const hone_plan *plan = bench->frame->plan;
  bench->of_step = HONE_NEW_ARRAY(&bench->memory, plan->step_count + 1, device_group *);
  HONE_TRY_MEMORY(bench->of_step);
  for (size_t s = 0; s < plan->step_count; s++)
    for (size_t g = 0; g < bench->count && plan->steps[s].kernel.on_device; g++)
      if (bench->groups[g].unit == plan->steps[s].unit && missing_times(bench, &bench->groups[g]))
        bench->of_step[s] = &bench->groups[g];
  return NULL;
}

static hone_status *prepare_one(device_group *group, const hone_candidate *candidate,
                                contender *out) {
  const hone_prepared *base = &group->unit->prepared;
  const hone_tuning tuning = {.view = &group->view};
  HONE_TRY(base->backend->prepare(base->body, candidate->name, candidate->variant, base->packs,
                                  base->pack_count, &tuning, &group->memory, &out->prepared));
  out->runs = true;
  return base->backend->plan(&out->prepared, &group->view, &group->memory, &out->step);
}

/* One that does not take the sizes is out. */
static hone_status *enter_one(device_group *group, const hone_candidate *candidate,
                              contender *out) {
  hone_status *status = prepare_one(group, candidate, out);
  if (!status) return NULL;
  if (out->runs) group->unit->prepared.backend->release(&out->prepared);
  out->runs = false;
  hone_code code = hone_status_code(status);
  if (code != HONE_UNSUPPORTED && code != HONE_NOT_FOUND) return status;
  hone_status_free(status);
  return NULL;
}

static hone_status *enter_group(device_group *group) {
  group->contenders = HONE_NEW_ARRAY(&group->memory, group->count, contender);
  HONE_TRY_MEMORY(group->contenders);
  for (size_t c = 0; c < group->count; c++)
    HONE_TRY(enter_one(group, &group->candidates[c], &group->contenders[c]));
  return NULL;
}

static void enter_some(void *argument, int part, int parts) {
  device_bench *bench = argument;
  size_t g;
  (void)part, (void)parts;
  while ((g = atomic_fetch_add(&bench->next, 1)) < bench->count)
    if (missing_times(bench, &bench->groups[g]))
      bench->groups[g].failed = enter_group(&bench->groups[g]);
}

/* On all threads: a library's plan takes a while to make. */
static hone_status *enter_all(device_bench *bench, size_t *scratch) {
  hone_status *status = NULL;
  hone_pool_run(hone_pool_default_threads(), enter_some, bench);
  for (size_t g = 0; g < bench->count; g++) {
    device_group *group = &bench->groups[g];
    size_t running = 0;
    for (size_t c = 0; group->contenders && c < group->count; c++) {
      const contender *one = &group->contenders[c];
      if (one->runs && one->step.scratch > *scratch) *scratch = one->step.scratch;
      running += one->runs;
    }
    if (running > bench->turn_count) bench->turn_count = running;
    if (status) hone_status_free(group->failed);
    else status = group->failed;
  }
  return status;
}

/* The contender whose turn it is; NULL: none of the group is left. */
static contender *contender_at(const device_group *group, size_t turn) {
  for (size_t c = 0; group && group->contenders && c < group->count; c++)
    if (group->contenders[c].runs && turn-- == 0) return &group->contenders[c];
  return NULL;
}

/* What the host gave the run is given again, since its memory has been other values' meanwhile: indices
 * are places then. The mark before the run comes after that. */
static hone_status *ask_crossings(device_bench *bench, size_t step) {
  const hone_device_run *run = hone_frame_device_run_at(bench->frame->plan, step);
  if (run->first != step) return NULL;
  HONE_TRY(hone_crossings_ask(bench->frame, run, bench->stream, false));
  return bench->device->set_mark(bench->stream, bench->marks[step]);
}

static hone_status *ask_steps(device_bench *bench, size_t turn) {
  hone_frame *frame = bench->frame;
  HONE_TRY(bench->device->set_mark(bench->stream, bench->marks[0]));
  for (size_t s = 0; s < frame->plan->step_count; s++) {
    const hone_step *step = &frame->plan->steps[s].kernel;
    if (step->on_device) HONE_TRY(ask_crossings(bench, s));
    const contender *one = contender_at(bench->of_step[s], turn);
    hone_device_io io = hone_frame_device_io(frame, s, frame->pointers);
    if (one) {
      step = &one->step;
      io.scratch = bench->scratch;
    }
    if (step->on_device) HONE_TRY(bench->device->run(bench->stream, step, &io));
    HONE_TRY(bench->device->set_mark(bench->stream, bench->marks[s + 1]));
  }
  return NULL;
}

static hone_status *record_turn(device_bench *bench, size_t turn) {
  hone_recording *made = NULL;
  HONE_TRY(bench->device->record(bench->stream));
  hone_status *status = ask_steps(bench, turn);
  hone_status *ended = bench->device->recorded(bench->stream, &made);
  if (!ended) bench->turns[turn] = made;
  if (!status) return ended;
  hone_status_free(ended);
  return status;
}

static hone_status *set_up(device_bench *bench) {
  size_t scratch = 1, steps = bench->frame->plan->step_count;
  HONE_TRY(find_steps(bench));
  HONE_TRY(enter_all(bench, &scratch));
  HONE_TRY(bench->device->take(scratch, &bench->scratch));
  bench->marks = HONE_NEW_ARRAY(&bench->memory, steps + 1, hone_mark *);
  bench->turns = HONE_NEW_ARRAY(&bench->memory, bench->turn_count + 1, hone_recording *);
  if (!bench->marks || !bench->turns) return hone_error_memory();
  for (size_t s = 0; s <= steps; s++) HONE_TRY(bench->device->take_mark(&bench->marks[s]));
  for (size_t t = 0; t < bench->turn_count; t++) {
    HONE_TRY(hone_build_progress(bench->b, "measuring kernels"));
    HONE_TRY(record_turn(bench, t));
  }
  return NULL;
}

static void tear_down(device_bench *bench) {
  for (size_t t = 0; bench->turns && t < bench->turn_count; t++)
    bench->device->forget(bench->turns[t]);
  for (size_t s = 0; bench->marks && s <= bench->frame->plan->step_count; s++)
    bench->device->give_mark(bench->marks[s]);
  bench->device->give(bench->scratch);
}

static void free_contenders(device_bench *bench) {
  for (size_t g = 0; g < bench->count; g++) {
    device_group *group = &bench->groups[g];
    for (size_t c = 0; group->contenders && c < group->count; c++)
      if (group->contenders[c].runs)
        group->unit->prepared.backend->release(&group->contenders[c].prepared);
    hone_arena_free(&group->memory);
  }
}

/* ---- Rounds ----------------------------------------------------------------------------------- */

static hone_status *replay(const device_bench *bench, size_t turn) {
  HONE_TRY(bench->device->replay(bench->stream, bench->turns[turn]));
  return bench->device->wait(bench->stream);
}

static hone_status *read_times(const device_bench *bench, size_t turn) {
  for (size_t s = 0; s < bench->frame->plan->step_count; s++) {
    contender *one = contender_at(bench->of_step[s], turn);
    if (!one) continue;
    HONE_TRY(bench->device->between(bench->marks[s], bench->marks[s + 1],
                                    &one->times[one->rounds]));
    one->rounds++;
  }
  return NULL;
}

/* Every turn once at least, and for as long as clocks take to rise. */
static hone_status *warm_up(const device_bench *bench, double *round) {
  uint64_t start = hone_now(), now = start;
  *round = 0;
  while (*round == 0 || (double)(now - start) < WARM_NS) {
    for (size_t t = 0; t < bench->turn_count; t++) HONE_TRY(replay(bench, t));
    uint64_t then = now;
    now = hone_now();
    *round = (double)(now - then);
  }
  return NULL;
}

static hone_status *run_rounds(device_bench *bench) {
  double round;
  HONE_TRY(warm_up(bench, &round));
  int rounds = round * ROUNDS > LONG_NS ? FEWEST : ROUNDS;
  for (int r = 0; r < rounds; r++) {
    HONE_TRY(hone_build_progress(bench->b, "measuring kernels"));
    for (size_t t = 0; t < bench->turn_count && !bench->b->stopped; t++) {
      HONE_TRY(replay(bench, t));
      HONE_TRY(read_times(bench, t));
    }
  }
  return NULL;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median_of(contender *one) {
  if (!one->runs) return HONE_TIMING_NEVER;
  if (one->rounds == 0) return -1;
  qsort(one->times, (size_t)one->rounds, sizeof(double), by_value);
  return one->times[one->rounds / 2];
}

static hone_status *keep_times(device_bench *bench) {
  for (size_t g = 0; g < bench->count; g++) {
    device_group *group = &bench->groups[g];
    for (size_t c = 0; group->contenders && c < group->count; c++) {
      double time = median_of(&group->contenders[c]);
      if (time < 0) continue;
      HONE_TRY(hone_timing_cache_put(&bench->b->cache, group->key, group->candidates[c].name,
                                     group->candidates[c].variant, time));
      bench->b->engine->measured++;
    }
  }
  return NULL;
}

static hone_status *time_in(device_bench *bench, hone_context *context) {
  bench->frame = context->frame;
  bench->device = bench->frame->device.device;
  if (!bench->device) return NULL; /* nothing ran there */
  bench->stream = hone_frame_stream(bench->frame);
  choose_stage(bench->frame);
  hone_status *status = set_up(bench);
  if (!status) status = run_rounds(bench);
  if (!status) status = keep_times(bench);
  tear_down(bench);
  return status;
}

/* Times what the cache does not know. */
static hone_status *time_all(device_bench *bench) {
  hone_builder *b = bench->b;
  size_t missing = 0, all = 0, open = 0; /* groups with a choice that times are missing for */
  for (size_t g = 0; g < bench->count; g++) {
    size_t lacks = missing_times(bench, &bench->groups[g]);
    missing += lacks;
    all += bench->groups[g].count;
    open += lacks > 0 && bench->groups[g].count > 1;
  }
  b->engine->cached += all - missing;
  if (open == 0) return NULL;
  if (b->frozen)
    return hone_error(HONE_NOT_FOUND, "the timing cache is frozen and lacks %zu times of kernels "
                                      "on the GPU", missing);
  if (!b->measure || b->stopped) return NULL;
  hone_context *context;
  HONE_TRY(hone_run_typical(b, &context));
  if (!context) return NULL;
  hone_status *status = time_in(bench, context);
  hone_context_free(context);
  return status;
}

/* ---- The choice ------------------------------------------------------------------------------- */

/* What a candidate that was timed found out need not be found out again. */
static hone_status *tuning_of(const device_group *group, size_t candidate, hone_arena *memory,
                              hone_tuning *out) {
  const contender *one = group->contenders ? &group->contenders[candidate] : NULL;
  *out = (hone_tuning){.view = &group->view};
  if (!one || !one->runs) return NULL;
  const hone_pack *pack = &one->prepared.packs[one->prepared.pack_count - 1];
  *out = (hone_tuning){.saved = {hone_arena_copy(memory, pack->bytes, pack->size), pack->size}};
  return out->saved.bytes ? NULL : hone_error_memory();
}

/* What a candidate takes inside a run, as far as its time between marks tells. */
static double time_inside(const device_bench *bench, const device_group *group, size_t candidate) {
  double time = time_of(bench, group, candidate);
  bool waits = group->candidates[candidate].needs && time >= 0 && time < HONE_TIMING_NEVER;
  return waits ? time + group->unit->prepared.backend->device->overlap : time;
}

/* On the group's fastest candidate, if there are times and it is not the first, which runs already. */
static hone_status *settle(device_bench *bench, device_group *group) {
  double times[HONE_MAX_CANDIDATES];
  hone_unit *unit = group->unit;
  hone_tuning tuning;
  for (size_t c = 0; c < group->count; c++) times[c] = time_inside(bench, group, c);
  size_t best = hone_fastest(times, group->count);
  unit->choice.candidate_count = (int)group->count;
  if (times[best] < 0 || times[best] >= HONE_TIMING_NEVER) return NULL;
  unit->nanoseconds = time_of(bench, group, best);
  unit->choice.measured = true;
  if (best == 0) return NULL;
  HONE_TRY(tuning_of(group, best, &bench->b->engine->memory, &tuning));
  return hone_unit_prepare(&bench->b->engine->memory, unit, unit->prepared.backend,
                           group->candidates[best].name, group->candidates[best].variant,
                           unit->prepared.packs, unit->prepared.pack_count, &tuning);
}

static hone_status *choose(device_bench *bench) {
  HONE_TRY(find_groups(bench));
  HONE_TRY(time_all(bench));
  for (size_t g = 0; g < bench->count; g++)
    HONE_TRY(hone_error_at(settle(bench, &bench->groups[g]), "node '%s'",
                           hone_node_label(bench->groups[g].unit->node)));
  return NULL;
}

hone_status *hone_choose_on_device(hone_builder *b) {
  device_bench bench = {.b = b};
  if (!b->engine->device || b->like || !b->typical) return NULL;
  if (!b->measure && b->cache.times.count == 0) return NULL;
  hone_status *status = choose(&bench);
  free_contenders(&bench);
  hone_arena_free(&bench.memory);
  return status;
}
