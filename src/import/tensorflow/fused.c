/* Operators that TensorFlow's optimiser fused: a product or a convolution with what follows it.
 * Room: import. */
#include <string.h>

#include "import/tensorflow/map.h"

/* A fused operator on its way: what it gives so far, and its arguments not taken yet. */
typedef struct fusion {
  hone_value *y;
  int next;      /* the input that is taken next */
  bool channels_first;
} fusion;

/* A vector as the channels of y. */
static hone_value *along_channels(hone_call *call, const fusion *f, hone_value *vector) {
  int64_t dims[HONE_MAX_RANK];
  int rank = hone_emit_rank(call, f->y);
  if (!f->channels_first || rank < 3) return vector;
  for (int i = 0; i < rank - 1; i++) dims[i] = i ? 1 : -1;
  return hone_emit_reshape(call, vector, dims, (size_t)rank - 1);
}

static hone_value *take(hone_call *call, fusion *f) { return hone_tf_in(call, f->next++); }

static void fuse_bias(hone_call *call, fusion *f) {
  f->y = HONE_EMIT(call, "add", f->y, along_channels(call, f, take(call, f)));
}
static void fuse_add(hone_call *call, fusion *f) {
  f->y = HONE_EMIT(call, "add", f->y, take(call, f));
}

/* Scale, offset, mean, variance. */
static void fuse_norm(hone_call *call, fusion *f) {
  hone_value *scale = take(call, f), *offset = take(call, f), *mean = take(call, f);
  hone_node *node = HONE_EMIT_BEGIN(call, "batch_norm", f->y, scale, offset, mean, take(call, f));
  hone_emit_set_real(call, node, "epsilon", hone_tf_real(call, "epsilon", 1e-4));
  hone_emit_set_int(call, node, "axis",
                    f->channels_first ? 1 : hone_emit_rank(call, f->y) - 1);
  f->y = hone_emit_end(call, node);
}

static void fuse_leaky_relu(hone_call *call, fusion *f) {
  hone_node *node = HONE_EMIT_BEGIN(call, "leaky_relu", f->y);
  hone_emit_set_real(call, node, "alpha", hone_tf_real(call, "leakyrelu_alpha", 0.2));
  f->y = hone_emit_end(call, node);
}

static void fuse_relu6(hone_call *call, fusion *f) {
  hone_dtype dtype = f->y->type.dtype;
  f->y = HONE_EMIT(call, "clip", f->y, hone_emit_real(call, dtype, 0),
                   hone_emit_real(call, dtype, 6));
}

static void fuse_gelu_tanh(hone_call *call, fusion *f) {
  hone_node *node = HONE_EMIT_BEGIN(call, "gelu", f->y);
  hone_emit_set_text(call, node, "approximate", "tanh");
  f->y = hone_emit_end(call, node);
}

/* What may follow, by TensorFlow's name: a function, or an op of one input. */
static const struct {
  const char *name, *op;
  void (*fuse)(hone_call *call, fusion *f);
} followers[] = {
    {"BiasAdd", NULL, fuse_bias},      {"Add", NULL, fuse_add},
    {"FusedBatchNorm", NULL, fuse_norm}, {"LeakyRelu", NULL, fuse_leaky_relu},
    {"Relu6", NULL, fuse_relu6},       {"Relu", "relu", NULL},
    {"Elu", "elu", NULL},              {"Tanh", "tanh", NULL},
    {"Sigmoid", "sigmoid", NULL},      {"_FusedSwish", "swish", NULL},
    {"GeluExact", "gelu", NULL},       {"GeluApproximate", NULL, fuse_gelu_tanh},
    {"Identity", "identity", NULL},    {"None", "identity", NULL},
};
#define FOLLOWER_COUNT (sizeof followers / sizeof *followers)

static void follow(hone_call *call, fusion *f, const char *name) {
  for (size_t i = 0; i < FOLLOWER_COUNT; i++) {
    if (strcmp(followers[i].name, name) != 0) continue;
    if (followers[i].fuse) followers[i].fuse(call, f);
    else f->y = HONE_EMIT(call, followers[i].op, f->y);
    return;
  }
  hone_emit_fail(call, HONE_UNSUPPORTED, "%.40s fused into it", name);
}

static hone_status *import_fused(hone_call *call, hone_value *y, bool channels_first) {
  fusion f = {.y = y, .next = 2, .channels_first = channels_first};
  size_t count;
  const char *const *names = hone_tf_texts(call, "fused_ops", &count);
  for (size_t i = 0; i < count && !call->status; i++) follow(call, &f, names[i]);
  hone_tf_return(call, 0, f.y);
  return NULL;
}

static hone_status *import_fused_conv(hone_call *call) {
  return import_fused(call, hone_tf_conv(call, false), hone_tf_channels_first(call, 4));
}
static hone_status *import_fused_depthwise(hone_call *call) {
  return import_fused(call, hone_tf_conv(call, true), hone_tf_channels_first(call, 4));
}
static hone_status *import_fused_matmul(hone_call *call) {
  return import_fused(call, hone_tf_product(call, "transpose_a", "transpose_b"), false);
}

/* The batch norm gives its outputs as ever; the sum and the activation are on the first. */
static hone_status *import_norm_ex(hone_call *call) {
  fusion f = {.y = hone_tf_batch_norm(call), .next = 5};
  if (hone_tf_int(call, "num_side_inputs", 0)) fuse_add(call, &f);
  follow(call, &f, hone_tf_text(call, "activation_mode", "Identity"));
  hone_tf_return(call, 0, f.y);
  return NULL;
}

/* activation(conv(x) * conv_input_scale + side * side_input_scale + bias); cuDNN's, on GPUs. */
static hone_status *import_conv_bias_activation(hone_call *call) {
  fusion f = {.y = hone_tf_conv(call, false), .next = 2,
              .channels_first = hone_tf_channels_first(call, 4)};
  hone_dtype dtype = f.y->type.dtype;
  hone_value *bias = along_channels(call, &f, hone_tf_in(call, 2)), *side = hone_tf_in(call, 3);
  double scales[2] = {1, 0};
  size_t count, size;
  for (int i = 0; i < 2; i++)
    if (!hone_known_reals(hone_tf_in(call, 4 + i), &scales[i], 1, &count) || count != 1)
      return hone_emit_fail(call, HONE_UNSUPPORTED, "scales that are not constant");
  if (scales[0] != 1)
    f.y = HONE_EMIT(call, "mul", f.y, hone_emit_real(call, dtype, scales[0]));
  bool empty = hone_shape_count(&side->type.shape, &size) && size == 0;
  if (scales[1] != 0 && !empty) {
    side = HONE_EMIT(call, "mul", side, hone_emit_real(call, dtype, scales[1]));
    f.y = HONE_EMIT(call, "add", f.y, side);
  }
  f.y = HONE_EMIT(call, "add", f.y, bias);
  follow(call, &f, hone_tf_text(call, "activation_mode", "Relu"));
  hone_tf_return(call, 0, f.y);
  return NULL;
}

const hone_tf_row hone_tf_fused[] = {
    {"FusedConv2DBiasActivation", .import = import_conv_bias_activation},
    {"_FusedBatchNormEx", .import = import_norm_ex,
     .outputs = "y batch_mean batch_variance reserve_space_1 reserve_space_2 reserve_space_3"},
    {"_FusedConv2D", .import = import_fused_conv},
    {"_FusedDepthwiseConv2dNative", .import = import_fused_depthwise},
    {"_FusedMatMul", .import = import_fused_matmul},
    {0},
};
