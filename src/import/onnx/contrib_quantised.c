/* Quantised operators of com.microsoft: dequantize, the plain operator, quantize. Room: import. */
#include <string.h>

#include "import/onnx/quantised.h"
#include "import/onnx/windows.h"

/* Operand `index` with its scale and zero point behind it. */
static hone_value *operand(hone_call *call, int index) {
  return hone_onnx_dequantize(call, hone_onnx_need(call, index), hone_onnx_need(call, index + 1),
                              hone_onnx_in(call, index + 2), 1);
}

/* Returns y quantised by the scale and zero point at `index`, in the type of the input `like`
 * where there is no zero point. */
static hone_status *finish(hone_call *call, hone_value *y, int index, int like) {
  hone_onnx_return(
      call, 0,
      hone_onnx_quantize(call, y, hone_onnx_need(call, index), hone_onnx_in(call, index + 1),
                         hone_onnx_need(call, like)->type.dtype, 1));
  return NULL;
}

static hone_status *import_add(hone_call *call) {
  return finish(call, HONE_EMIT(call, "add", operand(call, 0), operand(call, 3)), 6, 0);
}

static hone_status *import_mul(hone_call *call) {
  return finish(call, HONE_EMIT(call, "mul", operand(call, 0), operand(call, 3)), 6, 0);
}

static hone_status *import_where(hone_call *call) {
  hone_value *condition = hone_emit_cast(call, hone_onnx_need(call, 0), HONE_BOOL);
  return finish(call, HONE_EMIT(call, "select", condition, operand(call, 1), operand(call, 4)), 7,
                1);
}

static hone_status *import_leaky_relu(hone_call *call) {
  hone_node *node = HONE_EMIT_BEGIN(call, "leaky_relu", operand(call, 0));
  hone_emit_set_real(call, node, "alpha", hone_onnx_real(call, "alpha", 0.01));
  return finish(call, hone_emit_end(call, node), 3, 0);
}

static hone_status *import_sigmoid(hone_call *call) {
  return finish(call, HONE_EMIT(call, "sigmoid", operand(call, 0)), 3, 0);
}

/* Before opset 13 softmax runs over all axes from `axis` on. */
static hone_status *import_softmax(hone_call *call) {
  hone_value *x = operand(call, 0);
  int rank = hone_emit_rank(call, x);
  bool flat = hone_onnx_int(call, "opset", 13) < 13;
  int axis = hone_emit_axis(call, hone_onnx_int(call, "axis", flat ? 1 : -1), rank);
  hone_value *dims = hone_emit_dims(call, x, 0, rank);
  if (flat) {
    hone_node *node = HONE_EMIT_BEGIN(call, "flatten", x);
    hone_emit_set_int(call, node, "axis", axis);
    x = hone_emit_end(call, node);
    axis = 1;
  }
  hone_node *node = HONE_EMIT_BEGIN(call, "softmax", x);
  hone_emit_set_int(call, node, "axis", axis);
  hone_value *y = hone_emit_end(call, node);
  return finish(call, flat ? HONE_EMIT(call, "reshape", y, dims) : y, 3, 0);
}

static hone_status *import_reduce_mean(hone_call *call) {
  size_t count;
  const int64_t *axes = hone_onnx_ints(call, "axes", &count);
  hone_value *list = count ? hone_emit_ints(call, axes, count) : NULL;
  hone_node *node = HONE_EMIT_BEGIN(call, "reduce", operand(call, 0), list);
  hone_emit_set_text(call, node, "kind", "mean");
  hone_emit_set_int(call, node, "keep", hone_onnx_flag(call, "keepdims", true));
  return finish(call, hone_emit_end(call, node), 3, 0);
}

static hone_status *import_concat(hone_call *call) {
  enum { MOST = 64 };
  hone_value *parts[MOST];
  int count = (hone_onnx_input_count(call) - 2) / 3;
  if (count < 1 || count > MOST)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "%d operands", count);
  for (int i = 0; i < count; i++) parts[i] = operand(call, 2 + 3 * i);
  hone_node *node = hone_emit_begin(call, "concat", parts, count, 1);
  hone_emit_set_int(call, node, "axis", hone_onnx_int(call, "axis", 0));
  return finish(call, hone_emit_end(call, node), 0, 2);
}

/* x channels last, whichever way it came. */
static hone_value *last(hone_call *call, hone_value *x, int rank, bool is_last) {
  return is_last ? x : hone_onnx_to_last(call, x, rank);
}
static hone_value *first(hone_call *call, hone_value *y, int rank, bool is_last) {
  return is_last ? y : hone_onnx_to_first(call, y, rank);
}

static hone_status *import_global_average(hone_call *call) {
  int64_t axes[HONE_MAX_RANK];
  int rank = hone_emit_rank(call, hone_onnx_need(call, 0));
  bool is_last = hone_onnx_flag(call, "channels_last", false);
  if (rank < 3) return hone_emit_fail(call, HONE_INVALID_MODEL, "x has no spatial axis");
  for (int i = 1; i < rank - 1; i++) axes[i - 1] = i;
  hone_node *node = HONE_EMIT_BEGIN(call, "reduce", last(call, operand(call, 0), rank, is_last),
                                    hone_emit_ints(call, axes, (size_t)rank - 2));
  hone_emit_set_text(call, node, "kind", "mean");
  return finish(call, first(call, hone_emit_end(call, node), rank, is_last), 3, 0);
}

/* A pool of an x that is channels last, over `rank` dimensions. */
static hone_value *pool(hone_call *call, hone_value *x, const char *kind, int rank) {
  size_t count;
  const int64_t *window = hone_onnx_ints(call, "kernel_shape", &count);
  hone_node *node = HONE_EMIT_BEGIN(call, "pool", x);
  hone_emit_set_text(call, node, "kind", kind);
  hone_emit_set_ints(call, node, "window", window, count);
  hone_onnx_set_window(call, node, rank - 2, true);
  hone_emit_set_int(call, node, "ceil", hone_onnx_flag(call, "ceil_mode", false));
  hone_emit_set_int(call, node, "count_pads", hone_onnx_flag(call, "count_include_pad", false));
  return hone_emit_end(call, node);
}

static hone_status *import_average_pool(hone_call *call) {
  int rank = hone_emit_rank(call, hone_onnx_need(call, 0));
  bool is_last = hone_onnx_flag(call, "channels_last", false);
  if (rank < 3) return hone_emit_fail(call, HONE_INVALID_MODEL, "x has no spatial axis");
  hone_value *y = pool(call, last(call, operand(call, 0), rank, is_last), "avg", rank);
  return finish(call, first(call, y, rank, is_last), 3, 0);
}

static hone_status *import_nhwc_max_pool(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0);
  int rank = hone_emit_rank(call, x);
  if (rank < 3) return hone_emit_fail(call, HONE_INVALID_MODEL, "x has no spatial axis");
  hone_onnx_return(call, 0, pool(call, x, "max", rank));
  return NULL;
}

/* a b + bias, or as much of it as there is. */
static hone_status *product(hone_call *call, hone_value *a, hone_value *b, hone_value *bias) {
  hone_onnx_return(call, 0, HONE_EMIT(call, "matmul", a, b, bias));
  return NULL;
}

/* The left operand passes through the eight bits that its own range suggests. */
static hone_status *import_dynamic_matmul(hone_call *call) {
  hone_value *a = hone_onnx_need(call, 0), *scale, *zero;
  hone_onnx_dynamic_scale(call, a, &scale, &zero);
  a = hone_onnx_dequantize(call, hone_onnx_quantize(call, a, scale, zero, HONE_U8, 1), scale, zero,
                           1);
  hone_value *b = hone_onnx_dequantize(call, hone_onnx_need(call, 1), hone_onnx_need(call, 2),
                                       hone_onnx_in(call, 3), -1);
  return product(call, a, b, hone_onnx_in(call, 4));
}

static hone_status *import_matmul_to_float(hone_call *call) {
  hone_value *a = hone_onnx_dequantize(call, hone_onnx_need(call, 0), hone_onnx_need(call, 2),
                                       hone_onnx_in(call, 4), -2);
  hone_value *b = hone_onnx_dequantize(call, hone_onnx_need(call, 1), hone_onnx_need(call, 3),
                                       hone_onnx_in(call, 5), -1);
  return product(call, a, b, hone_onnx_in(call, 6));
}

/* alpha * (a b + c), c counting in steps of both scales; a float where no output scale is given. */
static hone_status *import_qgemm(hone_call *call) {
  bool transposed = hone_onnx_flag(call, "transB", false);
  hone_value *b_scale = hone_onnx_need(call, 4), *c = hone_onnx_in(call, 6);
  hone_value *a = operand(call, 0);
  hone_value *b = hone_onnx_dequantize(call, hone_onnx_need(call, 3), b_scale,
                                       hone_onnx_in(call, 5), transposed ? 0 : 1);
  double alpha = hone_onnx_real(call, "alpha", 1);
  if (c) {
    hone_node *product = HONE_EMIT_BEGIN(call, "mul", hone_onnx_need(call, 1), b_scale);
    c = hone_onnx_dequantize(call, c, hone_emit_end_weight(call, product), NULL, -1);
  }
  hone_node *node = HONE_EMIT_BEGIN(call, "matmul", a, b, c);
  hone_emit_set_int(call, node, "transpose_a", hone_onnx_flag(call, "transA", false));
  hone_emit_set_int(call, node, "transpose_b", transposed);
  hone_value *y = hone_emit_end(call, node);
  if (alpha != 1) y = HONE_EMIT(call, "mul", y, hone_emit_real(call, y->type.dtype, alpha));
  if (hone_onnx_in(call, 7)) return finish(call, y, 7, 0);
  hone_onnx_return(call, 0, y);
  return NULL;
}

const hone_onnx_row hone_onnx_contrib_quantised[] = {
    {"com.microsoft", "QuantizeLinear", 1, 0, .import = hone_onnx_import_quantize},
    {"com.microsoft", "DequantizeLinear", 1, 0, .import = hone_onnx_import_dequantize},
    {"com.microsoft", "QLinearConv", 1, 0, .import = hone_onnx_import_qlinear_conv},
    {"com.microsoft", "QLinearAdd", 1, 0, .import = import_add},
    {"com.microsoft", "QLinearMul", 1, 0, .import = import_mul},
    {"com.microsoft", "QLinearWhere", 1, 0, .import = import_where},
    {"com.microsoft", "QLinearLeakyRelu", 1, 0, .import = import_leaky_relu},
    {"com.microsoft", "QLinearSigmoid", 1, 0, .import = import_sigmoid},
    {"com.microsoft", "QLinearSoftmax", 1, 0, .import = import_softmax},
    {"com.microsoft", "QLinearReduceMean", 1, 0, .import = import_reduce_mean},
    {"com.microsoft", "QLinearConcat", 1, 0, .import = import_concat},
    {"com.microsoft", "QLinearGlobalAveragePool", 1, 0, .import = import_global_average},
    {"com.microsoft", "QLinearAveragePool", 1, 0, .import = import_average_pool},
    {"com.microsoft", "NhwcMaxPool", 1, 0, .import = import_nhwc_max_pool},
    {"com.microsoft", "DynamicQuantizeMatMul", 1, 0, .import = import_dynamic_matmul},
    {"com.microsoft", "MatMulIntegerToFloat", 1, 0, .import = import_matmul_to_float},
    {"com.microsoft", "QGemm", 1, 0, .import = import_qgemm},
    {0}};
