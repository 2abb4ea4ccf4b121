/* Attention of com.microsoft, as transformer exports use it. Room: import. */
#include <string.h>

#include "import/onnx/heads.h"
#include "import/onnx/quantised.h"

static hone_value *ints(hone_call *call, int64_t value) {
  return hone_emit_ints(call, &value, 1);
}

static hone_value *add(hone_call *call, hone_value *a, hone_value *b) {
  return a && b ? HONE_EMIT(call, "add", a, b) : a ? a : b;
}

/* Element `index` of `axis`, which goes. */
static hone_value *pick(hone_call *call, hone_value *x, int64_t axis, int64_t index) {
  hone_node *node = HONE_EMIT_BEGIN(call, "gather", x, hone_emit_int(call, index));
  hone_emit_set_int(call, node, "axis", axis);
  return hone_emit_end(call, node);
}

/* ---- Attention ---- */

/* What goes into the attention op; absent parts NULL. */
typedef struct heads {
  hone_value *q, *k, *v; /* [b, heads, s, d] */
  hone_value *mask, *lengths, *offset;
  bool causal;
  double scale;
  hone_value *scores; /* out, where `wants_scores`: after the softmax */
  bool wants_scores;
} heads;

static hone_node *begin_attention(hone_call *call, const heads *h) {
  hone_value *inputs[] = {h->q, h->k, h->v, h->mask, h->lengths, h->offset};
  hone_node *node = hone_emit_begin(call, "attention", inputs, 6, h->wants_scores ? 2 : 1);
  hone_emit_set_real(call, node, "scale", h->scale);
  hone_emit_set_int(call, node, "causal", h->causal);
  if (h->wants_scores) hone_emit_set_text(call, node, "scores", "weights");
  return node;
}

/* A mask of keys, 1 where they count: a vector of lengths, [b, t] or [b, s, t]. What does not
 * count gets a number added that is large, but finite: a row that sees nothing sees all. */
static void use_key_mask(hone_call *call, hone_value *mask, heads *h) {
  if (!mask) return;
  int rank = hone_emit_rank(call, mask);
  hone_dtype dtype = h->q->type.dtype;
  if (rank == 1) {
    hone_dim rows = mask->type.shape.dim[0], batch = h->q->type.shape.dim[0];
    if (hone_dim_known(rows) && hone_dim_known(batch) && rows != batch)
      hone_emit_fail(call, HONE_UNSUPPORTED, "a mask of more than one length a sequence");
    h->lengths = mask;
    return;
  }
  if (rank > 3) {
    hone_emit_fail(call, HONE_UNSUPPORTED, "a key mask of %d dimensions", rank);
    return;
  }
  int64_t axes[] = {1, 2};
  mask = HONE_EMIT(call, "unsqueeze", mask, hone_emit_ints(call, axes, rank == 2 ? 2 : 1));
  hone_value *off =
      HONE_EMIT(call, "sub", hone_emit_real(call, dtype, 1), hone_emit_cast(call, mask, dtype));
  double filter = hone_onnx_real(call, "mask_filter_value", -10000);
  h->mask = add(call, h->mask, HONE_EMIT(call, "mul", off, hone_emit_real(call, dtype, filter)));
}

/* x [b, s, i] by weights [i, 3 parts], plus a bias, as heads of q, k and v. */
static bool project(hone_call *call, hone_value *x, hone_value *weights, hone_value *bias,
                    int64_t count, heads *h) {
  size_t given;
  const int64_t *widths = hone_onnx_ints(call, "qkv_hidden_sizes", &given);
  hone_dim total = hone_emit_rank(call, weights) == 2 ? weights->type.shape.dim[1] : -1;
  if (!given && !hone_dim_known(total)) {
    hone_emit_fail(call, HONE_UNSUPPORTED, "weights of unknown shape");
    return false;
  }
  int64_t q = given == 3 ? widths[0] : total / 3, k = given == 3 ? widths[1] : total / 3;
  hone_value *y = HONE_EMIT(call, "matmul", x, weights, bias);
  h->q = hone_onnx_split_heads(call, hone_onnx_columns(call, y, 0, q), count);
  h->k = hone_onnx_split_heads(call, hone_onnx_columns(call, y, q, q + k), count);
  h->v = hone_onnx_split_heads(call, hone_onnx_columns(call, y, q + k, INT64_MAX), count);
  return !call->status;
}

/* Attention with a past [2, b, heads, p, d] of keys and values, and the present like it. */
static hone_status *attend_merged(hone_call *call, heads *h, hone_value *key_mask,
                                  hone_value *past) {
  h->causal = hone_onnx_flag(call, "unidirectional", false);
  h->scale = hone_onnx_real(call, "scale", 0);
  if (hone_onnx_flag(call, "do_rotary", false) ||
      hone_onnx_flag(call, "past_present_share_buffer", false))
    return hone_emit_fail(call, HONE_UNSUPPORTED, "rotary or shared buffers inside of Attention");
  if (past) {
    hone_value *past_k = pick(call, past, 0, 0);
    h->offset = hone_emit_dims(call, past_k, 2, 3);
    h->k = hone_onnx_append(call, past_k, h->k, 2);
    h->v = hone_onnx_append(call, pick(call, past, 0, 1), h->v, 2);
  }
  use_key_mask(call, key_mask, h);
  hone_node *node = begin_attention(call, h);
  hone_onnx_return(call, 0, hone_onnx_join_heads(call, hone_emit_end(call, node)));
  if (hone_onnx_wants(call, 1)) {
    hone_value *axis = ints(call, 0);
    hone_onnx_return(call, 1,
                     hone_onnx_append(call, HONE_EMIT(call, "unsqueeze", h->k, axis),
                                      HONE_EMIT(call, "unsqueeze", h->v, axis), 0));
  }
  return NULL;
}

static hone_status *import_attention(hone_call *call) {
  heads h = {.mask = hone_onnx_in(call, 5)};
  int64_t count = hone_onnx_int_in(call, "num_heads", 0, 1, INT32_MAX);
  if (!project(call, hone_onnx_need(call, 0), hone_onnx_need(call, 1), hone_onnx_in(call, 2), count,
               &h))
    return NULL;
  return attend_merged(call, &h, hone_onnx_in(call, 3), hone_onnx_in(call, 4));
}

static hone_status *import_qattention(hone_call *call) {
  heads h = {0};
  int64_t count = hone_onnx_int_in(call, "num_heads", 0, 1, INT32_MAX);
  hone_value *x = hone_onnx_dequantize(call, hone_onnx_need(call, 0), hone_onnx_need(call, 3),
                                       hone_onnx_in(call, 6), 1);
  hone_value *weights = hone_onnx_dequantize(call, hone_onnx_need(call, 1), hone_onnx_need(call, 4),
                                             hone_onnx_in(call, 7), 1);
  if (!project(call, x, weights, hone_onnx_need(call, 2), count, &h)) return NULL;
  return attend_merged(call, &h, hone_onnx_in(call, 5), hone_onnx_in(call, 8));
}

/* Part `index` of [b, s, heads, parts, d] as [b, heads, s, d]. */
static hone_value *unpack(hone_call *call, hone_value *x, int64_t index) {
  return hone_emit_transpose(call, pick(call, x, 3, index), 4, (const int64_t[]){0, 2, 1, 3});
}

/* One of query, key and value with its part of the bias, which begins at column `from`. */
static hone_value *biased_heads(hone_call *call, hone_value *x, hone_value *bias, int64_t count,
                                int64_t *from) {
  if (hone_emit_rank(call, x) == 4) return x;
  if (bias) {
    hone_dim width = x->type.shape.dim[2];
    if (!hone_dim_known(width)) {
      hone_emit_fail(call, HONE_UNSUPPORTED, "a bias on a hidden size that is not known");
      return x;
    }
    x = HONE_EMIT(call, "add", x, hone_onnx_columns(call, bias, *from, *from + width));
    *from += width;
  }
  return hone_onnx_split_heads(call, x, count);
}

static hone_status *import_multi_head(hone_call *call) {
  hone_value *q = hone_onnx_need(call, 0), *k = hone_onnx_in(call, 1), *v = hone_onnx_in(call, 2);
  hone_value *bias = hone_onnx_in(call, 3), *past = hone_onnx_in(call, 6);
  int64_t count = hone_onnx_int_in(call, "num_heads", 0, 1, INT32_MAX), from = 0;
  heads h = {.mask = hone_onnx_in(call, 5),
             .causal = hone_onnx_flag(call, "unidirectional", false),
             .scale = hone_onnx_real(call, "scale", 0),
             .wants_scores = hone_onnx_wants(call, 3)};
  if (hone_onnx_in(call, 8) || hone_onnx_in(call, 9))
    return hone_emit_fail(call, HONE_UNSUPPORTED, "shared buffers inside of MultiHeadAttention");
  bool packed_q = hone_emit_rank(call, q) == 5, packed_k = k && hone_emit_rank(call, k) == 5;
  if ((packed_q || packed_k) && bias)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "a bias on packed projections");
  h.q = packed_q ? unpack(call, q, 0) : biased_heads(call, q, bias, count, &from);
  if (packed_q || packed_k) {
    h.k = unpack(call, packed_q ? q : k, packed_q);
    h.v = unpack(call, packed_q ? q : k, 1 + packed_q);
  } else if (k && v) {
    h.k = biased_heads(call, k, bias, count, &from);
    h.v = biased_heads(call, v, bias, count, &from);
  } else {
    return hone_emit_fail(call, HONE_INVALID_MODEL, "there are no keys and values");
  }
  if (past) h.offset = hone_emit_dims(call, past, 2, 3);
  h.k = hone_onnx_append(call, past, h.k, 2);
  h.v = hone_onnx_append(call, hone_onnx_in(call, 7), h.v, 2);
  use_key_mask(call, hone_onnx_in(call, 4), &h);
  hone_node *node = begin_attention(call, &h);
  hone_onnx_return(call, 0, hone_onnx_join_heads(call, hone_emit_end(call, node)));
  if (hone_onnx_wants(call, 1)) hone_onnx_return(call, 1, h.k);
  if (hone_onnx_wants(call, 2)) hone_onnx_return(call, 2, h.v);
  if (h.wants_scores) hone_onnx_return(call, 3, hone_emit_out(call, node, 1));
  return NULL;
}

/* ---- Positions ---- */

static hone_status *import_rotary(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0), *positions = hone_onnx_need(call, 1);
  hone_value *cos = hone_onnx_need(call, 2), *sin = hone_onnx_need(call, 3);
  bool packed = hone_emit_rank(call, x) == 3;
  if (hone_onnx_real(call, "scale", 1) != 1 || hone_onnx_flag(call, "is_packed_batching", false))
    return hone_emit_fail(call, HONE_UNSUPPORTED, "scaled or packed rotary embeddings");
  if (packed) {
    int64_t count = hone_onnx_int(call, "num_heads", 0);
    hone_dim width = x->type.shape.dim[2];
    hone_dim half = hone_emit_rank(call, cos) == 2 ? cos->type.shape.dim[1] : -1;
    if (count == 0 && hone_dim_known(width) && half > 0) count = width / (2 * half);
    if (count < 1) return hone_emit_fail(call, HONE_UNSUPPORTED, "heads of unknown number");
    x = hone_onnx_split_heads(call, x, count);
  }
  if (hone_emit_rank(call, positions) == 1)
    positions = HONE_EMIT(call, "add", hone_onnx_counting(call, x, 2),
                          hone_emit_cast(call, positions, HONE_S64));
  hone_value *y = hone_onnx_rotate(call, x, cos, sin, positions, "interleaved");
  hone_onnx_return(call, 0, packed ? hone_onnx_join_heads(call, y) : y);
  return NULL;
}

const hone_onnx_row hone_onnx_contrib_attention[] = {
    {"com.microsoft", "Attention", 1, 0, .import = import_attention},
    {"com.microsoft", "QAttention", 1, 0, .import = import_qattention},
    {"com.microsoft", "MultiHeadAttention", 1, 0, .import = import_multi_head},
    {"com.microsoft", "RotaryEmbedding", 1, 0, .import = import_rotary},
    {0}};
