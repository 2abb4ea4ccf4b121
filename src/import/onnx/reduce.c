/* Reductions, running sums, softmax and what picks by size, of ONNX. Room: import. */
#include "import/onnx/map.h"

/* Reduce<Kind>: the axes are an attribute at first, an input since 13 (ReduceSum) or 18. */
static hone_status *import_reduce(hone_call *call, const char *kind) {
  size_t count;
  hone_value *x = hone_onnx_need(call, 0), *axes = hone_onnx_in(call, 1);
  if (hone_onnx_has(call, "axes")) {
    const int64_t *values = hone_onnx_ints(call, "axes", &count);
    axes = hone_emit_ints(call, values, count);
  }
  hone_node *node = HONE_EMIT_BEGIN(call, "reduce", x, axes);
  hone_emit_set_text(call, node, "kind", kind);
  hone_emit_set_int(call, node, "keep", hone_onnx_flag(call, "keepdims", true));
  hone_emit_set_int(call, node, "empty_is_all",
                    !hone_onnx_flag(call, "noop_with_empty_axes", false));
  hone_onnx_end_return(call, node);
  return NULL;
}

#define REDUCE(name, kind)                                                                         \
  static hone_status *import_##name(hone_call *call) { return import_reduce(call, kind); }
REDUCE(reduce_sum, "sum")
REDUCE(reduce_mean, "mean")
REDUCE(reduce_max, "max")
REDUCE(reduce_min, "min")
REDUCE(reduce_prod, "prod")
REDUCE(reduce_l1, "l1")
REDUCE(reduce_l2, "l2")
REDUCE(reduce_log_sum, "log_sum")
REDUCE(reduce_log_sum_exp, "log_sum_exp")
REDUCE(reduce_sum_square, "sum_square")

/* Up to opset 12 x is seen as a matrix, its columns the axes from `axis` on, taken together. */
static hone_status *softmax_of_matrix(hone_call *call, const char *op) {
  hone_value *x = hone_onnx_need(call, 0);
  int rank = hone_emit_rank(call, x);
  int axis = hone_emit_axis(call, hone_onnx_int(call, "axis", 1), rank);
  if (axis == rank - 1) {
    hone_onnx_return(call, 0, HONE_EMIT(call, op, x));
    return NULL;
  }
  hone_node *flatten = HONE_EMIT_BEGIN(call, "flatten", x);
  hone_emit_set_int(call, flatten, "axis", axis);
  hone_value *matrix = HONE_EMIT(call, op, hone_emit_end(call, flatten));
  hone_value *shape = hone_emit_dims(call, x, 0, rank);
  hone_onnx_return(call, 0, HONE_EMIT(call, "reshape", matrix, shape));
  return NULL;
}

static hone_status *import_softmax_1(hone_call *call) {
  return softmax_of_matrix(call, "softmax");
}
static hone_status *import_log_softmax_1(hone_call *call) {
  return softmax_of_matrix(call, "log_softmax");
}
static hone_status *import_hardmax_1(hone_call *call) {
  return softmax_of_matrix(call, "hardmax");
}

/* Up to opset 9 k is an attribute. */
static hone_status *import_top_k_1(hone_call *call) {
  hone_value *k = hone_emit_int(call, hone_onnx_int(call, "k", -1));
  hone_value *const inputs[] = {hone_onnx_need(call, 0), k};
  hone_node *node = hone_emit_begin(call, "topk", inputs, 2, 2);
  hone_emit_set_int(call, node, "axis", hone_onnx_int(call, "axis", -1));
  hone_onnx_end_return(call, node);
  return NULL;
}

/* Without an axis all elements count as one line. */
static void set_axis(hone_call *call, hone_node *node) {
  hone_emit_set_int(call, node, "flat", !hone_onnx_has(call, "axis"));
  hone_emit_set_int(call, node, "axis", hone_onnx_int(call, "axis", 0));
}

static hone_status *import_unique(hone_call *call) {
  hone_value *const inputs[] = {hone_onnx_need(call, 0)};
  hone_node *node = hone_emit_begin(call, "unique", inputs, 1, 4);
  set_axis(call, node);
  hone_emit_set_int(call, node, "sorted", hone_onnx_flag(call, "sorted", true));
  hone_onnx_end_return(call, node);
  return NULL;
}

static hone_status *import_compress(hone_call *call) {
  hone_node *node =
      HONE_EMIT_BEGIN(call, "compress", hone_onnx_need(call, 0), hone_onnx_need(call, 1));
  set_axis(call, node);
  hone_onnx_end_return(call, node);
  return NULL;
}

const hone_onnx_row hone_onnx_reduce[] = {
    {"", "ArgMax", 1, 0, "arg_reduce", "axis keep<keepdims last<select_last_index kind=max"},
    {"", "ArgMin", 1, 0, "arg_reduce", "axis keep<keepdims last<select_last_index kind=min"},
    {"", "Compress", 9, 0, .import = import_compress},
    {"", "CumProd", 26, 0, "cumsum", "exclusive reverse kind=prod"},
    {"", "CumSum", 11, 0, "cumsum", "exclusive reverse kind=sum"},
    {"", "Det", 11, 0, "det"},
    {"", "Hardmax", 1, 12, .import = import_hardmax_1},
    {"", "Hardmax", 13, 0, "hardmax", "axis"},
    {"", "LogSoftmax", 1, 12, .import = import_log_softmax_1},
    {"", "LogSoftmax", 13, 0, "log_softmax", "axis"},
    {"", "NonZero", 9, 0, "nonzero"},
    {"", "ReduceL1", 1, 0, .import = import_reduce_l1},
    {"", "ReduceL2", 1, 0, .import = import_reduce_l2},
    {"", "ReduceLogSum", 1, 0, .import = import_reduce_log_sum},
    {"", "ReduceLogSumExp", 1, 0, .import = import_reduce_log_sum_exp},
    {"", "ReduceMax", 1, 0, .import = import_reduce_max},
    {"", "ReduceMean", 1, 0, .import = import_reduce_mean},
    {"", "ReduceMin", 1, 0, .import = import_reduce_min},
    {"", "ReduceProd", 1, 0, .import = import_reduce_prod},
    {"", "ReduceSum", 1, 0, .import = import_reduce_sum},
    {"", "ReduceSumSquare", 1, 0, .import = import_reduce_sum_square},
    {"", "Softmax", 1, 12, .import = import_softmax_1},
    {"", "Softmax", 13, 0, "softmax", "axis"},
    {"", "TopK", 1, 9, .import = import_top_k_1},
    {"", "TopK", 10, 0, "topk", "axis largest sorted"},
    {"", "Unique", 11, 0, .import = import_unique},
    {0}};
