/* The memory planner: greedy by size, best fit among the gaps. Room: engine. */
#include "engine/memory_plan.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"

#define ALIGNMENT 64

static int by_size(const void *a, const void *b) {
  const hone_block *x = *(hone_block *const *)a, *y = *(hone_block *const *)b;
  if (x->fixed != y->fixed) return y->fixed - x->fixed;
  if (x->size != y->size) return x->size < y->size ? 1 : -1;
  return x < y ? -1 : 1; /* a stable, and so a deterministic, order */
}

static int by_offset(const void *a, const void *b) {
  const hone_block *x = *(hone_block *const *)a, *y = *(hone_block *const *)b;
  if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
  return x < y ? -1 : 1;
}

/* The smallest gap that holds `block` between those of `placed` (in order of offset) that live
 * when it does; after them all where there is none. */
static size_t best_offset(const hone_block *block, hone_block *const *placed, size_t count) {
  size_t best = SIZE_MAX, best_gap = SIZE_MAX, end = 0;
  for (size_t i = 0; i < count; i++) {
    const hone_block *other = placed[i];
    if (other->last < block->first || block->last < other->first) continue;
    if (other->offset > end && other->offset - end >= block->size &&
        other->offset - end < best_gap) {
      best_gap = other->offset - end;
      best = end;
    }
    size_t other_end = hone_align_up(other->offset + other->size, ALIGNMENT);
    if (other_end > end) end = other_end;
  }
  return best != SIZE_MAX ? best : end;
}

/* Keeps `placed` in order of offset. */
static void insert(hone_block **placed, size_t count, hone_block *block) {
  size_t at = count;
  while (at > 0 && by_offset(&placed[at - 1], &block) > 0) {
    placed[at] = placed[at - 1];
    at--;
  }
  placed[at] = block;
}

hone_status *hone_memory_plan(hone_block *blocks, size_t count, size_t *arena_size) {
  hone_block **order = hone_alloc((2 * count + 1) * sizeof *order);
  HONE_TRY_MEMORY(order);
  hone_block **placed = order + count;
  for (size_t i = 0; i < count; i++) order[i] = &blocks[i];
  qsort(order, count, sizeof *order, by_size);
  size_t placed_count = 0, end = 0;
  for (size_t i = 0; i < count; i++) {
    hone_block *block = order[i];
    if (block->size == 0) continue;
    if (!block->fixed) block->offset = best_offset(block, placed, placed_count);
    size_t block_end;
    if (!hone_add(block->offset, block->size, &block_end) || block_end > SIZE_MAX / 2) {
      hone_free(order);
      return hone_error(HONE_LIMIT, "the memory that a run takes overflows");
    }
    insert(placed, placed_count++, block);
    if (block_end > end) end = block_end;
  }
  hone_free(order);
  *arena_size = hone_align_up(end, ALIGNMENT);
  return NULL;
}
