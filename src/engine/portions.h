/* A large batch in portions of rows: each thread takes one through all layers by itself, so that what a
 * layer writes is still in the thread's own cache when the next one reads it, and threads wait for each
 * other once a run. Room: engine.
 *
 * Only where rows do not follow from each other (ops/batch.h), on the CPU: a device wants all at
 * once. */
#ifndef HONE_ENGINE_PORTIONS_H
#define HONE_ENGINE_PORTIONS_H

#include <hone/hone.h>

#include "engine/plan.h"

struct hone_context;
struct hone_lane;

/* How a context takes its batches, for the shapes that its inputs had last. */
typedef struct hone_portions {
  hone_shape *shapes; /* of the inputs; rank -1: never looked at */
  size_t rows;        /* of the batch */
  int count;          /* portions; 1: all at once */
  hone_datum *all;    /* by output: all rows of it */
  struct hone_lane *lanes; /* a thread each; NULL until portions are run */
  int lane_count;
  bool ready; /* all lanes for these portions */
  _Atomic int failed; /* the first portion that failed in this run; INT_MAX: none did */
} hone_portions;

HONE_MUST_USE hone_status *hone_portions_new(hone_arena *memory, const hone_graph *graph,
                                             hone_portions *out);
void hone_portions_free(hone_portions *portions);
/* Bytes that the lanes hold. */
size_t hone_portions_memory(const hone_portions *portions);
/* Runs the context's frame on its inputs, at once or in portions. */
HONE_MUST_USE hone_status *hone_portions_run(struct hone_context *context);

/* Rows of the batch that the inputs hold, in the graph's order; 0 where they have none. */
size_t hone_batch_rows(const hone_program *program, const hone_datum *inputs);
/* The inputs with rows [first, first + count) of the batch, where they have them. */
void hone_batch_cut(const hone_program *program, const hone_datum *inputs, size_t first,
                    size_t count, hone_datum *out);
/* How many portions `threads` threads best make of the rows, at least 1; `plan` is that of all. */
int hone_portion_count(const hone_plan *plan, size_t rows, int threads);
/* For tests: what a layer may read and write of a portion from now on; 0: what caches hold. */
void hone_portions_limit(size_t bytes);

#endif
