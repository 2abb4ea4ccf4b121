/* The thread pool: one a process, shared by every context. Room: base.
 *
 * The caller opens a team, runs work in parts on it, as often as it likes, and closes it. The team
 * is the caller and the workers that were free when it opened. A part belongs to nobody: each
 * worker takes its own first, then whatever is left, and the caller waits only for parts that
 * somebody has begun. So a worker that sleeps, or whose core is taken away, costs its help and no
 * more; work planned for n parts is right, and gives the same bits, on any number of workers.
 *
 * Workers spin for about 2,000 pauses after their last work, then sleep. A child after fork starts
 * its pool anew. Every worker runs with the caller's floating-point mode replaced by
 * round-to-nearest with denormals kept; the caller's own mode is restored when the team closes.
 */
#ifndef HONE_BASE_POOL_H
#define HONE_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* The work: called once for each part from 0 to `parts` - 1, on any worker, in any order. */
typedef void hone_part_work(void *argument, int part, int parts);

/* A team, from open to close, in its caller's memory. Its members are the pool's. */
typedef struct hone_team {
  struct hone_crew *crew; /* NULL: the caller is alone */
  int borrowed;
  bool was_inside;
  unsigned mode;
} hone_team;

enum { HONE_MOST_PARTS = 256 };

/* Threads that a call should use by default: the least of the affinity mask, the cgroup's quota
 * (rounded up) and HONE_THREADS where set; at least 1. */
int hone_pool_default_threads(void);

/* Opens a team of the caller and up to threads - 1 workers that are free now. Allocates nothing
 * once the pool has grown to `threads`. Teams that are opened by a part's work are the caller
 * alone. */
void hone_team_open(hone_team *team, int threads);
/* Runs all parts, at most HONE_MOST_PARTS, and returns when the last is done. What was written
 * before is seen by every part, what parts write by the caller after. */
void hone_team_run(hone_team *team, int parts, hone_part_work *work, void *argument);
/* Gives the workers back. Every team that was opened is closed, by the thread that opened it. */
void hone_team_close(hone_team *team);

/* All three: `parts` parts on up to `parts` threads. */
void hone_pool_run(int parts, hone_part_work *work, void *argument);

/* Grows the pool ahead of time so that later teams of up to `threads` allocate nothing. Where
 * threads cannot be made, later teams are smaller: that is no error. */
void hone_pool_reserve(int threads);

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
