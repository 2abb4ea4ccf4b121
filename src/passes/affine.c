/* Constants as doubles and back. Room: passes. */
#include "passes/affine.h"

double *hone_constant_reals(const hone_value *constant, hone_arena *arena, size_t *count) {
  *count = 0;
  (void)hone_shape_count(&constant->type.shape, count);
  double *data = HONE_NEW_ARRAY(arena, *count + 1, double);
  if (data) hone_load_reals(constant->type.dtype, constant->constant, 0, *count, data);
  return data;
}

hone_status *hone_constant_from(hone_graph *graph, hone_dtype dtype, const hone_shape *shape,
                                const double *data, hone_value **out) {
  size_t count, bytes;
  if (!hone_shape_count(shape, &count) || !hone_dtype_bytes(dtype, count, &bytes))
    return hone_error(HONE_LIMIT, "a constant is too large");
  void *stored = hone_graph_bytes(graph, bytes);
  HONE_TRY_MEMORY(stored);
  hone_store_reals(dtype, stored, 0, count, data);
  return hone_graph_constant(graph, NULL, dtype, *shape, stored, bytes, out);
}
