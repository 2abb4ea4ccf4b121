/* FlexAttention: attention whose scores and probabilities pass through graphs of the model's own.
 * Room: import. */
#include <math.h>
#include <string.h>

#include "import/onnx/map.h"

/* Heads of q, grouped by the head of k and v that they share: [B, H, L, D] to [B, Hkv, G, L, D]. */
typedef struct heads {
  int64_t queries, shared, width, value_width;
} heads;

static bool read_heads(hone_call *call, const hone_value *q, const hone_value *k,
                       const hone_value *v, heads *out) {
  if (hone_emit_rank(call, q) != 4 || hone_emit_rank(call, k) != 4 ||
      hone_emit_rank(call, v) != 4) {
    hone_emit_fail(call, HONE_INVALID_MODEL, "Q, K and V must have four dimensions");
    return false;
  }
  *out = (heads){q->type.shape.dim[1], k->type.shape.dim[1], q->type.shape.dim[3],
                 v->type.shape.dim[3]};
  if (out->queries < 1 || out->shared < 1 || out->width < 1 || out->value_width < 1)
    hone_emit_fail(call, HONE_UNSUPPORTED, "numbers of heads or their sizes are not known");
  else if (out->queries % out->shared)
    hone_emit_fail(call, HONE_INVALID_MODEL, "%lld query heads share %lld", (long long)out->queries,
                   (long long)out->shared);
  return !call->status;
}

/* The shape [dims 0..3 of q, last] as a value. */
static hone_value *like_queries(hone_call *call, hone_value *q, hone_value *last) {
  hone_node *node = HONE_EMIT_BEGIN(call, "concat", hone_emit_dims(call, q, 0, 3), last);
  hone_emit_set_int(call, node, "axis", 0);
  return hone_emit_end(call, node);
}

static hone_value *grouped(hone_call *call, const heads *h, hone_value *x, int64_t groups,
                           hone_value *last) {
  int64_t middle[] = {h->shared, groups, -1};
  hone_node *node = HONE_EMIT_BEGIN(call, "concat", hone_emit_dims(call, x, 0, 1),
                                    hone_emit_ints(call, middle, 3), last);
  hone_emit_set_int(call, node, "axis", 0);
  return HONE_EMIT(call, "reshape", x, hone_emit_end(call, node));
}

static hone_value *softmax(hone_call *call, hone_value *x) {
  hone_node *node = HONE_EMIT_BEGIN(call, "softmax", x);
  hone_emit_set_int(call, node, "axis", -1);
  return hone_emit_end(call, node);
}

static hone_status *import_flex_attention(hone_call *call) {
  hone_value *q = hone_onnx_need(call, 0), *k = hone_onnx_need(call, 1);
  hone_value *v = hone_onnx_need(call, 2);
  hone_dtype dtype = q->type.dtype, precise = dtype == HONE_F64 ? HONE_F64 : HONE_F32;
  heads h;
  if (!read_heads(call, q, k, v, &h)) return NULL;
  precise = hone_onnx_dtype(call, "softmax_precision", precise);
  double scale = hone_onnx_real(call, "scale", 1 / sqrt((double)h.width));
  int64_t groups = h.queries / h.shared;
  hone_value *width = hone_emit_ints(call, &h.width, 1);
  hone_value *value_width = hone_emit_ints(call, &h.value_width, 1);
  hone_value *keys = hone_emit_dims(call, k, 2, 3);
  hone_node *product = HONE_EMIT_BEGIN(
      call, "matmul", grouped(call, &h, hone_emit_cast(call, q, precise), groups, width),
      grouped(call, &h, hone_emit_cast(call, k, precise), 1, width));
  hone_emit_set_int(call, product, "transpose_b", true);
  hone_value *scores = HONE_EMIT(call, "mul", hone_emit_end(call, product),
                                 hone_emit_real(call, precise, scale));
  scores = HONE_EMIT(call, "reshape", scores, like_queries(call, q, keys));
  if (hone_onnx_has(call, "score_mod")) scores = hone_onnx_inline(call, "score_mod", scores);
  hone_value *weights = softmax(call, scores);
  if (hone_onnx_has(call, "prob_mod")) weights = hone_onnx_inline(call, "prob_mod", weights);
  hone_value *y = HONE_EMIT(call, "matmul", grouped(call, &h, weights, groups, keys),
                            grouped(call, &h, hone_emit_cast(call, v, precise), 1, value_width));
  y = HONE_EMIT(call, "reshape", y, like_queries(call, q, value_width));
  hone_onnx_return(call, 0, hone_emit_cast(call, y, dtype));
  return NULL;
}

const hone_onnx_row hone_onnx_flex[] = {
    {"ai.onnx.preview", "FlexAttention", 1, 0, .import = import_flex_attention},
    {0},
};
