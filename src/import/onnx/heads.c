/* Packing and unpacking the heads of attention, and their positions. Room: import. */
#include "import/onnx/heads.h"

hone_value *hone_onnx_split_heads(hone_call *call, hone_value *x, int64_t heads) {
  x = hone_emit_reshape(call, x, (const int64_t[]){0, 0, heads, -1}, 4);
  return hone_emit_transpose(call, x, 4, (const int64_t[]){0, 2, 1, 3});
}

hone_value *hone_onnx_join_heads(hone_call *call, hone_value *x) {
  x = hone_emit_transpose(call, x, 4, (const int64_t[]){0, 2, 1, 3});
  return hone_emit_reshape(call, x, (const int64_t[]){0, 0, -1}, 3);
}

hone_value *hone_onnx_append(hone_call *call, hone_value *a, hone_value *b, int64_t axis) {
  if (!a) return b;
  hone_node *node = HONE_EMIT_BEGIN(call, "concat", a, b);
  hone_emit_set_int(call, node, "axis", axis);
  return hone_emit_end(call, node);
}

hone_value *hone_onnx_columns(hone_call *call, hone_value *x, int64_t begin, int64_t end) {
  return HONE_EMIT(call, "slice", x, hone_emit_ints(call, &begin, 1), hone_emit_ints(call, &end, 1),
                   hone_emit_ints(call, (int64_t[]){-1}, 1));
}

hone_value *hone_onnx_counting(hone_call *call, hone_value *x, int axis) {
  hone_node *size = HONE_EMIT_BEGIN(call, "squeeze", hone_emit_dims(call, x, axis, axis + 1));
  hone_value *steps = HONE_EMIT(call, "range", hone_emit_int(call, 0), hone_emit_end(call, size),
                                hone_emit_int(call, 1));
  return HONE_EMIT(call, "unsqueeze", steps, hone_emit_ints(call, (int64_t[]){0}, 1));
}

hone_value *hone_onnx_rotate(hone_call *call, hone_value *x, hone_value *cos, hone_value *sin,
                             hone_value *positions, const char *interleaved) {
  hone_node *node = HONE_EMIT_BEGIN(call, "rotary_embedding", x, cos, sin, positions);
  hone_emit_set_int(call, node, "interleaved", hone_onnx_flag(call, interleaved, false));
  return hone_emit_end(call, node);
}
