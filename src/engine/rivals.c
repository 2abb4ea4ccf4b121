/* What whole runs are to tell apart, and what the timing cache knows of it. Room: engine. */
#include "engine/rivals.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/choose_inside.h"

/* Marks may be wrong by what our kernels begin early and NEAR_NS, or by this share of the time. */
#define NEAR_NS 1000.0
#define NEAR    0.15
#define NOBODY  SIZE_MAX

/* ---- What the cache knows --------------------------------------------------------------------- */

void hone_run_key(const hone_device_bench *bench, char *key) {
  snprintf(key, HONE_INSIDE_KEY, "%016" PRIx64, bench->run);
}

void hone_inside_key(const hone_device_bench *bench, const hone_device_group *group, char *key) {
  snprintf(key, HONE_INSIDE_KEY, "%s+%016" PRIx64, group->kind_key, bench->run);
}

double hone_run_inside(const hone_device_bench *bench) {
  char key[HONE_INSIDE_KEY];
  hone_run_key(bench, key);
  return hone_timing_cache_get(&bench->b->cache, key, HONE_RUN, 0);
}

static bool is_known(const hone_device_bench *bench) {
  return hone_run_inside(bench) >= 0;
}

static double time_of(const hone_device_bench *bench, const hone_device_group *group,
                      const char *key, size_t candidate) {
  return hone_timing_cache_get(&bench->b->cache, key, group->candidates[candidate].name,
                               group->candidates[candidate].variant);
}

size_t hone_count_inside(const hone_device_bench *bench) {
  char key[HONE_INSIDE_KEY];
  size_t count = is_known(bench);
  for (size_t g = 0; g < bench->count; g++) {
    const hone_device_group *group = &bench->groups[g];
    if (group->kind != g) continue;
    hone_inside_key(bench, group, key);
    for (int v = 0; v < 2; v++)
      count += hone_timing_cache_get(&bench->b->cache, key, HONE_MARKS, v) >= 0;
    for (size_t c = 0; c < group->count; c++) count += time_of(bench, group, key, c) >= 0;
  }
  return count;
}

size_t hone_fastest_inside(const hone_device_bench *bench, const hone_device_group *group,
                           size_t by_marks) {
  char key[HONE_INSIDE_KEY];
  hone_inside_key(bench, group, key);
  size_t best = by_marks;
  double least = hone_timing_cache_get(&bench->b->cache, key, HONE_MARKS, 0);
  double at_once = hone_timing_cache_get(&bench->b->cache, key, HONE_MARKS, 1);
  if (at_once >= 0 && at_once < least) {
    least = at_once;
    best = hone_bench_at_once(group, by_marks);
  }
  for (size_t c = 0; c < group->count; c++) {
    double time = time_of(bench, group, key, c);
    if (time < 0 || time >= least) continue;
    least = time;
    best = c;
  }
  return best;
}

/* ---- Rivals ----------------------------------------------------------------------------------- */

static bool is_in(const hone_rivals *rivals, size_t candidate) {
  for (int i = 0; i < rivals->count; i++)
    if (rivals->all[i].candidate == candidate) return true;
  return false;
}

static bool has_name(const hone_rivals *rivals, const hone_device_group *group, const char *name) {
  for (int i = 0; i < rivals->count; i++)
    if (strcmp(group->candidates[rivals->all[i].candidate].name, name) == 0) return true;
  return false;
}

/* The fastest of those that are not in yet: of another name, or one that may begin early. */
static size_t next_rival(const hone_device_group *group, const hone_rivals *rivals, const double *times,
                         double limit, bool named) {
  size_t best = NOBODY;
  for (size_t c = 0; c < group->timed; c++) {
    const hone_candidate *one = &group->candidates[c];
    if (times[c] < 0 || times[c] > limit || is_in(rivals, c)) continue;
    if (named ? has_name(rivals, group, one->name) : one->needs != NULL) continue;
    if (best == NOBODY || times[c] < times[best]) best = c;
  }
  return best;
}

/* What candidates take inside a run on average of the kind's groups, negative where not all is known;
 * whether marks speak for the same one in all. */
static bool mean_times(const hone_device_bench *bench, size_t kind, double *mean) {
  double times[HONE_MAX_CANDIDATES];
  const hone_device_group *first = &bench->groups[kind];
  bool same = true;
  int count = 0;
  for (size_t c = 0; c < first->timed; c++) mean[c] = 0;
  for (size_t g = kind; g < bench->count; g++) {
    hone_device_group *group = &bench->groups[g];
    if (group->kind != kind) continue;
    group->by_marks = hone_bench_fastest(bench, group, times);
    same = same && group->by_marks == first->by_marks;
    count++;
    for (size_t c = 0; c < first->timed; c++) {
      bool known = times[c] >= 0 && mean[c] >= 0;
      mean[c] = known ? mean[c] + (times[c] - mean[c]) / count : -1;
    }
  }
  return same;
}

/* The best of each kernel, then what of our own is fastest: marks tell right among a library's. */
void hone_find_rivals(const hone_device_bench *bench, size_t kind, hone_rivals *out) {
  double times[HONE_MAX_CANDIDATES];
  const hone_device_group *group = &bench->groups[kind];
  bool same = mean_times(bench, kind, times);
  size_t best = hone_fastest(times, group->timed);
  *out = (hone_rivals){.count = 0};
  if (group->count == 0 || times[best] < 0 || times[best] >= HONE_TIMING_NEVER) return;
  double overlap = group->unit->prepared.backend->device->overlap;
  double limit = times[best] + fmax(overlap + NEAR_NS, NEAR * times[best]);
  out->all[out->count++] = (hone_assignment){same ? group->by_marks : best};
  for (int named = 1; named >= 0; named--)
    while (out->count < HONE_MOST_RIVALS) {
      size_t next = next_rival(group, out, times, limit, named);
      if (next == NOBODY) break;
      out->all[out->count++] = (hone_assignment){next};
    }
  out->all[same ? 0 : out->count++].candidate = HONE_BY_MARKS;
}

bool hone_may_gain_inside(const hone_device_bench *bench) {
  hone_rivals rivals;
  if (!bench->b->measure || bench->b->frozen || bench->b->stopped || is_known(bench)) return false;
  for (size_t g = 0; g < bench->count; g++) {
    if (bench->groups[g].kind != g) continue;
    hone_find_rivals(bench, g, &rivals);
    if (rivals.count > 1 || bench->groups[g].timed < bench->groups[g].count) return true;
  }
  return false;
}
