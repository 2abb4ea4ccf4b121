/* Pointwise and normalising operators of ONNX Runtime's domain, com.microsoft, as its optimiser and
 * its model exporters write them. Room: import. */
#include "import/onnx/quantised.h"

#include <string.h>

#define DOMAIN "com.microsoft"

static hone_value *plus(hone_call *call, hone_value *x, hone_value *bias) {
  return bias ? HONE_EMIT(call, "add", x, bias) : x;
}

static hone_value *gelu(hone_call *call, hone_value *x, const char *approximate) {
  hone_node *node = HONE_EMIT_BEGIN(call, "gelu", x);
  hone_emit_set_text(call, node, "approximate", approximate);
  return hone_emit_end(call, node);
}

static hone_status *import_fast_gelu(hone_call *call) {
  hone_value *x = plus(call, hone_onnx_need(call, 0), hone_onnx_in(call, 1));
  hone_onnx_return(call, 0, gelu(call, x, "tanh"));
  return NULL;
}

static hone_status *import_bias_gelu(hone_call *call) {
  hone_value *x = plus(call, hone_onnx_need(call, 0), hone_onnx_need(call, 1));
  hone_onnx_return(call, 0, gelu(call, x, "none"));
  return NULL;
}

static hone_status *import_quick_gelu(hone_call *call) {
  hone_node *node = HONE_EMIT_BEGIN(call, "swish", hone_onnx_need(call, 0));
  hone_emit_set_real(call, node, "alpha", hone_onnx_real(call, "alpha", (double)1.702f));
  hone_onnx_end_return(call, node);
  return NULL;
}

static hone_status *import_bias_add(hone_call *call) {
  hone_value *x = plus(call, hone_onnx_need(call, 0), hone_onnx_need(call, 1));
  hone_onnx_return(call, 0, plus(call, x, hone_onnx_need(call, 2)));
  return NULL;
}

/* The first half of the last axis times gelu of the second. */
static hone_status *import_bias_split_gelu(hone_call *call) {
  hone_value *x = plus(call, hone_onnx_need(call, 0), hone_onnx_need(call, 1));
  hone_node *split = hone_emit_begin(call, "split", (hone_value *const[]){x}, 1, 2);
  hone_emit_set_int(call, split, "axis", -1);
  hone_value *first = hone_emit_end(call, split);
  hone_value *second = gelu(call, hone_emit_out(call, split, 1), "none");
  hone_onnx_return(call, 0, HONE_EMIT(call, "mul", first, second));
  return NULL;
}

/* Normalises `sum` over its last axis; mean and inverse deviation go to outputs 1 and 2. */
static void normalise(hone_call *call, const char *op, hone_value *sum, hone_value *scale,
                      hone_value *bias, double epsilon, bool statistics) {
  bool simple = strcmp(op, "rms_norm") == 0;
  hone_value *const inputs[] = {sum, scale, bias};
  hone_node *node = hone_emit_begin(call, op, inputs, simple ? 2 : 3, simple ? 1 : 3);
  hone_emit_set_int(call, node, "axis", -1);
  hone_emit_set_real(call, node, "epsilon", hone_onnx_real(call, "epsilon", epsilon));
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  for (int i = 1; i < 3 && !simple && statistics; i++)
    if (hone_onnx_wants(call, i)) hone_onnx_return(call, i, hone_emit_out(call, node, i));
}

static hone_status *import_skip_layer_norm(hone_call *call) {
  hone_value *sum = plus(call, hone_onnx_need(call, 0), hone_onnx_need(call, 1));
  sum = plus(call, sum, hone_onnx_in(call, 4));
  normalise(call, "layer_norm", sum, hone_onnx_need(call, 2), hone_onnx_in(call, 3), 1e-12, true);
  if (hone_onnx_wants(call, 3)) hone_onnx_return(call, 3, sum);
  return NULL;
}

static hone_status *import_skip_rms_norm(hone_call *call) {
  hone_value *sum = plus(call, hone_onnx_need(call, 0), hone_onnx_need(call, 1));
  sum = plus(call, sum, hone_onnx_in(call, 3));
  normalise(call, "rms_norm", sum, hone_onnx_need(call, 2), NULL, 1e-12, false);
  if (hone_onnx_wants(call, 3)) hone_onnx_return(call, 3, sum);
  return NULL;
}

/* What the input `index` of the embeddings is as real numbers: itself, or in the quantised form
 * made from the bytes by the scale and zero point that stand 6 and 11 inputs after it. */
static hone_value *real_of(hone_call *call, hone_value *x, int index, bool quantised) {
  if (!quantised) return x;
  return hone_onnx_dequantize(call, x, hone_onnx_need(call, index + 6),
                              hone_onnx_need(call, index + 11), -1);
}

/* Words, positions and segments looked up, added, normalised: the first layer of BERT. */
static hone_status *embed(hone_call *call, bool quantised) {
  hone_value *ids = hone_onnx_need(call, 0), *segments = hone_onnx_in(call, 1);
  hone_value *table = hone_onnx_need(call, 3);
  hone_value *positions = quantised ? NULL : hone_onnx_in(call, 8);
  hone_value *place =
      positions ? HONE_EMIT(call, "gather", table, positions)
                : HONE_EMIT(call, "slice", table, hone_emit_ints(call, (const int64_t[]){0}, 1),
                            hone_emit_dims(call, ids, 1, 2),
                            hone_emit_ints(call, (const int64_t[]){0}, 1));
  hone_value *words = HONE_EMIT(call, "gather", hone_onnx_need(call, 2), ids);
  hone_value *sum = HONE_EMIT(call, "add", real_of(call, words, 2, quantised),
                              real_of(call, place, 3, quantised));
  if (segments && hone_onnx_in(call, 4)) {
    hone_value *kinds = HONE_EMIT(call, "gather", hone_onnx_in(call, 4), segments);
    sum = HONE_EMIT(call, "add", sum, real_of(call, kinds, 4, quantised));
  }
  normalise(call, "layer_norm", sum, real_of(call, hone_onnx_need(call, 5), 5, quantised),
            real_of(call, hone_onnx_need(call, 6), 6, quantised), 1e-12, false);
  if (hone_onnx_wants(call, 2)) hone_onnx_return(call, 2, sum);
  if (!hone_onnx_wants(call, 1)) return NULL;
  /* How long each line of the mask is; without a mask ONNX Runtime gives zeros. */
  hone_value *mask = hone_onnx_in(call, 7);
  hone_node *length =
      HONE_EMIT_BEGIN(call, "reduce", mask ? mask : HONE_EMIT(call, "sub", ids, ids),
                      hone_emit_ints(call, (const int64_t[]){1}, 1));
  hone_emit_set_text(call, length, "kind", "sum");
  hone_emit_set_int(call, length, "keep", false);
  hone_onnx_return(call, 1, hone_emit_cast(call, hone_emit_end(call, length), HONE_S32));
  return NULL;
}

static hone_status *import_embed_layer_norm(hone_call *call) {
  return embed(call, false);
}
static hone_status *import_quantised_embed(hone_call *call) {
  return embed(call, true);
}

/* Channels last unless told otherwise; activation 1 is silu. */
static hone_status *group_norm(hone_call *call, hone_value *x) {
  hone_node *node =
      HONE_EMIT_BEGIN(call, "group_norm", x, hone_onnx_need(call, 1), hone_onnx_need(call, 2));
  hone_emit_set_int(call, node, "groups", hone_onnx_int_in(call, "groups", 0, 1, INT32_MAX));
  hone_emit_set_int(call, node, "axis", hone_onnx_flag(call, "channels_last", true) ? -1 : 1);
  hone_emit_set_real(call, node, "epsilon", hone_onnx_real(call, "epsilon", 1e-5));
  hone_value *y = hone_emit_end(call, node);
  if (hone_onnx_int_in(call, "activation", 0, 0, 1) == 1) y = HONE_EMIT(call, "silu", y);
  hone_onnx_return(call, 0, y);
  return NULL;
}

static hone_status *import_group_norm(hone_call *call) {
  return group_norm(call, hone_onnx_need(call, 0));
}

/* What is added may be one number a channel of each picture: [n, c], or with axes of 1. */
static hone_status *import_skip_group_norm(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0), *skip = hone_onnx_need(call, 3);
  bool last = hone_onnx_flag(call, "channels_last", true);
  if (hone_emit_rank(call, skip) == 2)
    skip = HONE_EMIT(
        call, "unsqueeze", skip,
        hone_emit_ints(call, last ? (const int64_t[]){1, 2} : (const int64_t[]){2, 3}, 2));
  hone_value *sum = plus(call, plus(call, x, skip), hone_onnx_in(call, 4));
  if (hone_onnx_wants(call, 1)) hone_onnx_return(call, 1, sum);
  return group_norm(call, sum);
}

static hone_status *import_gemm_fast_gelu(hone_call *call) {
  hone_value *y = HONE_EMIT(call, "matmul", hone_onnx_need(call, 0), hone_onnx_need(call, 1));
  hone_onnx_return(call, 0, gelu(call, plus(call, y, hone_onnx_in(call, 2)), "tanh"));
  return NULL;
}

const hone_onnx_row hone_onnx_microsoft[] = {
    {DOMAIN, "BiasAdd", 1, 0, .import = import_bias_add},
    {DOMAIN, "BiasGelu", 1, 0, .import = import_bias_gelu},
    {DOMAIN, "BiasSplitGelu", 1, 0, .import = import_bias_split_gelu},
    {DOMAIN, "EmbedLayerNormalization", 1, 0, .import = import_embed_layer_norm},
    {DOMAIN, "ExpandDims", 1, 0, "unsqueeze"},
    {DOMAIN, "FastGelu", 1, 0, .import = import_fast_gelu},
    {DOMAIN, "GatherND", 1, 0, "gather_nd"},
    {DOMAIN, "Gelu", 1, 0, "gelu"},
    {DOMAIN, "GemmFastGelu", 1, 0, .import = import_gemm_fast_gelu},
    {DOMAIN, "GroupNorm", 1, 0, .import = import_group_norm},
    {DOMAIN, "QEmbedLayerNormalization", 1, 0, .import = import_quantised_embed},
    {DOMAIN, "QuickGelu", 1, 0, .import = import_quick_gelu},
    {DOMAIN, "SkipGroupNorm", 1, 0, .import = import_skip_group_norm},
    {DOMAIN, "SkipLayerNormalization", 1, 0, .import = import_skip_layer_norm},
    {DOMAIN, "SkipSimplifiedLayerNormalization", 1, 0, .import = import_skip_rms_norm},
    {DOMAIN, "Trilu", 1, 0, "trilu", "upper"},
    {0}};
