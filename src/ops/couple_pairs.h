/* Probabilities of classes out of those of each pair of them. Room: ops. */
#ifndef HONE_OPS_COUPLE_PAIRS_H
#define HONE_OPS_COUPLE_PAIRS_H

#include <stddef.h>

/* One row of op couple_pairs: r has k * (k - 1) / 2 numbers, p has k; `space` is k * (k + 1). */
void hone_couple_pairs(const double *r, size_t k, double *p, double *space);

#endif
