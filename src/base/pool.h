/* The thread pool: one a process, shared by every context. Room: base.
 *
 * The caller is worker 0 and borrows only workers that are free now, so work planned for n parts
 * must be right on any k <= n workers. Workers spin for about 2,000 pauses after their last work,
 * then sleep. A child after fork starts its pool anew. Every worker runs with the caller's
 * floating-point mode replaced by round-to-nearest with denormals kept, and the caller's own mode
 * is restored when the call returns.
 */
#ifndef HONE_BASE_POOL_H
#define HONE_BASE_POOL_H

#include <stddef.h>

#include "base/status.h"

/* A team is the set of workers that serve one call. Opaque to the work. */
typedef struct hone_team hone_team;

/* The work: called once on each of `workers` workers, worker 0 being the caller. */
typedef void hone_team_work(hone_team *team, int worker, int workers, void *argument);

/* Threads that a call should use by default: the least of the affinity mask, the cgroup's quota
 * (rounded up) and HONE_THREADS where set; at least 1. */
int hone_pool_default_threads(void);

/* Runs `work` on the caller and on up to threads - 1 borrowed workers; returns when all are done.
 * Allocates nothing once the pool has grown to `threads`. Nested calls from a worker run alone. */
void hone_pool_run(int threads, hone_team_work *work, void *argument);

/* Grows the pool ahead of time so that later calls with up to `threads` allocate nothing. Where
 * threads cannot be made, later calls run with fewer: that is no error. */
void hone_pool_reserve(int threads);

/* Waits until every worker of the team is here: 35 to 75 ns among running workers; spins, then
 * sleeps. What any worker wrote before it is seen by all after it. */
void hone_team_wait(hone_team *team);

/* The half-open range of `total` items that `part` of `parts` covers, in multiples of `grain`
 * (the last may be shorter); ranges are contiguous, in order, and differ by at most one grain. */
static inline void hone_split(size_t total, size_t grain, int part, int parts, size_t *begin,
                              size_t *end) {
  size_t grains = (total + grain - 1) / grain;
  size_t low = grains * (size_t)part / (size_t)parts * grain;
  size_t high = grains * ((size_t)part + 1) / (size_t)parts * grain;
  *begin = low < total ? low : total;
  *end = high < total ? high : total;
}

#endif
