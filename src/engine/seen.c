/* A hash table of stages, and which of them are let go. Room: engine. */
#include "engine/seen.h"

#include <string.h>
#include <xxhash.h>

/* A stage is old when so many runs did not use it; fewer stages than these are no burden. */
#define OLD   64
#define LEAST 64

/* Plans of stages beyond the least that take more than this are let go and made anew. */
#define MOST_BYTES ((size_t)256 << 20)

static uint64_t hash_of(const hone_plan *before, const void *key, size_t size) {
  return XXH3_64bits_withSeed(key, size, (uint64_t)(uintptr_t)before);
}

static bool is_it(const hone_seen_stage *stage, const hone_seen_key *key, uint64_t hash) {
  return stage->hash == hash && stage->before == key->before &&
         stage->plan->threads == key->threads && stage->plan->key_size == key->size &&
         memcmp(stage->plan->key, key->key, key->size) == 0;
}

hone_plan *hone_seen_find(hone_seen *seen, const hone_seen_key *key, uint64_t run) {
  if (!seen->count) return NULL;
  uint64_t hash = hash_of(key->before, key->key, key->size);
  size_t mask = seen->room * 2 - 1;
  for (size_t at = hash & mask; seen->slots[at]; at = (at + 1) & mask) {
    hone_seen_stage *stage = &seen->stages[seen->slots[at] - 1];
    if (!is_it(stage, key, hash)) continue;
    stage->run = run;
    return stage->plan;
  }
  return NULL;
}

static void fill_slots(hone_seen *seen) {
  size_t mask = seen->room * 2 - 1;
  memset(seen->slots, 0, (mask + 1) * sizeof *seen->slots);
  for (size_t i = 0; i < seen->count; i++) {
    size_t at = seen->stages[i].hash & mask;
    while (seen->slots[at]) at = (at + 1) & mask;
    seen->slots[at] = (uint32_t)(i + 1);
  }
}

static void release(hone_seen *seen, const hone_seen_stage *stage) {
  seen->bytes -= stage->plan->memory.total;
  hone_plan_release(stage->plan);
  hone_plan_release(stage->before);
}

/* Keeps, in their order, the stages that a run since `first` used. */
static void let_go(hone_seen *seen, uint64_t first) {
  size_t kept = 0;
  for (size_t i = 0; i < seen->count; i++) {
    if (seen->stages[i].run >= first)
      seen->stages[kept++] = seen->stages[i];
    else
      release(seen, &seen->stages[i]);
  }
  seen->count = kept;
  seen->limit = kept * 2 > LEAST ? kept * 2 : LEAST;
  fill_slots(seen);
}

static hone_status *grow(hone_seen *seen) {
  size_t room = seen->room ? seen->room * 2 : LEAST;
  if (room > UINT32_MAX / 4) return hone_error(HONE_LIMIT, "a run goes through too many stages");
  hone_seen_stage *stages = hone_realloc(seen->stages, room * sizeof *stages);
  HONE_TRY_MEMORY(stages);
  seen->stages = stages;
  uint32_t *slots = hone_realloc(seen->slots, room * 2 * sizeof *slots);
  HONE_TRY_MEMORY(slots);
  seen->slots = slots;
  seen->room = room;
  fill_slots(seen);
  return NULL;
}

hone_status *hone_seen_add(hone_seen *seen, hone_plan *before, hone_plan *plan, uint64_t run) {
  if (seen->count >= LEAST && seen->bytes > MOST_BYTES) let_go(seen, run + 1);
  if (seen->count && seen->count >= seen->limit) let_go(seen, run > OLD ? run - OLD : 0);
  if (seen->count == seen->room) HONE_TRY(grow(seen));
  if (!seen->limit) seen->limit = LEAST;
  uint64_t hash = hash_of(before, plan->key, plan->key_size);
  size_t mask = seen->room * 2 - 1, at = hash & mask;
  while (seen->slots[at]) at = (at + 1) & mask;
  atomic_fetch_add(&plan->references, 1);
  if (before) atomic_fetch_add(&before->references, 1);
  seen->bytes += plan->memory.total;
  seen->stages[seen->count++] = (hone_seen_stage){before, plan, hash, run};
  seen->slots[at] = (uint32_t)seen->count;
  return NULL;
}

void hone_seen_free(hone_seen *seen) {
  for (size_t i = 0; i < seen->count; i++) release(seen, &seen->stages[i]);
  hone_free(seen->stages);
  hone_free(seen->slots);
  *seen = (hone_seen){.count = 0};
}
