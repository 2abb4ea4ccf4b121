/* Sorting positions by what they point at. Room: ops. */
#ifndef HONE_OPS_ORDER_H
#define HONE_OPS_ORDER_H

#include <stddef.h>

/* Negative, zero or positive as element `a` stands before, beside or after element `b`. */
typedef int hone_compare(const void *elements, size_t a, size_t b);

/* Sorts `index` in place; equals stand in the order of their positions. n log n always. */
void hone_order(size_t *index, size_t count, hone_compare *compare, const void *elements);

#endif
