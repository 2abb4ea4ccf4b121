/* How scatters combine updates with what is there. Room: ops. */
#ifndef HONE_OPS_SCATTER_H
#define HONE_OPS_SCATTER_H

#include "ir/dtype.h"

/* y[to + i] = y[to + i] with updates[from + i], for i < count; `reduction`: add, mul, max or min. */
void hone_scatter_combine(const char *reduction, hone_dtype dtype, void *y, size_t to,
                          const void *updates, size_t from, size_t count);

/* tensor_scatter: how many starts fit, from 0 on, for an update of `update` positions in `size`. */
static inline int64_t hone_tensor_scatter_starts(bool circular, int64_t size, int64_t update) {
  return circular ? size + 1 : size - update + 1;
}

#endif
