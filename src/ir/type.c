/* Shapes: sizes, strides, axes, broadcasting. Room: ir. */
#include "ir/type.h"

#include <string.h>

#include "ir/graph.h"

hone_shape hone_shape_of(int rank, const hone_dim *dims) {
  hone_shape shape = {.rank = rank};
  for (int i = 0; i < rank; i++) shape.dim[i] = dims[i];
  return shape;
}

bool hone_shape_equal(const hone_shape *a, const hone_shape *b) {
  if (a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dim[i] != b->dim[i]) return false;
  return true;
}

bool hone_shape_known(const hone_shape *shape) {
  if (shape->rank < 0) return false;
  for (int i = 0; i < shape->rank; i++)
    if (!hone_dim_known(shape->dim[i])) return false;
  return true;
}

bool hone_shape_count(const hone_shape *shape, size_t *count) {
  if (!hone_shape_known(shape)) return false;
  /* A zero anywhere makes the count zero, however large the others are. */
  for (int i = 0; i < shape->rank; i++)
    if (shape->dim[i] == 0) return *count = 0, true;
  size_t product = 1;
  for (int i = 0; i < shape->rank; i++)
    if (!hone_mul(product, (size_t)shape->dim[i], &product)) return false;
  *count = product;
  return product <= (size_t)INT64_MAX;
}

bool hone_shape_bytes(const hone_shape *shape, hone_dtype dtype, size_t *bytes) {
  size_t count;
  return hone_shape_count(shape, &count) && hone_dtype_bytes(dtype, count, bytes);
}

size_t hone_shape_span(const hone_shape *shape, int begin, int end) {
  size_t product = 1;
  for (int i = begin; i < end; i++) product *= (size_t)shape->dim[i];
  return product;
}

bool hone_axis(int64_t axis, int rank, int *out) {
  if (axis < -(int64_t)rank || axis >= rank) return false;
  *out = (int)(axis < 0 ? axis + rank : axis);
  return true;
}

void hone_shape_strides(const hone_shape *shape, int64_t *strides) {
  uint64_t stride = 1; /* wraps only where an empty axis keeps anybody from stepping */
  for (int i = shape->rank - 1; i >= 0; i--) {
    strides[i] = (int64_t)stride;
    stride *= shape->dim[i] > 0 ? (uint64_t)shape->dim[i] : 1;
  }
}

static bool broadcast_dim(hone_graph *symbols, hone_dim a, hone_dim b, hone_dim *out) {
  if (a == b || b == 1) return *out = a, true;
  if (a == 1) return *out = b, true;
  if (hone_dim_known(a) && hone_dim_known(b)) return false;
  /* A size above 1 decides: the symbol has to be that size or 1. */
  if (hone_dim_known(a)) return *out = a, true;
  if (hone_dim_known(b)) return *out = b, true;
  *out = -1;
  if (!symbols) return true;
  hone_status *status = hone_graph_symbol(symbols, NULL, out);
  hone_status_free(status);
  return status == NULL;
}

bool hone_shape_broadcast(hone_graph *symbols, const hone_shape *a, const hone_shape *b,
                          hone_shape *out) {
  if (a->rank < 0 || b->rank < 0) return *out = hone_shape_unknown(), true;
  hone_shape result = {.rank = a->rank > b->rank ? a->rank : b->rank};
  for (int i = 0; i < result.rank; i++) {
    int ia = i - (result.rank - a->rank), ib = i - (result.rank - b->rank);
    hone_dim da = ia >= 0 ? a->dim[ia] : 1, db = ib >= 0 ? b->dim[ib] : 1;
    if (!broadcast_dim(symbols, da, db, &result.dim[i])) return false;
  }
  *out = result;
  return true;
}

size_t hone_datum_count(const hone_datum *tensor) {
  return hone_shape_span(&tensor->shape, 0, tensor->shape.rank);
}
