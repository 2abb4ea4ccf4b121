/* Slices of a tensor along an axis and their order, for unique and its kernel. Room: ops. */
#ifndef HONE_OPS_UNIQUE_H
#define HONE_OPS_UNIQUE_H

#include "ops/axes.h"

/* Slice s of line.size: line.outer runs of line.inner elements. */
typedef struct hone_slices {
  hone_dtype dtype;
  const void *data;
  hone_line line;
} hone_slices;

/* A hone_compare of two slices, element by element; NaN stands behind all numbers. */
int hone_compare_slices(const void *slices, size_t a, size_t b);

#endif
