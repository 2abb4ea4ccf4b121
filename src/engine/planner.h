/* A stage under construction: what plan*.c, inside.c and lay_out.c share. Room: engine. */
#ifndef HONE_ENGINE_PLANNER_H
#define HONE_ENGINE_PLANNER_H

#include "engine/plan.h"

typedef struct hone_planner {
  hone_plan *plan;
  const hone_program *program;
  const hone_plan *before;
  const hone_datum *data; /* by value id: what the run has so far */
  hone_arena *memory;
  hone_planned *values;
  int threads;
  bool may_pitch; /* whether kernels may write rows at a pitch */
  int pitched;    /* readers, not met yet, of values whose rows are apart */
} hone_planner;

/* Plans the units from where `before` ended (NULL: from the first) to where only running can tell
 * what the next one needs (plan.c). Ends early with `pitched` > 0 where a concat that kernels were to
 * write into belongs to a later stage: then they must not. */
HONE_MUST_USE hone_status *hone_plan_stage(hone_planner *p);

/* What a run of the plan reads of the engine's file is whole, or CORRUPT (first_use.c). */
HONE_MUST_USE hone_status *hone_plan_check_stored(const hone_plan *plan);
/* The same of the constants of a graph itself, which planning reads. */
HONE_MUST_USE hone_status *hone_plan_check_constants(const hone_program *program);

/* Slices, splits and concats that take no copy (inside.c). A tensor's part that is one run of its
 * bytes needs none: before the last axis that is cut it has but one place on each. */

/* A unit that takes parts out of a tensor in memory: its outputs become places inside that tensor. Sets
 * `*done`; false where a kernel has to copy. `types` are the outputs', `known` the elements of the
 * unit's inputs, by input. */
void hone_inside_part(hone_planner *p, const hone_unit *unit, const hone_type *types, bool *done);
/* The pitch at which a kernel of the unit has to write its output, of type `type`, for a concat along
 * the last axis; 0 where it need not, or where somebody else reads it and takes no pitch. `readers`:
 * how many units read it. */
size_t hone_inside_pitch(const hone_planner *p, const hone_unit *unit, const hone_type *type,
                         int *readers);
/* A unit that joins tensors to one of type `type`: which inputs of its body could be made inside the
 * result, since this stage makes their memory and nothing says where; by bit. */
uint64_t hone_inside_join(hone_planner *p, const hone_unit *unit, const hone_type *type);
/* Whether these are all that the unit joins. */
bool hone_inside_is_all(const hone_unit *unit, uint64_t in_place);
/* Puts them there, once the result has its place. */
void hone_inside_commit(hone_planner *p, const hone_unit *unit);
/* After the last unit: every value's root is the one that has memory of its own. */
void hone_inside_settle(hone_planner *p);

/* Memory (lay_out.c). The graph's outputs whose memory a kernel of this stage makes are written in
 * place. */
HONE_MUST_USE hone_status *hone_place_outputs(hone_planner *p);
/* Where values cross to a device and back, and the memory there (device_plan.c). What lies there alone
 * needs none on the host. */
HONE_MUST_USE hone_status *hone_plan_device(hone_planner *p);
/* Last: what a frame that enters the stage again writes down anew (moving.c). */
HONE_MUST_USE hone_status *hone_list_moving(hone_planner *p);
/* Gives every value in the arena its offset, and the plan its size. */
HONE_MUST_USE hone_status *hone_lay_out(hone_planner *p);

#endif
