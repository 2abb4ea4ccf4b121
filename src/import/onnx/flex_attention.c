/* FlexAttention: attention whose scores and weights pass through graphs that the model brings.
 * Without such graphs it is the attention op. Room: import. */
#include <math.h>

#include "import/onnx/importer.h"

/* x [b, …, s, t] with the axes in between as a and b, or as a where b is 0. */
static hone_value *regroup(hone_call *call, hone_value *x, int64_t a, int64_t b) {
  hone_value *middle = hone_emit_ints(call, (int64_t[]){a, b}, b ? 2 : 1);
  int rank = hone_emit_rank(call, x);
  hone_node *node = HONE_EMIT_BEGIN(call, "concat", hone_emit_dims(call, x, 0, 1), middle,
                                    hone_emit_dims(call, x, rank - 2, rank));
  hone_emit_set_int(call, node, "axis", 0);
  return HONE_EMIT(call, "reshape", x, hone_emit_end(call, node));
}

static hone_value *shared(hone_call *call, hone_value *x) {
  return HONE_EMIT(call, "unsqueeze", x, hone_emit_ints(call, (int64_t[]){2}, 1));
}

static hone_status *modified(hone_call *call, const char *attr, hone_value **x) {
  if (!hone_onnx_has(call, attr)) return NULL;
  return onnx_inline_body(call, attr, *x, x);
}

/* Products, graphs and softmax one by one, heads in groups that share keys and values. */
static hone_status *compose(hone_call *call, hone_value *q, hone_value *k, hone_value *v) {
  hone_dtype dtype = q->type.dtype;
  hone_dtype precision =
      hone_onnx_dtype(call, "softmax_precision", dtype == HONE_F64 ? HONE_F64 : HONE_F32);
  int64_t heads = q->type.shape.dim[1], groups = k->type.shape.dim[1];
  hone_dim width = q->type.shape.dim[3];
  if (heads < 1 || groups < 1 || heads % groups != 0 || width < 1)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "numbers of heads that are not known");
  double scale = hone_onnx_real(call, "scale", 1 / sqrt((double)width));
  hone_node *node =
      HONE_EMIT_BEGIN(call, "matmul", regroup(call, q, groups, heads / groups), shared(call, k));
  hone_emit_set_int(call, node, "transpose_b", true);
  hone_emit_set_real(call, node, "alpha", scale);
  hone_value *x = regroup(call, hone_emit_end(call, node), heads, 0);
  x = hone_emit_cast(call, x, precision);
  HONE_TRY(modified(call, "score_mod", &x));
  node = HONE_EMIT_BEGIN(call, "softmax", x);
  hone_emit_set_int(call, node, "axis", -1);
  x = hone_emit_end(call, node);
  HONE_TRY(modified(call, "prob_mod", &x));
  x = regroup(call, hone_emit_cast(call, x, dtype), groups, heads / groups);
  hone_onnx_return(call, 0, regroup(call, HONE_EMIT(call, "matmul", x, shared(call, v)), heads, 0));
  return NULL;
}

static hone_status *import_flex_attention(hone_call *call) {
  hone_value *q = hone_onnx_need(call, 0), *k = hone_onnx_need(call, 1);
  hone_value *v = hone_onnx_need(call, 2);
  if (hone_emit_rank(call, q) != 4 || hone_emit_rank(call, k) != 4)
    return hone_emit_fail(call, HONE_INVALID_MODEL, "operands of other than four dimensions");
  if (hone_onnx_has(call, "score_mod") || hone_onnx_has(call, "prob_mod"))
    return compose(call, q, k, v);
  hone_node *node = HONE_EMIT_BEGIN(call, "attention", q, k, v);
  hone_emit_set_real(call, node, "scale", hone_onnx_real(call, "scale", 0));
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

const hone_onnx_row hone_onnx_flex_attention[] = {
    {"ai.onnx.preview", "FlexAttention", 1, 0, .import = import_flex_attention}, {0}};
