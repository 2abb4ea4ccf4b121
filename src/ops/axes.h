/* Walking the axes that an op works along. Room: ops. */
#ifndef HONE_OPS_AXES_H
#define HONE_OPS_AXES_H

#include "ir/op.h"

/* A tensor seen along one axis: element (o, i, n) is at (o * size + i) * inner + n. */
typedef struct hone_line {
  size_t outer, size, inner;
} hone_line;

/* The view of a tensor of known shape along `axis` of 0..rank-1. */
hone_line hone_line_of(const hone_shape *shape, int axis);
/* The attribute `name` as an axis of `rank` dimensions; the error names both. */
HONE_MUST_USE hone_status *hone_infer_axis(const hone_infer *infer, const char *name, int rank,
                                           int *out);
/* The same on a graph whose shapes were checked. */
int hone_ref_axis(const hone_reference *ref, const char *name, int rank);

/* Element `i` of an index tensor, in [0, size); negative ones count from the end. An index outside
 * is an error of the run, never a wrong access. */
HONE_MUST_USE hone_status *hone_ref_index(const hone_datum *indices, size_t i, int64_t size,
                                          int64_t *out);
/* The same for an index that does not count from the end: it is a place in [0, size). */
HONE_MUST_USE hone_status *hone_ref_place(int64_t index, int64_t size);

#endif
