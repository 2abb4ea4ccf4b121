/* What whole runs are to tell apart, and what the timing cache knows of it. Room: engine.
 *
 * The cache has what a whole run takes with each candidate that was tried, the other groups being what
 * they were in the end, under the kind's key and the run's hash; and under that hash alone that the run
 * was looked at.
 */
#ifndef HONE_ENGINE_RIVALS_H
#define HONE_ENGINE_RIVALS_H

#include "engine/device_bench.h"

#define HONE_MOST_RIVALS 12
#define HONE_INSIDE_KEY  (HONE_TIMING_KEY + 17)
#define HONE_RUN         "run" /* the run itself, in place of a kernel */

#define HONE_BY_MARKS    SIZE_MAX
#define HONE_MARKS       "marks" /* in place of a kernel, for that; variant 1: at once */

/* What the groups of a kind run on: all on one candidate, or each on the one that marks speak for; and
 * whether they let what follows begin at once. */
typedef struct hone_assignment {
  size_t candidate; /* of those that marks tell, or HONE_BY_MARKS */
  bool at_once;
} hone_assignment;

/* Those that marks do not tell apart, HONE_BY_MARKS among them; none where times are missing. */
typedef struct hone_rivals {
  hone_assignment all[HONE_MOST_RIVALS + 1];
  int count;
} hone_rivals;

/* Of the groups of a kind; also what marks speak for to each group's `by_marks`. */
void hone_find_rivals(const hone_device_bench *bench, size_t kind, hone_rivals *out);
/* HONE_INSIDE_KEY characters each: of the run, and of a kind's candidates inside it. */
void hone_run_key(const hone_device_bench *bench, char *key);
void hone_inside_key(const hone_device_bench *bench, const hone_device_group *group, char *key);

#endif
