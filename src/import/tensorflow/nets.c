/* Products, normalisations, softmax, reductions, selections. Room: import. */
#include <string.h>

#include "import/tensorflow/map.h"

/* ---- Products ---- */

hone_value *hone_tf_product(hone_call *call, const char *left, const char *right) {
  hone_node *node = HONE_EMIT_BEGIN(call, "matmul", hone_tf_in(call, 0), hone_tf_in(call, 1));
  hone_emit_set_int(call, node, "transpose_a", hone_tf_flag(call, left, false));
  hone_emit_set_int(call, node, "transpose_b", hone_tf_flag(call, right, false));
  return hone_emit_end(call, node);
}
static hone_status *import_matmul(hone_call *call) {
  hone_tf_return(call, 0, hone_tf_product(call, "transpose_a", "transpose_b"));
  return NULL;
}
static hone_status *import_batch_matmul(hone_call *call) {
  hone_tf_return(call, 0, hone_tf_product(call, "adj_x", "adj_y"));
  return NULL;
}

static hone_status *import_einsum(hone_call *call) {
  hone_value *in[8];
  int count = hone_tf_input_count(call);
  if (count < 1 || count > 8)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "an einsum of %d operands", count);
  for (int i = 0; i < count; i++) in[i] = hone_tf_in(call, i);
  hone_node *node = hone_emit_begin(call, "einsum", in, count, 1);
  hone_emit_set_text(call, node, "equation", hone_tf_text(call, "equation", ""));
  hone_tf_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

/* A bias along axis 1 gets an axis of one for each axis behind it. */
static hone_status *import_bias_add(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0), *bias = hone_tf_in(call, 1);
  const char *format = hone_tf_text(call, "data_format", "NHWC");
  int64_t dims[HONE_MAX_RANK];
  int rank = hone_emit_rank(call, x);
  if (strncmp(format, "NC", 2) == 0 && rank > 2) {
    for (int i = 0; i < rank - 1; i++) dims[i] = i ? 1 : -1;
    bias = hone_emit_reshape(call, bias, dims, (size_t)rank - 1);
  }
  hone_tf_return(call, 0, HONE_EMIT(call, "add", x, bias));
  return NULL;
}

/* ---- Normalisations ---- */

static hone_value *reduce(hone_call *call, const char *kind, hone_value *x, hone_value *axes,
                          bool keep) {
  hone_node *node = HONE_EMIT_BEGIN(call, "reduce", x, axes);
  hone_emit_set_text(call, node, "kind", kind);
  hone_emit_set_int(call, node, "keep", keep);
  hone_emit_set_int(call, node, "empty_is_all", false);
  return hone_emit_end(call, node);
}

/* Mean and variance of x itself, over all axes but `channels`. */
static void own_moments(hone_call *call, hone_value *x, int rank, int channels, hone_value **mean,
                        hone_value **variance) {
  int64_t axes[HONE_MAX_RANK], dims[HONE_MAX_RANK];
  size_t count = 0;
  for (int i = 0; i < rank; i++) {
    if (i != channels) axes[count++] = i;
    dims[i] = i == channels ? -1 : 1;
  }
  hone_value *over = hone_emit_ints(call, axes, count);
  *mean = reduce(call, "mean", x, over, false);
  hone_value *d = HONE_EMIT(call, "sub", x, hone_emit_reshape(call, *mean, dims, (size_t)rank));
  *variance = reduce(call, "mean", HONE_EMIT(call, "mul", d, d), over, false);
}

/* Without the attribute a batch norm trains; but given statistics, which TensorFlow refused to train
 * on when files like these were written, it uses them. */
static bool is_training(hone_call *call, const hone_value *mean) {
  size_t count;
  bool given = hone_shape_count(&mean->type.shape, &count) && count > 0;
  return hone_tf_flag(call, "is_training", !given);
}

hone_value *hone_tf_batch_norm(hone_call *call) {
  hone_value *given = hone_tf_in(call, 0), *scale = hone_tf_in(call, 1);
  hone_value *x = hone_emit_cast(call, given, scale->type.dtype);
  hone_value *mean = hone_tf_in(call, 3), *variance = hone_tf_in(call, 4);
  int rank = hone_emit_rank(call, x);
  if (rank != 4 && rank != 5) {
    hone_emit_fail(call, HONE_INVALID_MODEL, "a batch norm of %d dimensions", rank);
    return call->placeholder;
  }
  int channels = hone_tf_channels_first(call, rank) ? 1 : rank - 1;
  if (is_training(call, mean))
    own_moments(call, x, rank, channels, &mean, &variance);
  hone_node *node =
      HONE_EMIT_BEGIN(call, "batch_norm", x, scale, hone_tf_in(call, 2), mean, variance);
  hone_emit_set_real(call, node, "epsilon", hone_tf_real(call, "epsilon", 1e-4));
  hone_emit_set_int(call, node, "axis", channels);
  hone_tf_return(call, 1, mean);
  hone_tf_return(call, 2, variance);
  return hone_emit_cast(call, hone_emit_end(call, node), given->type.dtype);
}

static hone_status *import_batch_norm(hone_call *call) {
  hone_tf_return(call, 0, hone_tf_batch_norm(call));
  return NULL;
}

static hone_status *import_lrn(hone_call *call) {
  int64_t size = 2 * hone_tf_int(call, "depth_radius", 5) + 1;
  hone_node *node = HONE_EMIT_BEGIN(call, "lrn", hone_tf_in(call, 0));
  hone_emit_set_int(call, node, "size", size);
  hone_emit_set_real(call, node, "alpha", hone_tf_real(call, "alpha", 1) * (double)size);
  hone_emit_set_real(call, node, "beta", hone_tf_real(call, "beta", 0.5));
  hone_emit_set_real(call, node, "bias", hone_tf_real(call, "bias", 1));
  hone_tf_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

static hone_status *import_l2_loss(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0);
  hone_node *node = HONE_EMIT_BEGIN(call, "reduce", x);
  hone_emit_set_text(call, node, "kind", "sum_square");
  hone_emit_set_int(call, node, "keep", false);
  hone_tf_return(call, 0, HONE_EMIT(call, "mul", hone_emit_end(call, node),
                                    hone_emit_real(call, x->type.dtype, 0.5)));
  return NULL;
}

/* ---- Reductions ---- */

/* Axes as a vector; one axis may be a scalar. */
static hone_value *axes_of(hone_call *call, int index) {
  static const int64_t flat[] = {-1};
  hone_value *axes = hone_emit_cast(call, hone_tf_in(call, index), HONE_S64);
  return axes->type.shape.rank == 0 ? hone_emit_reshape(call, axes, flat, 1) : axes;
}

static hone_status *import_reduce(hone_call *call, const char *kind) {
  bool keep = hone_tf_flag(call, "keep_dims", false);
  hone_tf_return(call, 0, reduce(call, kind, hone_tf_in(call, 0), axes_of(call, 1), keep));
  return NULL;
}
static hone_status *import_sum(hone_call *call) { return import_reduce(call, "sum"); }
static hone_status *import_mean(hone_call *call) { return import_reduce(call, "mean"); }
static hone_status *import_max(hone_call *call) { return import_reduce(call, "max"); }
static hone_status *import_min(hone_call *call) { return import_reduce(call, "min"); }
static hone_status *import_prod(hone_call *call) { return import_reduce(call, "prod"); }
static hone_status *import_norm(hone_call *call) { return import_reduce(call, "l2"); }

/* Truths as numbers: the largest tells whether any holds, the least whether all do. */
static hone_status *reduce_truth(hone_call *call, const char *kind) {
  bool keep = hone_tf_flag(call, "keep_dims", false);
  hone_value *x = hone_emit_cast(call, hone_tf_in(call, 0), HONE_S32);
  hone_value *y = reduce(call, kind, x, axes_of(call, 1), keep);
  hone_tf_return(call, 0, hone_emit_cast(call, y, HONE_BOOL));
  return NULL;
}
static hone_status *import_any(hone_call *call) { return reduce_truth(call, "max"); }
static hone_status *import_all(hone_call *call) { return reduce_truth(call, "min"); }

static hone_status *import_arg(hone_call *call, const char *kind) {
  hone_node *node = HONE_EMIT_BEGIN(call, "arg_reduce", hone_tf_in(call, 0));
  hone_emit_set_text(call, node, "kind", kind);
  hone_emit_set_int(call, node, "axis", hone_tf_known_int(call, 1));
  hone_emit_set_int(call, node, "keep", false);
  hone_dtype to = hone_tf_dtype(call, "output_type", HONE_S64);
  hone_tf_return(call, 0, hone_emit_cast(call, hone_emit_end(call, node), to));
  return NULL;
}
static hone_status *import_arg_max(hone_call *call) { return import_arg(call, "max"); }
static hone_status *import_arg_min(hone_call *call) { return import_arg(call, "min"); }

static hone_status *import_cumulate(hone_call *call, const char *kind) {
  hone_node *node = HONE_EMIT_BEGIN(call, "cumsum", hone_tf_in(call, 0), hone_tf_in(call, 1));
  hone_emit_set_text(call, node, "kind", kind);
  hone_emit_set_int(call, node, "exclusive", hone_tf_flag(call, "exclusive", false));
  hone_emit_set_int(call, node, "reverse", hone_tf_flag(call, "reverse", false));
  hone_tf_return(call, 0, hone_emit_end(call, node));
  return NULL;
}
static hone_status *import_cumsum(hone_call *call) { return import_cumulate(call, "sum"); }
static hone_status *import_cumprod(hone_call *call) { return import_cumulate(call, "prod"); }

static hone_status *import_topk(hone_call *call) {
  static const int64_t one = 1;
  hone_value *k = hone_tf_input_count(call) > 1
                      ? hone_emit_cast(call, hone_tf_in(call, 1), HONE_S64)
                      : hone_emit_int(call, hone_tf_int(call, "k", 1));
  hone_value *const in[] = {hone_tf_in(call, 0), hone_emit_reshape(call, k, &one, 1)};
  hone_node *node = hone_emit_begin(call, "topk", in, 2, 2);
  hone_emit_set_int(call, node, "sorted", hone_tf_flag(call, "sorted", true));
  hone_tf_return(call, 0, hone_emit_end(call, node));
  hone_dtype to = hone_tf_dtype(call, "index_type", HONE_S32);
  hone_tf_return(call, 1, hone_emit_cast(call, hone_emit_out(call, node, 1), to));
  return NULL;
}

const hone_tf_row hone_tf_nets[] = {
    {"All", .import = import_all},
    {"Any", .import = import_any},
    {"ArgMax", .import = import_arg_max},
    {"ArgMin", .import = import_arg_min},
    {"BatchMatMul", .import = import_batch_matmul},
    {"BatchMatMulV2", .import = import_batch_matmul},
    {"BatchMatMulV3", .import = import_batch_matmul},
    {"BiasAdd", .import = import_bias_add},
    {"BiasAddV1", .import = import_bias_add},
    {"Cumprod", .import = import_cumprod},
    {"Cumsum", .import = import_cumsum},
    {"Einsum", .import = import_einsum},
    {"EuclideanNorm", .import = import_norm},
    {"FusedBatchNorm", .import = import_batch_norm,
     .outputs = "y batch_mean batch_variance reserve_space_1 reserve_space_2"},
    {"FusedBatchNormV2", .import = import_batch_norm,
     .outputs = "y batch_mean batch_variance reserve_space_1 reserve_space_2"},
    {"FusedBatchNormV3", .import = import_batch_norm,
     .outputs = "y batch_mean batch_variance reserve_space_1 reserve_space_2 reserve_space_3"},
    {"L2Loss", .import = import_l2_loss},
    {"LRN", .import = import_lrn},
    {"LogSoftmax", "log_softmax", "axis=-1"},
    {"MatMul", .import = import_matmul},
    {"Max", .import = import_max},
    {"Mean", .import = import_mean},
    {"Min", .import = import_min},
    {"Prod", .import = import_prod},
    {"Softmax", "softmax", "axis=-1"},
    {"Sum", .import = import_sum},
    {"TopK", .import = import_topk, .outputs = "values indices"},
    {"TopKV2", .import = import_topk, .outputs = "values indices"},
    {0},
};
