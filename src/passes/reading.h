/* How a value is read. Room: passes. */
#ifndef HONE_PASSES_READING_H
#define HONE_PASSES_READING_H

#include "passes/rewrite.h"

/* What the one reader of a value takes without a copy before it. */
typedef enum hone_reading {
  HONE_READS_DENSE,  /* rows side by side, or there are more readers than one */
  HONE_READS_ROWS,   /* rows, that is the last axis, at a pitch: convolutions, products with weights */
  HONE_READS_STRIDES /* any order, at the most the last axis in one piece: attention, products of two */
} hone_reading;

/* The reader may stand behind views, and, for HONE_READS_STRIDES, transposes. */
hone_reading hone_reading_of(const hone_value *value);

/* slice(x) along one axis, from `begin` to `end`, before `from`. */
HONE_MUST_USE hone_status *hone_make_slice(hone_node *from, hone_value *x, int64_t axis,
                                           int64_t begin, int64_t end, hone_value **out);

#endif
