/* Indices that are a kernel's data: from the end when negative, a fault when outside.
 * Room: backend/cpu/lines. */
#ifndef HONE_BACKEND_CPU_LINES_INDEX_H
#define HONE_BACKEND_CPU_LINES_INDEX_H

#include "backend/cpu/kernel.h"
#include "ir/dtype.h"

/* Reports, and gives a place that is safe where there is any. */
size_t hone_index_outside(const hone_kernel_io *io, int input, size_t element, int64_t value,
                          size_t size);

/* A place in [0, size), size > 0, that element `element` of input `input` names. */
static inline size_t hone_place_at(const hone_kernel_io *io, int input, size_t element,
                                   int64_t value, size_t size) {
  return (uint64_t)value < size ? (size_t)value
                                : hone_index_outside(io, input, element, value, size);
}

/* Element `element` of input `input` (`indices`), a place in a dimension of `size` > 0. */
static inline size_t hone_index_at(const hone_kernel_io *io, int input, hone_dtype dtype,
                                   size_t element, size_t size) {
  const void *indices = io->in[input];
  int64_t value = dtype == HONE_S64   ? ((const int64_t *)indices)[element]
                  : dtype == HONE_S32 ? ((const int32_t *)indices)[element]
                                      : hone_load_int(dtype, indices, element);
  size_t at = (size_t)value + (value < 0 ? size : 0);
  return at < size ? at : hone_index_outside(io, input, element, value, size);
}

#endif
