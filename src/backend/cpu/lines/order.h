/* Sorting by numbers, in memory that the caller gives. Room: backend/cpu/lines. */
#ifndef HONE_BACKEND_CPU_LINES_ORDER_H
#define HONE_BACKEND_CPU_LINES_ORDER_H

#include <stddef.h>
#include <stdint.h>

/* Sorts by the upper 32 bits, the smallest first; equals keep their order. Returns where the result
 * lies: `items` or `spare`, both of `count` < 2^32. */
uint64_t *hone_sort_by_upper(uint64_t *items, uint64_t *spare, size_t count);

/* Keeps the k smallest of `count` numbers, all different, in the order they are in; 0 < k <= count.
 * `spare` has room for as many. Returns the largest that is kept. */
uint64_t hone_keep_smallest(uint64_t *items, uint64_t *spare, size_t count, size_t k);

#endif
