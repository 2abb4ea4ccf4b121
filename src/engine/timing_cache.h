/* The timing cache: what was measured, in a text file that merges and diffs. Room: engine.
 *
 * A line is one measurement, tab-separated: key, kernel, variant, nanoseconds. The key names all
 * that a time depends on: body, types, threads, processor, packing version. Lines are sorted, so
 * that the file's bytes do not depend on the order of measuring; of two times for one thing the
 * smaller stands, so that merging gives the same file in any order.
 */
#ifndef HONE_ENGINE_TIMING_CACHE_H
#define HONE_ENGINE_TIMING_CACHE_H

#include "base/map.h"

#define HONE_TIMING_NEVER 1e15 /* nanoseconds, eleven days: the kernel does not run those sizes */

typedef struct hone_timing_cache {
  hone_map times; /* "key\tkernel\tvariant" to a double in `memory` */
  hone_arena memory;
} hone_timing_cache;

/* Adds the lines of the file; one that is not there is an empty one. CORRUPT names the bad line. */
HONE_MUST_USE hone_status *hone_timing_cache_read(hone_timing_cache *cache, const char *path);
HONE_MUST_USE hone_status *hone_timing_cache_write(const hone_timing_cache *cache,
                                                   const char *path);
/* Nanoseconds, or a negative number when it was not measured. */
double hone_timing_cache_get(const hone_timing_cache *cache, const char *key, const char *kernel,
                             int variant);
HONE_MUST_USE hone_status *hone_timing_cache_put(hone_timing_cache *cache, const char *key,
                                                 const char *kernel, int variant,
                                                 double nanoseconds);
void hone_timing_cache_free(hone_timing_cache *cache);

#endif
