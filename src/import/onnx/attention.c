/* Attention and its kin of the standard's own domain. Room: import. */
#include <string.h>

#include "import/onnx/heads.h"

enum { Q, K, V, MASK, PAST_K, PAST_V, LENGTHS };

/* Where the first query stands among the keys: after those of the past, or at the end of those
 * that count; NULL for the start. */
static hone_value *offset_of(hone_call *call, hone_value *q) {
  hone_value *past = hone_onnx_in(call, PAST_K), *lengths = hone_onnx_in(call, LENGTHS);
  if (past) return hone_emit_dims(call, past, 2, 3);
  if (!lengths) return NULL;
  return HONE_EMIT(call, "sub", hone_emit_cast(call, lengths, HONE_S64),
                   hone_emit_dims(call, q, 2, 3));
}

static void set_attention(hone_call *call, hone_node *node) {
  static const char *const stages[] = {"raw", "capped", "masked", "weights"};
  hone_emit_set_real(call, node, "scale", hone_onnx_real(call, "scale", 0));
  hone_emit_set_real(call, node, "softcap", hone_onnx_real(call, "softcap", 0));
  hone_emit_set_int(call, node, "causal", hone_onnx_flag(call, "is_causal", false));
  hone_emit_set_int(call, node, "left",
                    hone_onnx_int_in(call, "left_window_size", -1, -1, INT32_MAX));
  hone_emit_set_int(call, node, "right",
                    hone_onnx_int_in(call, "right_window_size", -1, -1, INT32_MAX));
  hone_emit_set_text(call, node, "scores",
                     stages[hone_onnx_int_in(call, "qk_matmul_output_mode", 0, 0, 3)]);
}

static hone_status *import_attention(hone_call *call) {
  hone_value *q = hone_onnx_need(call, Q), *k = hone_onnx_need(call, K);
  hone_value *v = hone_onnx_need(call, V), *past_k = hone_onnx_in(call, PAST_K);
  bool packed = hone_emit_rank(call, q) == 3, wants_scores = hone_onnx_wants(call, 3);
  if (packed) {
    int64_t heads = hone_onnx_int_in(call, "q_num_heads", 0, 1, INT32_MAX);
    int64_t shared = hone_onnx_int_in(call, "kv_num_heads", 0, 1, INT32_MAX);
    q = hone_onnx_split_heads(call, q, heads);
    k = hone_onnx_split_heads(call, k, shared);
    v = hone_onnx_split_heads(call, v, shared);
  }
  if ((past_k != NULL) != (hone_onnx_in(call, PAST_V) != NULL) ||
      (past_k && hone_onnx_in(call, LENGTHS)))
    return hone_emit_fail(call, HONE_INVALID_MODEL, "the past's inputs do not go together");
  k = hone_onnx_append(call, past_k, k, 2);
  v = hone_onnx_append(call, hone_onnx_in(call, PAST_V), v, 2);
  hone_value *inputs[] = {
      q, k, v, hone_onnx_in(call, MASK), hone_onnx_in(call, LENGTHS), offset_of(call, q)};
  hone_node *node = hone_emit_begin(call, "attention", inputs, 6, wants_scores ? 2 : 1);
  set_attention(call, node);
  hone_value *y = hone_emit_end(call, node);
  hone_onnx_return(call, 0, packed ? hone_onnx_join_heads(call, y) : y);
  if (hone_onnx_wants(call, 1)) hone_onnx_return(call, 1, k);
  if (hone_onnx_wants(call, 2)) hone_onnx_return(call, 2, v);
  if (wants_scores) hone_onnx_return(call, 3, hone_emit_out(call, node, 1));
  return NULL;
}

static hone_status *import_rotary(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0);
  bool packed = hone_emit_rank(call, x) == 3;
  if (packed)
    x = hone_onnx_split_heads(call, x, hone_onnx_int_in(call, "num_heads", 0, 1, INT32_MAX));
  hone_node *node = HONE_EMIT_BEGIN(call, "rotary_embedding", x, hone_onnx_need(call, 1),
                                    hone_onnx_need(call, 2), hone_onnx_in(call, 3));
  hone_emit_set_int(call, node, "interleaved", hone_onnx_flag(call, "interleaved", false));
  hone_value *y = hone_emit_end(call, node);
  hone_onnx_return(call, 0, packed ? hone_onnx_join_heads(call, y) : y);
  return NULL;
}

/* Input `index`, [b, t, heads * d], as [b, t, heads, d]; NULL where absent. */
static hone_value *unpacked(hone_call *call, int index, int64_t heads, int64_t width) {
  hone_value *x = hone_onnx_in(call, index);
  return x ? hone_emit_reshape(call, x, (const int64_t[]){0, 0, heads, width}, 4) : NULL;
}

static hone_status *import_linear_attention(hone_call *call) {
  int64_t heads = hone_onnx_int_in(call, "q_num_heads", 0, 1, INT32_MAX);
  int64_t shared = hone_onnx_int_in(call, "kv_num_heads", 0, 1, INT32_MAX);
  hone_value *inputs[] = {unpacked(call, 0, heads, -1),  unpacked(call, 1, shared, -1),
                          unpacked(call, 2, shared, -1), hone_onnx_in(call, 3),
                          unpacked(call, 4, shared, -1), unpacked(call, 5, -1, 1)};
  bool wants_state = hone_onnx_wants(call, 1);
  if (hone_onnx_int(call, "state_window", 0) > 0)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "a window of states (state_window)");
  hone_node *node = hone_emit_begin(call, "linear_attention", inputs, 6, wants_state ? 2 : 1);
  hone_emit_set_text(call, node, "rule", hone_onnx_text(call, "update_rule", "gated_delta"));
  hone_emit_set_real(call, node, "scale", hone_onnx_real(call, "scale", 0));
  hone_value *y = hone_emit_end(call, node);
  hone_onnx_return(call, 0, hone_emit_reshape(call, y, (const int64_t[]){0, 0, -1}, 3));
  if (wants_state) hone_onnx_return(call, 1, hone_emit_out(call, node, 1));
  return NULL;
}

static hone_status *import_swiglu(hone_call *call) {
  hone_node *node = HONE_EMIT_BEGIN(call, "swish", hone_onnx_need(call, 0));
  hone_emit_set_real(call, node, "alpha", hone_onnx_real(call, "alpha", 1));
  hone_onnx_return(call, 0,
                   HONE_EMIT(call, "mul", hone_emit_end(call, node), hone_onnx_need(call, 1)));
  return NULL;
}

const hone_onnx_row hone_onnx_attention[] = {
    {"", "Attention", 23, 0, .import = import_attention},
    {"", "RotaryEmbedding", 23, 0, .import = import_rotary},
    {"", "LinearAttention", 27, 0, .import = import_linear_attention},
    {"com.microsoft", "LinearAttention", 1, 0, .import = import_linear_attention},
    {"", "SwiGLU", 28, 0, .import = import_swiglu},
    {0}};
