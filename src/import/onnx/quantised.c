/* Quantised operators. QLinear… become dequantize, the operator, quantize; …Integer become
 * matmul_integer, and conv_integer where the weights are constant, else exact integer arithmetic with
 * the zero points taken off. Room: import. */
#include "import/onnx/quantised.h"
#include "import/onnx/windows.h"

hone_value *hone_onnx_dequantize(hone_call *call, hone_value *x, hone_value *scale,
                                 hone_value *zero, int64_t axis) {
  hone_node *node = HONE_EMIT_BEGIN(call, "dequantize", x, scale, zero);
  hone_emit_set_int(call, node, "axis", axis);
  hone_emit_set_int(call, node, "dtype", scale->type.dtype);
  return hone_emit_end(call, node);
}

hone_value *hone_onnx_quantize(hone_call *call, hone_value *x, hone_value *scale,
                               hone_value *zero, hone_dtype dtype, int64_t axis) {
  hone_node *node = HONE_EMIT_BEGIN(call, "quantize", x, scale, zero);
  hone_emit_set_int(call, node, "axis", axis);
  hone_emit_set_int(call, node, "dtype", zero ? zero->type.dtype : dtype);
  return hone_emit_end(call, node);
}

hone_status *hone_onnx_import_quantize(hone_call *call) {
  hone_value *zero = hone_onnx_in(call, 2);
  hone_node *node =
      HONE_EMIT_BEGIN(call, "quantize", hone_onnx_need(call, 0), hone_onnx_need(call, 1), zero);
  hone_dtype dtype = hone_onnx_dtype(call, "output_dtype", HONE_DTYPE_NONE);
  if (!dtype) dtype = zero ? zero->type.dtype : HONE_U8;
  hone_emit_set_int(call, node, "axis", hone_onnx_int(call, "axis", 1));
  hone_emit_set_int(call, node, "block", hone_onnx_int_in(call, "block_size", 0, 0, INT32_MAX));
  hone_emit_set_int(call, node, "dtype", dtype);
  hone_emit_set_int(call, node, "precision", hone_onnx_dtype(call, "precision", HONE_DTYPE_NONE));
  hone_emit_set_int(call, node, "saturate", hone_onnx_flag(call, "saturate", true));
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

hone_status *hone_onnx_import_dequantize(hone_call *call) {
  hone_value *scale = hone_onnx_need(call, 1);
  hone_node *node =
      HONE_EMIT_BEGIN(call, "dequantize", hone_onnx_need(call, 0), scale, hone_onnx_in(call, 2));
  hone_dtype dtype = hone_onnx_dtype(call, "output_dtype", HONE_DTYPE_NONE);
  hone_emit_set_int(call, node, "axis", hone_onnx_int(call, "axis", 1));
  hone_emit_set_int(call, node, "block", hone_onnx_int_in(call, "block_size", 0, 0, INT32_MAX));
  hone_emit_set_int(call, node, "dtype", dtype ? dtype : scale->type.dtype);
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

static hone_value *reduce_all(hone_call *call, hone_value *x, const char *kind) {
  hone_node *node = HONE_EMIT_BEGIN(call, "reduce", x);
  hone_emit_set_text(call, node, "kind", kind);
  hone_emit_set_int(call, node, "keep", false);
  return hone_emit_end(call, node);
}

void hone_onnx_dynamic_scale(hone_call *call, hone_value *x, hone_value **scale,
                             hone_value **zero) {
  hone_value *none = hone_emit_real(call, HONE_F32, 0);
  hone_value *one = hone_emit_real(call, HONE_F32, 1);
  hone_value *most = hone_emit_real(call, HONE_F32, 255);
  hone_value *low = HONE_EMIT(call, "min", reduce_all(call, x, "min"), none);
  hone_value *high = HONE_EMIT(call, "max", reduce_all(call, x, "max"), none);
  hone_value *step = HONE_EMIT(call, "div", HONE_EMIT(call, "sub", high, low), most);
  *scale = HONE_EMIT(call, "select", HONE_EMIT(call, "equal", step, none), one, step);
  hone_value *place = HONE_EMIT(call, "div", HONE_EMIT(call, "sub", none, low), *scale);
  place = HONE_EMIT(call, "clip", HONE_EMIT(call, "round", place), none, most);
  *zero = hone_emit_cast(call, place, HONE_U8);
}

static hone_status *import_dynamic_quantize(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0), *scale, *zero;
  hone_onnx_dynamic_scale(call, x, &scale, &zero);
  hone_onnx_return(call, 0, hone_onnx_quantize(call, x, scale, zero, HONE_U8, 1));
  if (hone_onnx_wants(call, 1)) hone_onnx_return(call, 1, scale);
  if (hone_onnx_wants(call, 2)) hone_onnx_return(call, 2, zero);
  return NULL;
}

/* x as s32 with its zero point off. A vector of zero points is one a row of a left operand, one
 * along the last axis of a right one. */
static hone_value *centered(hone_call *call, hone_value *x, hone_value *zero, bool rows) {
  hone_value *wide = hone_emit_cast(call, x, HONE_S32);
  if (!zero) return wide;
  if (rows && zero->type.shape.rank == 1)
    zero = HONE_EMIT(call, "unsqueeze", zero, hone_emit_ints(call, (int64_t[]){-1}, 1));
  return HONE_EMIT(call, "sub", wide, hone_emit_cast(call, zero, HONE_S32));
}

static bool is_single(const hone_value *value) {
  size_t count;
  return !value || (hone_shape_count(&value->type.shape, &count) && count == 1);
}

/* Whether inputs 0 to 3 (x, w and their zero points) are as integer products take them. */
static bool has_constant_weights(hone_call *call, const hone_value *w) {
  const hone_value *zero = hone_onnx_in(call, 3);
  return hone_value_is_constant(w) && is_single(hone_onnx_in(call, 2)) &&
         (!zero || (hone_value_is_constant(zero) && zero->type.shape.rank <= 1));
}

/* Whether matmul_integer says what the operator does: one matrix on the right, one zero point on the
 * left. */
static bool is_one_matrix(hone_call *call, const hone_value *left, const hone_value *right) {
  const hone_value *zero = hone_onnx_in(call, 3);
  return right->type.shape.rank == 2 && left->type.shape.rank >= 1 &&
         is_single(hone_onnx_in(call, 2)) &&
         (!zero || zero->type.shape.rank == 0 || zero->type.shape.rank == 1);
}

static hone_status *import_matmul_integer(hone_call *call) {
  hone_value *left = hone_onnx_need(call, 0), *right = hone_onnx_need(call, 1);
  if (is_one_matrix(call, left, right)) {
    hone_node *node = HONE_EMIT_BEGIN(call, "matmul_integer", left, right, hone_onnx_in(call, 2),
                                      hone_onnx_in(call, 3));
    hone_onnx_return(call, 0, hone_emit_end(call, node));
    return NULL;
  }
  hone_value *a = centered(call, hone_onnx_need(call, 0), hone_onnx_in(call, 2), true);
  hone_value *b = centered(call, hone_onnx_need(call, 1), hone_onnx_in(call, 3), false);
  hone_onnx_return(call, 0, HONE_EMIT(call, "matmul", a, b));
  return NULL;
}

/* A vector of one number a filter, ready to broadcast over weights [M, C, k…]. */
static hone_value *per_filter(hone_call *call, hone_value *values, int rank) {
  int64_t dims[HONE_MAX_RANK];
  if (!values || values->type.shape.rank != 1) return values;
  for (int i = 0; i < rank; i++) dims[i] = i == 0 ? -1 : 1;
  return hone_emit_reshape(call, values, dims, (size_t)rank);
}

static hone_status *import_conv_integer(hone_call *call) {
  hone_value *w = hone_onnx_need(call, 1);
  int rank = hone_emit_rank(call, w);
  if (has_constant_weights(call, w) && rank >= 3) {
    hone_value *sums = hone_onnx_convolve_integers(call, hone_onnx_need(call, 0), w,
                                                   hone_onnx_in(call, 2), hone_onnx_in(call, 3));
    hone_onnx_return(call, 0, hone_onnx_to_first(call, sums, rank));
    return NULL;
  }
  hone_value *x = centered(call, hone_onnx_need(call, 0), hone_onnx_in(call, 2), false);
  hone_value *zero = per_filter(call, hone_onnx_in(call, 3), rank);
  hone_value *y = hone_onnx_convolve(call, x, centered(call, w, zero, false), NULL);
  hone_onnx_return(call, 0, hone_onnx_to_first(call, y, rank));
  return NULL;
}

/* The scale of each bias is that of the products that it is added to. In com.microsoft the picture
 * may have its channels last; the weights have them in ONNX's order even so. */
hone_status *hone_onnx_import_qlinear_conv(hone_call *call) {
  hone_value *x_scale = hone_onnx_need(call, 1), *w_scale = hone_onnx_need(call, 4);
  hone_value *w = hone_onnx_need(call, 3), *b = hone_onnx_in(call, 8);
  int rank = hone_emit_rank(call, w);
  bool last = hone_onnx_flag(call, "channels_last", false);
  hone_value *x =
      hone_onnx_dequantize(call, hone_onnx_need(call, 0), x_scale, hone_onnx_need(call, 2), 1);
  if (last) x = hone_onnx_to_first(call, x, rank);
  w = hone_onnx_dequantize(call, w, w_scale, hone_onnx_need(call, 5), 0);
  if (b) {
    hone_node *product = HONE_EMIT_BEGIN(call, "mul", x_scale, w_scale);
    b = hone_onnx_dequantize(call, b, hone_emit_end_weight(call, product), NULL, 0);
  }
  hone_value *y = hone_onnx_convolve(call, x, w, b);
  if (!last) y = hone_onnx_to_first(call, y, rank);
  hone_onnx_return(
      call, 0,
      hone_onnx_quantize(call, y, hone_onnx_need(call, 6), hone_onnx_need(call, 7), HONE_U8, 1));
  return NULL;
}

/* A quantised operand of a matrix product. Scales of more than one axis broadcast as in NumPy. */
static hone_value *operand(hone_call *call, int index, int64_t axis) {
  hone_value *x = hone_onnx_need(call, index), *scale = hone_onnx_need(call, index + 1);
  hone_value *zero = hone_onnx_need(call, index + 2);
  if (scale->type.shape.rank <= 1) return hone_onnx_dequantize(call, x, scale, zero, axis);
  hone_value *whole = centered(call, x, zero, false);
  return HONE_EMIT(call, "mul", hone_emit_cast(call, whole, scale->type.dtype), scale);
}

static hone_status *import_qlinear_matmul(hone_call *call) {
  hone_value *y = HONE_EMIT(call, "matmul", operand(call, 0, -2), operand(call, 3, -1));
  hone_onnx_return(
      call, 0,
      hone_onnx_quantize(call, y, hone_onnx_need(call, 6), hone_onnx_need(call, 7), HONE_U8, -2));
  return NULL;
}

const hone_onnx_row hone_onnx_quantised[] = {
    {"", "QuantizeLinear", 10, 0, .import = hone_onnx_import_quantize},
    {"", "DequantizeLinear", 10, 0, .import = hone_onnx_import_dequantize},
    {"", "DynamicQuantizeLinear", 11, 0, .import = import_dynamic_quantize},
    {"", "MatMulInteger", 10, 0, .import = import_matmul_integer},
    {"", "ConvInteger", 10, 0, .import = import_conv_integer},
    {"", "QLinearConv", 10, 0, .import = hone_onnx_import_qlinear_conv},
    {"", "QLinearMatMul", 10, 0, .import = import_qlinear_matmul},
    {0}};
