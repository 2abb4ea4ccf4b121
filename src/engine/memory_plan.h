/* From lifetimes to offsets: a pure function. Room: engine. */
#ifndef HONE_ENGINE_MEMORY_PLAN_H
#define HONE_ENGINE_MEMORY_PLAN_H

#include <stddef.h>

#include "base/status.h"

/* One block of the arena. It is written by step `first` and last read by step `last`; blocks whose
 * [first, last] overlap get disjoint bytes. */
typedef struct hone_block {
  size_t size; /* bytes; 0 takes no room */
  int first, last;
  size_t offset; /* the answer; for a fixed block the given place */
  int fixed;     /* placed already (a value that an earlier stage left behind) */
} hone_block;

/* Places every block that is not fixed, at multiples of 64, and gives the arena's size. Greedy by
 * size (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020):
 * largest first, each into the smallest gap among those placed that live at the same time. */
HONE_MUST_USE hone_status *hone_memory_plan(hone_block *blocks, size_t count, size_t *arena_size);

#endif
