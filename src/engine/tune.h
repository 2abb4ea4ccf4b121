/* Measuring the candidates of one group. Room: engine. */
#ifndef HONE_ENGINE_TUNE_H
#define HONE_ENGINE_TUNE_H

#include "backend/backend.h"
#include "engine/timing_cache.h"

#define HONE_MAX_CANDIDATES 384
#define HONE_TIMING_KEY     33 /* characters of a key, the zero included */

/* A group at concrete types, ready to be timed. */
typedef struct hone_bench_group {
  const hone_graph *body;
  const hone_type *inputs;        /* by body input */
  const hone_datum *const *known; /* by body input; elements of host inputs */
  int threads;
} hone_bench_group;

/* All that a time on the backend depends on, hashed: 32 hexadecimal digits. */
HONE_MUST_USE hone_status *hone_timing_key(const hone_bench_group *group,
                                           const hone_backend *backend, char *key);

/* The same for groups that do the same work under other names, as a network's layers. */
HONE_MUST_USE hone_status *hone_kind_key(const hone_bench_group *group, const hone_backend *backend,
                                         char *key);

/* Times the candidates interleaved and writes the median nanoseconds of each; a candidate that
 * cannot run these shapes gets a negative time. */
HONE_MUST_USE hone_status *hone_time_candidates(const hone_bench_group *group,
                                                const hone_backend *backend,
                                                const hone_candidate *candidates, size_t count,
                                                double *nanoseconds);

/* The one in the middle of an odd number of times, which are put in order. */
double hone_median(double *times, int count);

/* Elements to run with: floats that differ in [-1, 1), else 0, which is a right index into
 * anything. */
void hone_seed_elements(const hone_type *type, void *data, size_t bytes);

/* How many candidates were timed in this process, for tests. */
uint64_t hone_timing_count(void);

#endif
