/* Gates and norms around linear attention, as com.microsoft has them for recurrent language models.
 * What the standard has too stands beside it. Room: import. */
#include <string.h>

#include "import/onnx/map.h"

static hone_value *narrow(hone_call *call, hone_value *y, const hone_value *like) {
  return hone_emit_cast(call, y, like->type.dtype);
}

static hone_value *wide(hone_call *call, hone_value *x) {
  return hone_emit_cast(call, x, HONE_F32);
}

static hone_status *import_gated_add(hone_call *call) {
  hone_value *scaled = HONE_EMIT(call, "mul", hone_onnx_need(call, 1), hone_onnx_need(call, 2));
  hone_onnx_return(call, 0, HONE_EMIT(call, "add", hone_onnx_need(call, 0), scaled));
  return NULL;
}

static hone_value *rms_norm(hone_call *call, hone_value *x, hone_value *scale, double epsilon) {
  hone_node *node = HONE_EMIT_BEGIN(call, "rms_norm", x, scale);
  hone_emit_set_real(call, node, "epsilon", hone_onnx_real(call, "epsilon", epsilon));
  return hone_emit_end(call, node);
}

/* The last axis of x in rows of `width`: [..., h * c] as [..., h, c]. */
static hone_value *in_rows(hone_call *call, hone_value *x, hone_value *rows, hone_value *width) {
  int rank = hone_emit_rank(call, x);
  hone_node *node =
      HONE_EMIT_BEGIN(call, "concat", hone_emit_dims(call, x, 0, rank - 1), rows, width);
  hone_emit_set_int(call, node, "axis", 0);
  return HONE_EMIT(call, "reshape", x, hone_emit_end(call, node));
}

/* Norms over pieces of the last axis as long as the scale, times silu or sigmoid of the gate. */
static hone_status *import_gated_rms_norm(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0), *scale = hone_onnx_need(call, 1);
  hone_value *gate = wide(call, hone_onnx_need(call, 2));
  int rank = hone_emit_rank(call, x);
  const char *name = hone_onnx_text(call, "activation", "silu");
  bool plain = strcmp(name, "sigmoid") == 0;
  if (!plain && strcmp(name, "silu") != 0 && strcmp(name, "swish") != 0)
    return hone_emit_fail(call, HONE_INVALID_MODEL, "the activation '%.40s'", name);
  hone_value *rows = in_rows(call, wide(call, x), hone_emit_ints(call, (int64_t[]){-1}, 1),
                             hone_emit_dims(call, scale, 0, 1));
  hone_value *y = rms_norm(call, rows, wide(call, scale), 1e-5);
  y = HONE_EMIT(call, "reshape", y, hone_emit_dims(call, x, 0, rank));
  y = HONE_EMIT(call, "mul", y, HONE_EMIT(call, plain ? "sigmoid" : "silu", gate));
  hone_onnx_return(call, 0, narrow(call, y, x));
  return NULL;
}

/* Norms of the branches [..., c, h], which may lie flat, each with its own scale or all with one.
 */
static hone_status *import_branchwise_rms_norm(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0), *scale = hone_onnx_in(call, 1);
  int rank = hone_emit_rank(call, x);
  int64_t branches = hone_onnx_int_in(call, "num_branches", 0, 0, INT32_MAX);
  hone_value *rows = wide(call, x), *left = hone_emit_ints(call, (int64_t[]){-1}, 1);
  if (branches) rows = in_rows(call, rows, hone_emit_ints(call, &branches, 1), left);
  hone_value *y = rms_norm(call, rows, NULL, 1e-6);
  if (scale && hone_emit_rank(call, scale) == 1) {
    int whole = hone_emit_rank(call, rows);
    hone_value *width = hone_emit_dims(call, rows, whole - 1, whole);
    scale = in_rows(call, scale, left, width);
  }
  if (scale) y = HONE_EMIT(call, "mul", y, wide(call, scale));
  y = HONE_EMIT(call, "reshape", y, hone_emit_dims(call, x, 0, rank));
  hone_onnx_return(call, 0, narrow(call, y, x));
  return NULL;
}

static hone_status *import_linear_attention_gate(hone_call *call) {
  hone_value *a = hone_onnx_need(call, 0), *b = hone_onnx_in(call, 3);
  hone_value *sum = HONE_EMIT(call, "add", wide(call, a), hone_onnx_need(call, 1));
  hone_value *decay =
      HONE_EMIT(call, "mul", HONE_EMIT(call, "softplus", sum), hone_onnx_need(call, 2));
  hone_onnx_return(call, 0, narrow(call, decay, a));
  if (b && hone_onnx_wants(call, 1))
    hone_onnx_return(call, 1, narrow(call, HONE_EMIT(call, "sigmoid", wide(call, b)), b));
  return NULL;
}

static hone_status *import_scaled_silu(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0), *scale = hone_onnx_in(call, 1);
  if (scale)
    scale = wide(call, scale);
  else
    scale = hone_emit_real(call, HONE_F32, hone_onnx_real(call, "alpha", 1));
  hone_value *z = narrow(call, HONE_EMIT(call, "mul", wide(call, x), scale), x);
  hone_onnx_return(call, 0, HONE_EMIT(call, "mul", z, HONE_EMIT(call, "sigmoid", z)));
  return NULL;
}

const hone_onnx_row hone_onnx_contrib_gates[] = {
    {"com.microsoft", "BranchwiseRMSNorm", 1, 0, .import = import_branchwise_rms_norm},
    {"com.microsoft", "GatedAdd", 1, 0, .import = import_gated_add},
    {"com.microsoft", "GatedRMSNorm", 1, 0, .import = import_gated_rms_norm},
    {"com.microsoft", "LinearAttentionGate", 1, 0, .import = import_linear_attention_gate},
    {"com.microsoft", "ScaledSiLU", 1, 0, .import = import_scaled_silu},
    {0}};
