/* Groups on a device made ready to be timed: what times are asked of inside a run, by marks between its
 * steps (choose_device.c) and of the run as a whole (choose_inside.c). Room: engine. */
#ifndef HONE_ENGINE_DEVICE_BENCH_H
#define HONE_ENGINE_DEVICE_BENCH_H

#include <stdatomic.h>

#include "engine/builder.h"
#include "engine/frame.h"
#include "engine/tune.h"

#define HONE_BENCH_ROUNDS 9 /* by marks, at most */

/* A candidate of a group, made ready. */
typedef struct hone_contender {
  hone_prepared prepared;
  hone_step step;
  double times[HONE_BENCH_ROUNDS];
  int rounds;
  bool wanted; /* it is to be made ready */
  bool runs;   /* it is, and takes the sizes */
} hone_contender;

typedef struct hone_device_group {
  hone_unit *unit;
  hone_candidate candidates[HONE_MAX_CANDIDATES];
  size_t count;
  size_t timed; /* of them, the first: the others are for whole runs alone */
  hone_bench_group typical;
  hone_group_view view; /* of it */
  char key[HONE_TIMING_KEY], kind_key[HONE_TIMING_KEY];
  size_t kind;                /* the first group that has its kind's key and as many candidates */
  size_t by_marks;            /* the candidate that times between marks speak for (rivals.c) */
  hone_contender *contenders; /* by candidate; NULL: none was wanted */
  const hone_contender *on;   /* what a recording has it run on; NULL: what the plan has */
  hone_arena memory;          /* its contenders' */
  hone_status *failed;        /* of making them ready */
} hone_device_group;

typedef struct hone_device_bench {
  hone_builder *b;
  hone_arena memory;
  hone_device_group *groups;
  size_t count;
  uint64_t run;      /* a hash of all that the time of a whole run depends on */
  hone_frame *frame; /* after a run at the typical sizes */
  const hone_device *device;
  hone_stream *stream;
  void *scratch; /* for whichever contender runs */
  size_t scratch_size;
  hone_device_group **of_step; /* by step of the frame's plan; NULL: none is there */
  _Atomic size_t next;         /* of the groups that are made ready */
} hone_device_bench;

/* The groups of the engine that run on its device, at the typical sizes. */
HONE_MUST_USE hone_status *hone_bench_find(hone_device_bench *bench);
/* The candidate that is like this one and lets what follows begin at once; itself: there is none. */
size_t hone_bench_at_once(const hone_device_group *group, size_t candidate);
/* Nanoseconds of a candidate between marks, or of what it is like, from the timing cache; negative: not
 * known. */
double hone_bench_time(const hone_device_bench *bench, const hone_device_group *group,
                       size_t candidate);
/* What it takes inside a run, as far as that tells, beside kernels that begin early. */
double hone_bench_inside(const hone_device_bench *bench, const hone_device_group *group,
                         size_t candidate);
/* The candidate that this speaks for; `times` gets those that marks tell, negative where not known. */
size_t hone_bench_fastest(const hone_device_bench *bench, const hone_device_group *group,
                          double *times);

/* To time in the last run of the context, whose stage with most steps on the device is taken; the device
 * is NULL after it where nothing ran on one. */
HONE_MUST_USE hone_status *hone_bench_open(hone_device_bench *bench, hone_context *context);
HONE_MUST_USE hone_status *hone_bench_want(hone_device_group *group, size_t candidate);
/* Makes ready what is wanted, with room for its scratch: what was recorded before is not replayed
 * again. */
HONE_MUST_USE hone_status *hone_bench_enter(hone_device_bench *bench);
/* Records the steps of the run, each group on what its `on` says. Marks that are not NULL come before
 * each step, after the copies to the device that it waits for, and after the last. */
HONE_MUST_USE hone_status *hone_bench_record(const hone_device_bench *bench, hone_mark *const *marks,
                                             hone_recording **out);
/* Returns when it is over. */
HONE_MUST_USE hone_status *hone_bench_replay(const hone_device_bench *bench,
                                             const hone_recording *recording);
/* Before the context goes. */
void hone_bench_leave(hone_device_bench *bench);
void hone_bench_free(hone_device_bench *bench);

#endif
