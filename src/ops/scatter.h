/* How scatters combine updates with what is there. Room: ops. */
#ifndef HONE_OPS_SCATTER_H
#define HONE_OPS_SCATTER_H

#include "ir/dtype.h"

/* y[to + i] = y[to + i] with updates[from + i], for i < count; `reduction`: add, mul, max or min. */
void hone_scatter_combine(const char *reduction, hone_dtype dtype, void *y, size_t to,
                          const void *updates, size_t from, size_t count);

#endif
