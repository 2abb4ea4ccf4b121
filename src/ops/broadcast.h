/* Walking a tensor row by row together with the inputs that broadcast to it. Room: ops. */
#ifndef HONE_OPS_BROADCAST_H
#define HONE_OPS_BROADCAST_H

#include "ir/op.h"

#define HONE_WALK_INPUTS 3

/* The output is walked in its own order, `row` elements at a time; neighbouring axes that all
 * inputs step through alike are joined, so that rows are as long as they can be. */
typedef struct hone_walk {
  int rank, inputs;
  bool started, empty;
  size_t row;                              /* elements of a row */
  int64_t row_stride[HONE_WALK_INPUTS];    /* 0: the input repeats one element */
  int64_t at[HONE_WALK_INPUTS];            /* where the row starts in each input, in elements */
  int64_t size[HONE_MAX_RANK], position[HONE_MAX_RANK];
  int64_t stride[HONE_WALK_INPUTS][HONE_MAX_RANK];
} hone_walk;

/* `in` are tensors whose shapes broadcast to `out`, NULL where absent. */
void hone_walk_start(hone_walk *walk, const hone_shape *out, const hone_datum *const *in,
                     int inputs);
/* Steps to the next row (first call: the first); false when there is none. */
bool hone_walk_next(hone_walk *walk);

#endif
