/* Kernels for groups on a device: their candidates, timed inside the run that they are for.
 * Room: engine.
 *
 * The engine runs once at the typical sizes, on the first candidate of every group. Then its steps are
 * recorded again and again, each time with another candidate of every group and a mark after each step,
 * and the recordings replayed in turn: a candidate meets the caches as they are between its neighbours,
 * the clocks that the others meet, and no wait for the host. Whole runs then tell what marks do not
 * (choose_inside.c).
 */
#include "base/log.h"
#include "engine/choose_inside.h"

#define ROUNDS  HONE_BENCH_ROUNDS /* odd, as is FEWEST: a median is one of the times */
#define FEWEST  5                 /* rounds, where all of them would take longer than LONG_NS */
#define LONG_NS 4e9
#define WARM_NS 2e8 /* replays before the first round: clocks rise */

/* A recording for each place in the lists of contenders. */
typedef struct rounds {
  hone_device_bench *bench;
  hone_mark **marks; /* before each step of the frame's plan, and after the last */
  hone_recording **turns;
  size_t count;
} rounds;

static size_t missing_times(const hone_device_bench *bench, const hone_device_group *group) {
  size_t missing = 0;
  for (size_t c = 0; c < group->timed; c++) missing += hone_bench_time(bench, group, c) < 0;
  return missing;
}

/* The contender whose turn it is; NULL: none of the group is left. */
static hone_contender *contender_at(const hone_device_group *group, size_t turn) {
  for (size_t c = 0; group && group->contenders && c < group->count; c++)
    if (group->contenders[c].runs && turn-- == 0) return &group->contenders[c];
  return NULL;
}

static size_t count_contenders(const hone_device_group *group) {
  size_t running = 0;
  for (size_t c = 0; group->contenders && c < group->count; c++)
    running += group->contenders[c].runs;
  return running;
}

/* ---- Recordings ------------------------------------------------------------------------------- */

static hone_status *enter_missing(rounds *r) {
  hone_device_bench *bench = r->bench;
  for (size_t g = 0; g < bench->count; g++) {
    hone_device_group *group = &bench->groups[g];
    for (size_t c = 0, all = missing_times(bench, group) ? group->timed : 0; c < all; c++)
      HONE_TRY(hone_bench_want(group, c));
  }
  HONE_TRY(hone_bench_enter(bench));
  for (size_t g = 0; g < bench->count; g++) {
    size_t running = count_contenders(&bench->groups[g]);
    if (running > r->count) r->count = running;
  }
  return NULL;
}

static hone_status *record_turn(rounds *r, size_t turn) {
  hone_device_bench *bench = r->bench;
  for (size_t g = 0; g < bench->count; g++)
    bench->groups[g].on = contender_at(&bench->groups[g], turn);
  return hone_bench_record(bench, r->marks, &r->turns[turn]);
}

static hone_status *set_up(rounds *r) {
  hone_device_bench *bench = r->bench;
  size_t steps = bench->frame->plan->step_count;
  HONE_TRY(enter_missing(r));
  r->marks = HONE_NEW_ARRAY(&bench->memory, steps + 1, hone_mark *);
  r->turns = HONE_NEW_ARRAY(&bench->memory, r->count + 1, hone_recording *);
  if (!r->marks || !r->turns) return hone_error_memory();
  for (size_t s = 0; s <= steps; s++) HONE_TRY(bench->device->take_mark(&r->marks[s]));
  for (size_t t = 0; t < r->count; t++) {
    HONE_TRY(hone_build_progress(bench->b, "measuring kernels"));
    HONE_TRY(record_turn(r, t));
  }
  return NULL;
}

static void tear_down(rounds *r) {
  const hone_device *device = r->bench->device;
  for (size_t t = 0; r->turns && t < r->count; t++) device->forget(r->turns[t]);
  for (size_t s = 0; r->marks && s <= r->bench->frame->plan->step_count; s++)
    device->give_mark(r->marks[s]);
}

/* ---- Rounds ----------------------------------------------------------------------------------- */

static hone_status *read_times(const rounds *r, size_t turn) {
  const hone_device_bench *bench = r->bench;
  for (size_t s = 0; s < bench->frame->plan->step_count; s++) {
    hone_contender *one = contender_at(bench->of_step[s], turn);
    if (!one) continue;
    HONE_TRY(bench->device->between(r->marks[s], r->marks[s + 1], &one->times[one->rounds]));
    one->rounds++;
  }
  return NULL;
}

/* Every turn once at least, and for as long as clocks take to rise. */
static hone_status *warm_up(const rounds *r, double *round) {
  uint64_t start = hone_now(), now = start;
  *round = 0;
  while (*round == 0 || (double)(now - start) < WARM_NS) {
    for (size_t t = 0; t < r->count; t++) HONE_TRY(hone_bench_replay(r->bench, r->turns[t]));
    uint64_t then = now;
    now = hone_now();
    *round = (double)(now - then);
  }
  return NULL;
}

static hone_status *run_rounds(const rounds *r) {
  hone_builder *b = r->bench->b;
  double round;
  HONE_TRY(warm_up(r, &round));
  int count = round * ROUNDS > LONG_NS ? FEWEST : ROUNDS;
  for (int i = 0; i < count; i++) {
    HONE_TRY(hone_build_progress(b, "measuring kernels"));
    for (size_t t = 0; t < r->count && !b->stopped; t++) {
      HONE_TRY(hone_bench_replay(r->bench, r->turns[t]));
      HONE_TRY(read_times(r, t));
    }
  }
  return NULL;
}

static double median_of(hone_contender *one) {
  if (!one->runs) return HONE_TIMING_NEVER;
  return one->rounds ? hone_median(one->times, one->rounds) : -1;
}

static hone_status *keep_times(const hone_device_bench *bench) {
  for (size_t g = 0; g < bench->count; g++) {
    hone_device_group *group = &bench->groups[g];
    for (size_t c = 0; group->contenders && c < group->timed; c++) {
      double time = median_of(&group->contenders[c]);
      if (time < 0) continue;
      HONE_TRY(hone_timing_cache_put(&bench->b->cache, group->key, group->candidates[c].name,
                                     group->candidates[c].variant, time));
      bench->b->engine->measured++;
    }
  }
  return NULL;
}

static hone_status *time_by_marks(hone_device_bench *bench) {
  rounds r = {.bench = bench};
  hone_status *status = set_up(&r);
  if (!status) status = run_rounds(&r);
  if (!status) status = keep_times(bench);
  tear_down(&r);
  return status;
}

static hone_status *time_in(hone_device_bench *bench, hone_context *context, bool by_marks) {
  HONE_TRY(hone_bench_open(bench, context));
  if (!bench->device) return NULL; /* nothing ran there */
  hone_status *status = by_marks ? time_by_marks(bench) : NULL;
  if (!status) status = hone_time_inside(bench);
  hone_bench_leave(bench);
  return status;
}

/* Times what the cache does not know. */
static hone_status *time_all(hone_device_bench *bench) {
  hone_builder *b = bench->b;
  size_t missing = 0, all = 0, open = 0; /* groups with a choice that times are missing for */
  for (size_t g = 0; g < bench->count; g++) {
    size_t lacks = missing_times(bench, &bench->groups[g]);
    missing += lacks;
    all += bench->groups[g].timed;
    open += lacks > 0 && bench->groups[g].timed > 1;
  }
  b->engine->cached += all - missing + hone_count_inside(bench);
  if (b->frozen && open > 0)
    return hone_error(HONE_NOT_FOUND, "the timing cache is frozen and lacks %zu times of kernels "
                                      "on the GPU", missing);
  if (!b->measure || b->frozen || b->stopped) return NULL;
  if (open == 0 && !hone_may_gain_inside(bench)) return NULL;
  hone_context *context;
  HONE_TRY(hone_run_typical(b, &context));
  if (!context) return NULL;
  hone_status *status = time_in(bench, context, open > 0);
  hone_context_free(context);
  return status;
}

/* ---- The choice ------------------------------------------------------------------------------- */

/* What a candidate that was timed found out need not be found out again. */
static hone_status *tuning_of(const hone_device_group *group, size_t candidate, hone_arena *memory,
                              hone_tuning *out) {
  const hone_contender *one = group->contenders ? &group->contenders[candidate] : NULL;
  *out = (hone_tuning){.view = &group->view};
  if (!one || !one->runs) return NULL;
  const hone_pack *pack = &one->prepared.packs[one->prepared.pack_count - 1];
  *out = (hone_tuning){.saved = {hone_arena_copy(memory, pack->bytes, pack->size), pack->size}};
  return out->saved.bytes ? NULL : hone_error_memory();
}

/* On the candidate that is fastest in whole runs, or between marks, if there are times and it is not the
 * first, which runs already. */
static hone_status *settle(hone_device_bench *bench, hone_device_group *group) {
  double times[HONE_MAX_CANDIDATES];
  hone_unit *unit = group->unit;
  hone_tuning tuning;
  size_t fastest = hone_bench_fastest(bench, group, times);
  unit->choice.candidate_count = (int)group->count;
  if (times[fastest] < 0 || times[fastest] >= HONE_TIMING_NEVER) return NULL;
  size_t best = hone_fastest_inside(bench, group, fastest);
  unit->inside = times[fastest] - unit->prepared.backend->device->overlap;
  unit->nanoseconds = hone_bench_time(bench, group, best);
  unit->choice.measured = true;
  if (best == 0) return NULL;
  HONE_TRY(tuning_of(group, best, &bench->b->engine->memory, &tuning));
  return hone_unit_prepare(&bench->b->engine->memory, unit, unit->prepared.backend,
                           group->candidates[best].name, group->candidates[best].variant,
                           unit->prepared.packs, unit->prepared.pack_count, &tuning);
}

static hone_status *choose(hone_device_bench *bench) {
  HONE_TRY(hone_bench_find(bench));
  HONE_TRY(time_all(bench));
  bench->b->run = hone_run_inside(bench);
  for (size_t g = 0; g < bench->count; g++)
    HONE_TRY(hone_error_at(settle(bench, &bench->groups[g]), "node '%s'",
                           hone_node_label(bench->groups[g].unit->node)));
  return NULL;
}

hone_status *hone_choose_on_device(hone_builder *b) {
  hone_device_bench bench = {.b = b};
  b->run = -1;
  if (!b->engine->device || b->like || !b->typical) return NULL;
  if (!b->measure && b->cache.times.count == 0) return NULL;
  hone_status *status = choose(&bench);
  hone_bench_free(&bench);
  return status;
}
