/* Walking the axes that an op works along. Room: ops. */
#include "ops/axes.h"

hone_line hone_line_of(const hone_shape *shape, int axis) {
  return (hone_line){hone_shape_span(shape, 0, axis), (size_t)shape->dim[axis],
                     hone_shape_span(shape, axis + 1, shape->rank)};
}

hone_status *hone_infer_axis(const hone_infer *infer, const char *name, int rank, int *out) {
  int64_t axis = hone_node_int(infer->node, name);
  if (hone_axis(axis, rank, out)) return NULL;
  return hone_infer_fail(infer, "%s %lld of %d dimensions", name, (long long)axis, rank);
}

int hone_ref_axis(const hone_reference *ref, const char *name, int rank) {
  int axis = 0;
  (void)hone_axis(hone_node_int(ref->node, name), rank, &axis);
  return axis;
}

static hone_status *outside(int64_t index, int64_t size) {
  return hone_error(HONE_INVALID_ARGUMENT, "index %lld is outside of a dimension of %lld",
                    (long long)index, (long long)size);
}

hone_status *hone_ref_place(int64_t index, int64_t size) {
  return index >= 0 && index < size ? NULL : outside(index, size);
}

hone_status *hone_ref_index(const hone_datum *indices, size_t i, int64_t size, int64_t *out) {
  int64_t index = hone_load_int(indices->dtype, indices->data, i);
  *out = index < 0 ? index + size : index;
  return *out >= 0 && *out < size ? NULL : outside(index, size);
}
