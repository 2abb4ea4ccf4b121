/* Where the caller's memory is, for a frame whose caller has some on the device or pinned.
 * Room: engine. */
#ifndef HONE_ENGINE_CALLERS_H
#define HONE_ENGINE_CALLERS_H

#include "engine/plan.h"

struct hone_frame;

/* Of a root that is an input or is made in an output. */
typedef struct hone_caller {
  void *device; /* where kernels read or write it; NULL: in the frame's own memory */
  bool pinned;  /* the host's memory that it crosses from or to is pinned */
} hone_caller;

/* What a frame knows of its caller's memory; all-zero: plain memory of the host's. */
typedef struct hone_callers {
  const int32_t *inputs; /* by input: HONE_ON_…; NULL in frames of regions */
  const hone_datum *given; /* the inputs of this run, as they were given */
  bool any;              /* in this run something is not plain memory of the host's */
  hone_caller *roots;    /* by value id */
  uint32_t *told;        /* of the roots those of which anything stands there */
  size_t told_count;
  void **shown;          /* by input: its copy on the host, of this run; NULL where none was needed */
} hone_callers;

/* Before a run: what planning reads of inputs on the device is copied to the host. */
HONE_MUST_USE hone_status *hone_callers_begin(struct hone_frame *frame);
/* Before a stage: what it reads on the host as well, and where kernels find the rest. */
HONE_MUST_USE hone_status *hone_callers_enter(struct hone_frame *frame, const hone_plan *plan);
/* Whether kernels write output `index` where the caller has it on the device. */
bool hone_callers_take(const struct hone_frame *frame, const hone_plan *plan, int index);

#endif
