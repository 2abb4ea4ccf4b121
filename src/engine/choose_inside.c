/* The choice by whole runs, after that by marks. Room: engine.
 *
 * Between marks a kernel begins when the one before it is over. Inside a run our kernels begin before
 * that, so that of two the one that is slower between marks may make the run shorter: ViT-B/16 on an
 * H200 took 0.380 ms with rings so deep that marks speak against them, and 0.412 ms by marks. So whole
 * runs are recorded with two marks, before the first step and after the last, and kind by kind of
 * group, those with most of the time first, what it runs on is replayed in turn with its rivals:
 * candidates that marks do not tell apart from the fastest. Groups that do the same work at the same
 * sizes, as those of a network's layers, are one kind and change together. It is coordinate descent,
 * from the choice by marks, until a pass changes nothing. Then each kind is tried letting what follows
 * it begin at once, before it waits itself: what begins takes room, and is ready sooner.
 *
 * What was found goes to the timing cache (rivals.h), so that a build that knows it times nothing.
 */
#include "engine/choose_inside.h"

#include <math.h>
#include <stdlib.h>

#include "base/log.h"
#include "engine/rivals.h"

#define ROUNDS       7     /* odd, as is FEWEST: a median is one of the ratios */
#define FEWEST       3     /* rounds, after which what is HOPELESS takes no part */
#define HOPELESS     1.01  /* times what stands */
#define GAIN         0.997 /* less is noise */
#define PASSES       2
#define LONG_NS      2e6    /* a run of kernels that long gains nothing: each begins 1.5 us early */
#define TICK_NS      500.0  /* of the marks' clock */
#define TURN_NS      8e5    /* a turn replays until it takes about this long, for that clock */
#define MOST_REPLAYS 16
#define WARM_NS      1e8   /* of runs before the first round: clocks rise */
#define BUDGET_NS    1.4e9 /* of runs, and half as much for asking: the smallest kinds are left out */
#define FIRST_NS     1.1e9 /* of it, before what begins at once is tried */

typedef struct kind {
  const hone_device_group *group; /* the first of them; NULL: no kind begins there */
  hone_rivals rivals;
  hone_assignment now;
  double share;   /* of the run, in nanoseconds by marks */
  double *scores; /* by candidate, then by marks, then so and at once: how long runs are, to compare;
                     0: not tried */
  bool tried;
} kind;

/* A whole run with one kind on something. */
typedef struct turn {
  hone_assignment with;
  hone_recording *recording;
  double times[ROUNDS];
  int rounds;
  bool out;
} turn;

typedef struct refinement {
  hone_device_bench *bench;
  kind *kinds;  /* by group */
  kind **order; /* by share, the largest first */
  size_t count;
  hone_mark **marks; /* two, where the run begins and ends; else NULL */
  size_t begin, end;
  double spent;  /* nanoseconds of all runs so far, */
  double budget; /* and of those there may be */
  double run;   /* of the run as it stands */
  int replays;
  size_t changes;
} refinement;

/* ---- Kinds ------------------------------------------------------------------------------------ */

/* What a group of the kind runs on. */
static size_t candidate_of(const hone_device_group *group, hone_assignment on) {
  size_t candidate = on.candidate == HONE_BY_MARKS ? group->by_marks : on.candidate;
  return on.at_once ? hone_bench_at_once(group, candidate) : candidate;
}

static double *score_of(const kind *k, hone_assignment on) {
  if (on.candidate == HONE_BY_MARKS) return &k->scores[k->group->count + on.at_once];
  return &k->scores[candidate_of(k->group, on)];
}

static hone_status *add_kind(refinement *r, size_t group) {
  kind *k = &r->kinds[group];
  *k = (kind){.group = &r->bench->groups[group], .now = {HONE_BY_MARKS, false}};
  k->scores = HONE_NEW_ARRAY(&r->bench->memory, k->group->count + 2, double);
  HONE_TRY_MEMORY(k->scores);
  hone_find_rivals(r->bench, group, &k->rivals);
  *score_of(k, k->now) = 1;
  r->order[r->count++] = k;
  return NULL;
}

static int by_share(const void *a, const void *b) {
  const kind *x = *(kind *const *)a, *y = *(kind *const *)b;
  if (x->share != y->share) return x->share < y->share ? 1 : -1;
  return x < y ? -1 : x > y;
}

static hone_status *find_kinds(refinement *r) {
  hone_device_bench *bench = r->bench;
  r->kinds = HONE_NEW_ARRAY(&bench->memory, bench->count + 1, kind);
  r->order = HONE_NEW_ARRAY(&bench->memory, bench->count + 1, kind *);
  if (!r->kinds || !r->order) return hone_error_memory();
  for (size_t g = 0; g < bench->count; g++)
    if (bench->groups[g].kind == g) HONE_TRY(add_kind(r, g));
  for (size_t s = 0; s < bench->frame->plan->step_count; s++) {
    const hone_device_group *group = bench->of_step[s];
    kind *k = group ? &r->kinds[group->kind] : NULL;
    if (k && k->rivals.count) k->share += hone_bench_inside(bench, group, group->by_marks);
  }
  qsort(r->order, r->count, sizeof(kind *), by_share);
  return NULL;
}

/* The first candidate is what the plan has already. */
static const hone_contender *contender_of(const hone_device_group *group, hone_assignment on) {
  size_t candidate = candidate_of(group, on);
  const hone_contender *one = group->contenders ? &group->contenders[candidate] : NULL;
  return one && candidate > 0 && one->runs ? one : NULL;
}

static bool may_run(const kind *k, hone_assignment on) {
  return candidate_of(k->group, on) == 0 || contender_of(k->group, on) ||
         (on.candidate == HONE_BY_MARKS && !on.at_once);
}

static hone_status *want(hone_device_group *group, hone_assignment on) {
  size_t candidate = candidate_of(group, on);
  return candidate ? hone_bench_want(group, candidate) : NULL;
}

/* Those of the groups in the run. */
static hone_status *want_rivals(const refinement *r) {
  hone_device_bench *bench = r->bench;
  for (size_t s = 0; s < bench->frame->plan->step_count; s++) {
    hone_device_group *group = bench->of_step[s];
    const hone_rivals *rivals = group ? &r->kinds[group->kind].rivals : NULL;
    for (int i = 0; group && i < rivals->count; i++) HONE_TRY(want(group, rivals->all[i]));
  }
  return hone_bench_enter(bench);
}

/* What each kind has come to, at once: its only rival from now on. */
static hone_status *want_at_once(const refinement *r) {
  for (size_t k = 0; k < r->count; k++) {
    hone_assignment now = r->order[k]->now;
    r->order[k]->rivals = (hone_rivals){{{now.candidate, true}}, 1};
  }
  return want_rivals(r);
}

/* ---- Whole runs ------------------------------------------------------------------------------- */

static hone_status *record(const refinement *r, hone_recording **out) {
  hone_device_bench *bench = r->bench;
  for (size_t g = 0; g < bench->count; g++) {
    const kind *k = &r->kinds[bench->groups[g].kind];
    bench->groups[g].on = k->rivals.count ? contender_of(&bench->groups[g], k->now) : NULL;
  }
  return hone_bench_record(bench, r->marks, out);
}

static hone_status *record_turn(const refinement *r, kind *k, turn *t) {
  hone_assignment now = k->now;
  k->now = t->with;
  hone_status *status = record(r, &t->recording);
  k->now = now;
  return status;
}

static hone_status *replay(refinement *r, const hone_recording *recording, double *out) {
  HONE_TRY(hone_bench_replay(r->bench, recording));
  HONE_TRY(r->bench->device->between(r->marks[r->begin], r->marks[r->end], out));
  r->spent += fmax(*out, TICK_NS);
  return NULL;
}

/* Once before, which brings to the caches what the other turns did not read. */
static hone_status *time_turn(refinement *r, turn *t) {
  double sum = 0, once;
  HONE_TRY(replay(r, t->recording, &once));
  for (int i = 0; i < r->replays; i++) {
    HONE_TRY(replay(r, t->recording, &once));
    sum += once;
  }
  t->times[t->rounds++] = sum / r->replays;
  return NULL;
}

/* The median of a turn's times to another's in the same rounds, and in how many it was shorter. */
static double ratio_to(const turn *t, const turn *other, int *won) {
  double ratios[ROUNDS];
  *won = 0;
  for (int i = 0; i < t->rounds; i++) {
    ratios[i] = t->times[i] / fmax(other->times[i], 1);
    *won += ratios[i] < 1;
  }
  return hone_median(ratios, t->rounds);
}

static bool is_shorter(const turn *t, const turn *other, double *ratio) {
  int won;
  *ratio = ratio_to(t, other, &won);
  return *ratio < GAIN && 2 * won > t->rounds;
}

static void drop_hopeless(turn *turns, int count) {
  int won;
  for (int t = 1; t < count; t++) turns[t].out = ratio_to(&turns[t], &turns[0], &won) > HOPELESS;
}

static bool is_over(const refinement *r) {
  return r->bench->b->stopped || r->spent > r->budget;
}

/* All turns, the first being what stands, one after the other, round by round; not `whole` where time
 * ran out. */
static hone_status *contest(refinement *r, turn *turns, int count, bool *whole) {
  *whole = false;
  for (int round = 0; round < ROUNDS; round++) {
    HONE_TRY(hone_build_progress(r->bench->b, "measuring runs"));
    if (is_over(r)) return NULL;
    for (int t = 0; t < count; t++)
      if (!turns[t].out) HONE_TRY(time_turn(r, &turns[t]));
    if (round + 1 == FEWEST) drop_hopeless(turns, count);
  }
  *whole = true;
  return NULL;
}

/* ---- One kind --------------------------------------------------------------------------------- */

/* Writes down how long runs with the rivals are; the shortest of those that are shorter, or 0. */
static int score_turns(kind *k, const turn *turns, int count) {
  double least = GAIN, ratio;
  int best = 0;
  for (int t = 1; t < count; t++) {
    bool shorter = is_shorter(&turns[t], &turns[0], &ratio);
    *score_of(k, turns[t].with) = *score_of(k, k->now) * ratio;
    if (!shorter || ratio >= least) continue;
    least = ratio;
    best = t;
  }
  k->tried = true;
  return best;
}

/* The shortest of many is so by chance as well: it has to be once more. */
static hone_status *confirm(refinement *r, kind *k, const turn *now, const turn *best) {
  turn pair[] = {{.with = now->with, .recording = now->recording},
                 {.with = best->with, .recording = best->recording}};
  double ratio;
  bool whole;
  HONE_TRY(contest(r, pair, 2, &whole));
  if (!whole) return NULL;
  bool shorter = is_shorter(&pair[1], &pair[0], &ratio);
  *score_of(k, best->with) = *score_of(k, k->now) * ratio;
  if (!shorter) return NULL;
  k->now = best->with;
  r->run *= ratio;
  r->changes++;
  return NULL;
}

static hone_status *run_turns(refinement *r, kind *k, turn *turns, int count) {
  bool whole;
  for (int t = 0; t < count; t++) HONE_TRY(record_turn(r, k, &turns[t]));
  HONE_TRY(contest(r, turns, count, &whole));
  int best = whole ? score_turns(k, turns, count) : 0;
  return best ? confirm(r, k, &turns[0], &turns[best]) : NULL;
}

static hone_status *try_kind(refinement *r, kind *k) {
  turn turns[HONE_MOST_RIVALS + 1] = {{.with = k->now}};
  int count = 1;
  for (int i = 0; i < k->rivals.count; i++) {
    hone_assignment rival = k->rivals.all[i];
    if (score_of(k, rival) != score_of(k, k->now) && may_run(k, rival)) turns[count++].with = rival;
  }
  if (count == 1) return NULL;
  hone_status *status = run_turns(r, k, turns, count);
  for (int t = 0; t < count; t++) r->bench->device->forget(turns[t].recording);
  return status;
}

static hone_status *try_all(refinement *r) {
  for (size_t k = 0; k < r->count && !is_over(r); k++)
    if (r->order[k]->share > 0) HONE_TRY(try_kind(r, r->order[k]));
  return NULL;
}

/* Time for the last pass is left by those before it. */
static hone_status *descend(refinement *r) {
  for (int pass = 0; pass < PASSES; pass++) {
    size_t before = r->changes;
    HONE_TRY(try_all(r));
    if (r->changes == before) break;
  }
  r->budget = BUDGET_NS;
  HONE_TRY(want_at_once(r));
  return try_all(r);
}

/* ---- The whole -------------------------------------------------------------------------------- */

static hone_status *put(hone_builder *b, const char *key, const char *kernel, int variant,
                        double time) {
  b->engine->measured++;
  return hone_timing_cache_put(&b->cache, key, kernel, variant, time);
}

/* What was not taken is longer, if by less than the clock tells. */
static hone_status *keep_kind(const refinement *r, const kind *k) {
  const hone_device_group *group = k->group;
  double run = round(r->run), taken = *score_of(k, k->now);
  char key[HONE_INSIDE_KEY];
  hone_inside_key(r->bench, group, key);
  for (size_t c = 0; c < group->count + 2; c++) {
    bool marks = c >= group->count;
    if (k->scores[c] <= 0) continue;
    double time = &k->scores[c] == score_of(k, k->now) ? run
                                                       : fmax(run + 1, run * k->scores[c] / taken);
    HONE_TRY(put(r->bench->b, key, marks ? HONE_MARKS : group->candidates[c].name,
                 marks ? (int)(c - group->count) : group->candidates[c].variant, time));
  }
  return NULL;
}

static hone_status *keep_times(const refinement *r) {
  char key[HONE_INSIDE_KEY];
  hone_run_key(r->bench, key);
  for (size_t k = 0; k < r->count; k++)
    if (r->order[k]->tried) HONE_TRY(keep_kind(r, r->order[k]));
  return put(r->bench->b, key, HONE_RUN, 0, r->run);
}

static hone_status *take_marks(refinement *r) {
  const hone_plan *plan = r->bench->frame->plan;
  r->begin = plan->device_runs[0].first;
  r->end = plan->step_count;
  r->marks = HONE_NEW_ARRAY(&r->bench->memory, plan->step_count + 1, hone_mark *);
  HONE_TRY_MEMORY(r->marks);
  HONE_TRY(r->bench->device->take_mark(&r->marks[r->begin]));
  return r->bench->device->take_mark(&r->marks[r->end]);
}

/* The choice by marks, until the clocks have risen; the shortest is how long its run is. */
static hone_status *time_as_it_is(refinement *r) {
  hone_recording *recording;
  double once;
  HONE_TRY(record(r, &recording));
  hone_status *status = replay(r, recording, &r->run);
  while (!status && r->spent < WARM_NS) {
    status = replay(r, recording, &once);
    if (!status) r->run = fmin(r->run, once);
  }
  r->bench->device->forget(recording);
  r->run = fmax(r->run, 1);
  r->replays = (int)fmin(1 + TURN_NS / r->run, MOST_REPLAYS);
  return status;
}

static hone_status *refine(refinement *r) {
  HONE_TRY(find_kinds(r));
  HONE_TRY(want_rivals(r));
  HONE_TRY(take_marks(r));
  HONE_TRY(time_as_it_is(r));
  double before = r->run;
  if (r->run <= LONG_NS) HONE_TRY(descend(r));
  if (r->bench->b->stopped) return NULL; /* the next build will look again */
  hone_log(HONE_LOG_INFO, "a run took %.1f us with the kernels that are fastest by themselves, and "
                          "%.1f us after %zu changes for it",
           before / 1e3, r->run / 1e3, r->changes);
  return keep_times(r);
}

hone_status *hone_time_inside(hone_device_bench *bench) {
  refinement r = {.bench = bench, .budget = FIRST_NS};
  if (!hone_may_gain_inside(bench) || bench->frame->plan->device_run_count == 0) return NULL;
  HONE_TRY(hone_build_progress(bench->b, "measuring runs"));
  if (bench->b->stopped) return NULL;
  hone_status *status = refine(&r);
  for (size_t s = 0; r.marks && s <= bench->frame->plan->step_count; s++)
    bench->device->give_mark(r.marks[s]);
  return status;
}
