/* Movement, sets and distances of com.microsoft. Room: import. */
#include <string.h>

#include "import/onnx/map.h"

static hone_value *ints(hone_call *call, int64_t value) {
  return hone_emit_ints(call, &value, 1);
}

static hone_status *import_range(hone_call *call) {
  hone_value *start = hone_onnx_need(call, 0), *step = hone_onnx_in(call, 2);
  if (!step) step = hone_emit_cast(call, hone_emit_int(call, 1), start->type.dtype);
  hone_onnx_return(call, 0, HONE_EMIT(call, "range", start, hone_onnx_need(call, 1), step));
  return NULL;
}

/* The different elements in the order in which they come, each one's place among them, counts. */
static hone_status *import_unique(hone_call *call) {
  hone_value *const inputs[] = {hone_onnx_need(call, 0)};
  hone_node *node = hone_emit_begin(call, "unique", inputs, 1, 4);
  hone_emit_set_int(call, node, "sorted", false);
  hone_value *y = hone_emit_end(call, node);
  hone_onnx_return(call, 0, y);
  hone_onnx_return(call, 1, hone_emit_out(call, node, 2));
  hone_onnx_return(call, 2, hone_emit_out(call, node, 3));
  return NULL;
}

/* 0, 1, … as a vector of `count` [1], by `step`. */
static hone_value *counting(hone_call *call, hone_value *count, int64_t step) {
  hone_value *steps = HONE_EMIT(call, "range", hone_emit_int(call, 0),
                                hone_emit_reshape(call, count, NULL, 0), hone_emit_int(call, 1));
  return HONE_EMIT(call, "mul", steps, hone_emit_int(call, step));
}

/* Every window of `size` along `dim`, `step` apart: windows stand on `dim`, what lies in one goes
 * to a new last axis. */
static hone_status *import_unfold(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0);
  int rank = hone_emit_rank(call, x);
  int dim = hone_emit_axis(call, hone_onnx_int(call, "dim", -1), rank);
  int64_t size = hone_onnx_int_in(call, "size", 0, 1, INT32_MAX);
  int64_t step = hone_onnx_int_in(call, "step", 1, 1, INT32_MAX);
  if (rank < 1 || rank >= HONE_MAX_RANK)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "an x of %d dimensions", rank);
  hone_value *room =
      HONE_EMIT(call, "sub", hone_emit_dims(call, x, dim, dim + 1), ints(call, size));
  hone_value *count =
      HONE_EMIT(call, "add", HONE_EMIT(call, "div", room, ints(call, step)), ints(call, 1));
  hone_value *starts = HONE_EMIT(call, "unsqueeze", counting(call, count, step), ints(call, 1));
  hone_value *places = HONE_EMIT(call, "add", starts, counting(call, ints(call, size), 1));
  hone_node *node = HONE_EMIT_BEGIN(call, "gather", x, places);
  hone_emit_set_int(call, node, "axis", dim);
  int64_t perm[HONE_MAX_RANK];
  for (int i = 0; i < rank; i++) perm[i] = i <= dim ? i : i + 1;
  perm[rank] = dim + 1;
  hone_onnx_return(call, 0, hone_emit_transpose(call, hone_emit_end(call, node), rank + 1, perm));
  return NULL;
}

static hone_value *squares(hone_call *call, hone_value *x) {
  hone_node *node = HONE_EMIT_BEGIN(call, "reduce", x, ints(call, -1));
  hone_emit_set_text(call, node, "kind", "sum_square");
  return hone_emit_end(call, node);
}

/* Distances of the rows of a and b as |a|^2 - 2 a b + |b|^2. */
static hone_status *import_cdist(hone_call *call) {
  hone_value *a = hone_onnx_need(call, 0), *b = hone_onnx_need(call, 1);
  hone_dtype dtype = a->type.dtype;
  const char *metric = hone_onnx_text(call, "metric", "sqeuclidean");
  bool root = strcmp(metric, "euclidean") == 0;
  if (!root && strcmp(metric, "sqeuclidean") != 0)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "the metric '%.20s'", metric);
  hone_node *node = HONE_EMIT_BEGIN(call, "matmul", a, b);
  hone_emit_set_int(call, node, "transpose_b", true);
  hone_emit_set_real(call, node, "alpha", -2);
  hone_value *y = HONE_EMIT(call, "add", hone_emit_end(call, node), squares(call, a));
  hone_value *turned = hone_emit_transpose(call, squares(call, b), 2, (const int64_t[]){1, 0});
  y = HONE_EMIT(call, "max", HONE_EMIT(call, "add", y, turned), hone_emit_real(call, dtype, 0));
  hone_onnx_return(call, 0, root ? HONE_EMIT(call, "sqrt", y) : y);
  return NULL;
}

const hone_onnx_row hone_onnx_contrib_tensor[] = {
    {"com.microsoft", "CDist", 1, 0, .import = import_cdist},
    {"com.microsoft", "Pad", 1, 0, "pad", "mode"},
    {"com.microsoft", "Range", 1, 0, .import = import_range},
    {"com.microsoft", "UnfoldTensor", 1, 0, .import = import_unfold},
    {"com.microsoft", "Unique", 1, 0, .import = import_unique},
    {0}};
