/* Matrices that are one number up to the diagonal and another above it: causal masks. Room: passes. */
#ifndef HONE_PASSES_TRIANGLE_H
#define HONE_PASSES_TRIANGLE_H

#include "passes/rewrite.h"

/* Of each matrix of the last two axes, element i, j is `low` where j <= i and `high` where j > i. */
typedef struct hone_triangle {
  double low, high;
  /* The sizes of those axes, where both numbers differ. A larger matrix that a slice cuts to some
   * tensor's size counts as large enough: what it is used with fails otherwise. */
  hone_dim rows, columns;
} hone_triangle;

/* Whether every run gives `value` such elements: constants, triangles cut out of what is all alike,
 * comparisons of positions, slices from the first row and column, and pointwise work on those. */
bool hone_triangle_of(const hone_value *value, hone_triangle *out);

#endif
