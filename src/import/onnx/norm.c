/* Normalisations of ONNX. Room: import. */
#include "import/onnx/map.h"

/* Mean or sum over `axes`, kept as 1 or gone. */
static hone_value *reduce(hone_call *call, const char *kind, hone_value *x, hone_value *axes,
                          bool keep) {
  hone_node *node = HONE_EMIT_BEGIN(call, "reduce", x, axes);
  hone_emit_set_text(call, node, "kind", kind);
  hone_emit_set_int(call, node, "keep", keep);
  return hone_emit_end(call, node);
}

static hone_value *batch_norm(hone_call *call, hone_value *mean, hone_value *variance) {
  hone_node *node = HONE_EMIT_BEGIN(call, "batch_norm", hone_onnx_need(call, 0),
                                    hone_onnx_need(call, 1), hone_onnx_need(call, 2), mean,
                                    variance);
  hone_emit_set_int(call, node, "axis", 1);
  hone_emit_set_real(call, node, "epsilon", hone_onnx_real(call, "epsilon", 1e-5));
  return hone_emit_end(call, node);
}

/* old * momentum + now * (1 - momentum) */
static hone_value *running(hone_call *call, hone_value *old, hone_value *now) {
  double momentum = hone_onnx_real(call, "momentum", 0.9);
  hone_value *kept = hone_emit_real(call, old->type.dtype, momentum);
  hone_value *taken = hone_emit_real(call, old->type.dtype, 1 - momentum);
  now = hone_emit_cast(call, now, old->type.dtype);
  return HONE_EMIT(call, "add", HONE_EMIT(call, "mul", old, kept),
                   HONE_EMIT(call, "mul", now, taken));
}

/* With training_mode the statistics are those of this batch. */
static hone_status *train_batch_norm(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0);
  int rank = hone_emit_rank(call, x), count = 0;
  int64_t axes[HONE_MAX_RANK];
  for (int i = 0; i < rank; i++)
    if (i != 1) axes[count++] = i;
  hone_value *over = hone_emit_ints(call, axes, (size_t)count);
  hone_value *mean = reduce(call, "mean", x, over, true);
  hone_value *off = HONE_EMIT(call, "sub", x, mean);
  hone_value *variance = reduce(call, "mean", HONE_EMIT(call, "mul", off, off), over, false);
  mean = HONE_EMIT(call, "squeeze", mean, over);
  hone_onnx_return(call, 0, batch_norm(call, mean, variance));
  if (hone_onnx_wants(call, 1))
    hone_onnx_return(call, 1, running(call, hone_onnx_need(call, 3), mean));
  if (hone_onnx_wants(call, 2))
    hone_onnx_return(call, 2, running(call, hone_onnx_need(call, 4), variance));
  return NULL;
}

static hone_status *import_batch_norm(hone_call *call) {
  if (!hone_onnx_flag(call, "spatial", true))
    return hone_emit_fail(call, HONE_UNSUPPORTED, "spatial=0 (gone since opset 9)");
  if (hone_onnx_flag(call, "training_mode", false)) return train_batch_norm(call);
  for (int i = 1; i < 5; i++)
    if (hone_onnx_wants(call, i))
      return hone_emit_fail(call, HONE_UNSUPPORTED, "statistics of training are wanted");
  (void)hone_onnx_real(call, "momentum", 0.9);
  hone_onnx_return(call, 0, batch_norm(call, hone_onnx_need(call, 3), hone_onnx_need(call, 4)));
  return NULL;
}

/* One scale and bias a group becomes one a channel: [G] -> [G, C / G] -> [C]. */
static hone_value *spread(hone_call *call, hone_value *each, int64_t groups,
                          hone_value *channels) {
  hone_value *per_group = HONE_EMIT(call, "div", channels, hone_emit_int(call, groups));
  hone_value *column = hone_emit_reshape(call, each, (int64_t[]){-1, 1}, 2);
  hone_node *concat =
      HONE_EMIT_BEGIN(call, "concat", hone_emit_ints(call, &groups, 1), per_group);
  hone_emit_set_int(call, concat, "axis", 0);
  hone_value *table = HONE_EMIT(call, "expand", column, hone_emit_end(call, concat));
  return hone_emit_reshape(call, table, (int64_t[]){-1}, 1);
}

static hone_status *import_group_norm(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0), *scale = hone_onnx_need(call, 1);
  hone_value *bias = hone_onnx_need(call, 2);
  int64_t groups = hone_onnx_int_in(call, "num_groups", 0, 1, INT32_MAX);
  (void)hone_onnx_int(call, "stash_type", 1);
  if (hone_onnx_opset(call) < 21) {
    hone_value *channels = hone_emit_dims(call, x, 1, 2);
    scale = spread(call, scale, groups, channels);
    bias = spread(call, bias, groups, channels);
  }
  hone_node *node = HONE_EMIT_BEGIN(call, "group_norm", x, scale, bias);
  hone_emit_set_int(call, node, "groups", groups);
  hone_emit_set_int(call, node, "axis", 1);
  hone_emit_set_real(call, node, "epsilon", hone_onnx_real(call, "epsilon", 1e-5));
  hone_onnx_end_return(call, node);
  return NULL;
}

/* layer_norm over the axes from `axis` on; `node` has its inputs. */
static void set_layer_norm(hone_call *call, hone_node *node) {
  (void)hone_onnx_int(call, "stash_type", 1);
  hone_emit_set_int(call, node, "axis", hone_onnx_int(call, "axis", -1));
  hone_emit_set_real(call, node, "epsilon", hone_onnx_real(call, "epsilon", 1e-5));
}

static hone_status *import_layer_norm(hone_call *call) {
  hone_value *const inputs[] = {hone_onnx_need(call, 0), hone_onnx_in(call, 1),
                                hone_onnx_in(call, 2)};
  hone_node *node = hone_emit_begin(call, "layer_norm", inputs, 3, 3);
  set_layer_norm(call, node);
  hone_onnx_end_return(call, node);
  return NULL;
}

static hone_status *import_rms_norm(hone_call *call) {
  hone_node *node =
      HONE_EMIT_BEGIN(call, "rms_norm", hone_onnx_need(call, 0), hone_onnx_in(call, 1));
  set_layer_norm(call, node);
  hone_onnx_end_return(call, node);
  return NULL;
}

/* (x - mean) / (deviation + 1e-9) */
static hone_status *import_mean_variance_norm(hone_call *call) {
  static const int64_t usual[] = {0, 2, 3};
  hone_value *x = hone_onnx_need(call, 0);
  size_t count;
  const int64_t *axes = hone_onnx_ints(call, "axes", &count);
  if (!hone_onnx_has(call, "axes")) axes = usual, count = 3;
  hone_value *over = hone_emit_ints(call, axes, count);
  hone_value *off = HONE_EMIT(call, "sub", x, reduce(call, "mean", x, over, true));
  hone_value *variance = reduce(call, "mean", HONE_EMIT(call, "mul", off, off), over, true);
  hone_value *epsilon = hone_emit_real(call, x->type.dtype, 1e-9);
  hone_value *deviation =
      HONE_EMIT(call, "add", HONE_EMIT(call, "sqrt", variance), epsilon);
  hone_onnx_return(call, 0, HONE_EMIT(call, "div", off, deviation));
  return NULL;
}

static hone_status *import_lrn(hone_call *call) {
  hone_node *node =
      HONE_EMIT_BEGIN(call, "lrn", hone_emit_channels_last(call, hone_onnx_need(call, 0)));
  hone_emit_set_int(call, node, "size", hone_onnx_int(call, "size", 0));
  hone_emit_set_real(call, node, "alpha", hone_onnx_real(call, "alpha", 1e-4));
  hone_emit_set_real(call, node, "beta", hone_onnx_real(call, "beta", 0.75));
  hone_emit_set_real(call, node, "bias", hone_onnx_real(call, "bias", 1));
  hone_onnx_return(call, 0, hone_emit_channels_first(call, hone_emit_end(call, node)));
  return NULL;
}

const hone_onnx_row hone_onnx_norm[] = {
    {"", "BatchNormalization", 7, 0, .import = import_batch_norm},
    {"", "GroupNormalization", 18, 0, .import = import_group_norm},
    {"", "InstanceNormalization", 6, 0, "instance_norm", "epsilon axis=1"},
    {"", "LRN", 1, 0, .import = import_lrn},
    /* Before opset 17 it is ONNX Runtime's, under the same name and with the same meaning. */
    {"", "LayerNormalization", 1, 0, .import = import_layer_norm},
    {"", "LpNormalization", 1, 0, "lp_norm", "axis p"},
    {"", "MeanVarianceNormalization", 9, 0, .import = import_mean_variance_norm},
    {"", "RMSNormalization", 23, 0, .import = import_rms_norm},
    {"", "SimplifiedLayerNormalization", 1, 0, .import = import_rms_norm},
    {0}};
