/* What is known of a shape tensor before its elements are. Room: ops. */
#ifndef HONE_OPS_DIMS_H
#define HONE_OPS_DIMS_H

#include "ir/op.h"

/* One integer of a host tensor: nothing, a number, or the size that a symbol stands for. */
typedef struct hone_known_int {
  enum { HONE_INT_UNKNOWN = 0, HONE_INT_NUMBER, HONE_INT_SYMBOL } kind;
  int64_t value; /* the number, or the symbol as a hone_dim */
} hone_known_int;

/* Most elements that are traced. */
#define HONE_MAX_TRACED 64

/* The elements of the 0-D or 1-D input `index`, as far as they are known: from the value, or, in a
 * graph, by following the nodes that compute it (shape, gather, slice, concat, products …). False
 * when not even their number is known or it is above HONE_MAX_TRACED. */
bool hone_infer_partial(const hone_infer *infer, int index, hone_known_int *out, size_t *count);

/* A known integer as a dimension: the number (false if negative), the symbol, or a fresh one. */
bool hone_known_dim(hone_infer *infer, hone_known_int from, hone_dim *out);

/* `rank` dimensions of which nothing is known. */
hone_shape hone_shape_fresh(hone_infer *infer, int rank);

#endif
