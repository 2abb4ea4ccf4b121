/* The stages that a frame ran, to be found again without an allocation and without a lock. Room:
 * engine. */
#ifndef HONE_ENGINE_SEEN_H
#define HONE_ENGINE_SEEN_H

#include "engine/plan.h"

/* A stage, and the one before it (NULL: the start); references to both. */
typedef struct hone_seen_stage {
  hone_plan *before, *plan;
  uint64_t hash;
  uint64_t run; /* the last one that used it */
} hone_seen_stage;

/* Empty when cleared. */
typedef struct hone_seen {
  hone_seen_stage *stages;
  size_t count, room; /* room: a power of two, or 0 */
  uint32_t *slots;    /* twice `room`: 1 + index of a stage, or 0; found by its hash */
  size_t limit;       /* at this count the old ones go */
  size_t bytes;       /* that the plans take */
} hone_seen;

/* What it looks for. */
typedef struct hone_seen_key {
  const hone_plan *before;
  const void *key;
  size_t size;
  int threads;
} hone_seen_key;

/* The stage's plan, now used by run number `run`; NULL where it is not among them. */
hone_plan *hone_seen_find(hone_seen *seen, const hone_seen_key *key, uint64_t run);
/* Adds what was not found. Where they are many, those that the last 64 runs did not use go: so a
 * run may go through any number of stages, and runs of ever new sizes do not pile up. */
HONE_MUST_USE hone_status *hone_seen_add(hone_seen *seen, hone_plan *before, hone_plan *plan,
                                         uint64_t run);
void hone_seen_free(hone_seen *seen);

#endif
