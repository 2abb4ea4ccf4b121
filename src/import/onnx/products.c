/* Matrix products and sums of products. Room: import. */
#include "import/onnx/map.h"

static bool is_float(const hone_value *value) {
  return hone_dtype_class_of(value->type.dtype) == HONE_CLASS_FLOAT;
}

/* value * factor in the value's type; the value where the factor is 1. */
static hone_value *scale(hone_call *call, hone_value *value, double factor) {
  if (factor == 1) return value;
  hone_value *number = hone_emit_real(call, value->type.dtype, factor);
  return hone_emit_end_weight(call, HONE_EMIT_BEGIN(call, "mul", value, number));
}

static hone_status *import_gemm(hone_call *call) {
  hone_value *a = hone_onnx_need(call, 0), *b = hone_onnx_need(call, 1), *c = hone_onnx_in(call, 2);
  double alpha = hone_onnx_real(call, "alpha", 1), beta = hone_onnx_real(call, "beta", 1);
  if (beta == 0) c = NULL;
  if (c) c = scale(call, c, beta);
  bool whole = !is_float(a) && alpha != 1; /* integers are scaled after the product */
  hone_node *node = HONE_EMIT_BEGIN(call, "matmul", a, b, whole ? NULL : c);
  hone_emit_set_int(call, node, "transpose_a", hone_onnx_flag(call, "transA", false));
  hone_emit_set_int(call, node, "transpose_b", hone_onnx_flag(call, "transB", false));
  if (!whole) hone_emit_set_real(call, node, "alpha", alpha);
  hone_value *y = hone_emit_end(call, node);
  if (whole) {
    y = scale(call, y, alpha);
    if (c) y = HONE_EMIT(call, "add", y, c);
  }
  hone_onnx_return(call, 0, y);
  return NULL;
}

/* com.microsoft.FusedMatMul: the batch axes may have to change places with the rows too. */
static hone_status *import_fused_matmul(hone_call *call) {
  if (hone_onnx_flag(call, "transBatchA", false) || hone_onnx_flag(call, "transBatchB", false))
    return hone_emit_fail(call, HONE_UNSUPPORTED, "transposed batch axes");
  hone_node *node =
      HONE_EMIT_BEGIN(call, "matmul", hone_onnx_need(call, 0), hone_onnx_need(call, 1));
  hone_emit_set_int(call, node, "transpose_a", hone_onnx_flag(call, "transA", false));
  hone_emit_set_int(call, node, "transpose_b", hone_onnx_flag(call, "transB", false));
  hone_emit_set_real(call, node, "alpha", hone_onnx_real(call, "alpha", 1));
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

/* com.microsoft.MatMulInteger16: sums of 32 bits of products of 16. */
static hone_status *import_matmul_16(hone_call *call) {
  hone_value *a = hone_onnx_need(call, 0), *b = hone_onnx_need(call, 1);
  bool natural = a->type.dtype == HONE_U16 && b->type.dtype == HONE_U16;
  hone_dtype dtype = natural ? HONE_U32 : HONE_S32;
  hone_onnx_return(call, 0, HONE_EMIT(call, "matmul", hone_emit_cast(call, a, dtype),
                                      hone_emit_cast(call, b, dtype)));
  return NULL;
}

const hone_onnx_row hone_onnx_products[] = {
    {"", "MatMul", 1, 0, .op = "matmul"},
    {"", "Gemm", 1, 0, .import = import_gemm},
    {"com.microsoft", "FusedMatMul", 1, 0, .import = import_fused_matmul},
    {"com.microsoft", "TransposeMatMul", 1, 0, .import = import_fused_matmul},
    {"com.microsoft", "MatMulInteger16", 1, 0, .import = import_matmul_16},
    {0}};
