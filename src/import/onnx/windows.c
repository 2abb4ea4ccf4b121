/* Convolutions and pooling. ONNX has channels second; the graph has them last. Room: import. */
#include <string.h>

#include "import/onnx/windows.h"

void hone_onnx_set_window(hone_call *call, hone_node *node, int rank, bool dilations) {
  static const struct {
    const char *onnx, *hone;
  } paddings[] = {{"NOTSET", "explicit"},
                  {"SAME_UPPER", "same_upper"},
                  {"SAME_LOWER", "same_lower"},
                  {"VALID", "valid"}};
  size_t axes = (size_t)rank;
  const char *padding = hone_onnx_text(call, "auto_pad", "NOTSET"), *found = NULL;
  for (size_t i = 0; i < 4; i++)
    if (strcmp(padding, paddings[i].onnx) == 0) found = paddings[i].hone;
  if (!found) {
    hone_emit_fail(call, HONE_INVALID_MODEL, "auto_pad is none of the standard's");
    return;
  }
  hone_emit_set_text(call, node, "padding", found);
  hone_emit_set_ints(call, node, "strides", hone_onnx_ints_of(call, "strides", axes, 1), axes);
  if (dilations)
    hone_emit_set_ints(call, node, "dilations", hone_onnx_ints_of(call, "dilations", axes, 1),
                       axes);
  if (strcmp(found, "explicit") == 0)
    hone_emit_set_ints(call, node, "pads", hone_onnx_ints_of(call, "pads", 2 * axes, 0), 2 * axes);
}

/* The rank of a value over spatial axes, 3 or more; less fails and gives 3. */
static int window_rank(hone_call *call, const hone_value *x) {
  int rank = hone_emit_rank(call, x);
  if (rank >= 3) return rank;
  hone_emit_fail(call, HONE_INVALID_MODEL, "%d dimensions leave no spatial axis", rank);
  return 3;
}

hone_value *hone_onnx_weights_last(hone_call *call, hone_value *w, int rank) {
  int64_t perm[HONE_MAX_RANK];
  for (int i = 0; i < rank - 2; i++) perm[i] = i + 2;
  perm[rank - 2] = 1;
  perm[rank - 1] = 0;
  return hone_emit_transpose(call, w, rank, perm);
}

hone_value *hone_onnx_to_last(hone_call *call, hone_value *x, int rank) {
  int64_t perm[HONE_MAX_RANK] = {0};
  for (int i = 1; i < rank - 1; i++) perm[i] = i + 1;
  if (rank > 1) perm[rank - 1] = 1;
  return hone_emit_transpose(call, x, rank, perm);
}

hone_value *hone_onnx_to_first(hone_call *call, hone_value *x, int rank) {
  int64_t perm[HONE_MAX_RANK] = {0};
  for (int i = 2; i < rank; i++) perm[i] = i - 1;
  if (rank > 1) perm[1] = rank - 1;
  return hone_emit_transpose(call, x, rank, perm);
}

/* kernel_shape, where given, is what the weights have. */
static void check_kernel(hone_call *call, const hone_value *w, int rank) {
  size_t count;
  const int64_t *kernel = hone_onnx_ints(call, "kernel_shape", &count);
  if (count && count != (size_t)rank - 2)
    hone_emit_fail(call, HONE_INVALID_MODEL, "kernel_shape has %zu numbers", count);
  for (size_t i = 0; i < count && i + 2 < (size_t)rank && w->type.shape.rank == rank; i++) {
    hone_dim size = w->type.shape.dim[i + 2];
    if (hone_dim_known(size) && size != kernel[i])
      hone_emit_fail(call, HONE_INVALID_MODEL, "kernel_shape is not the weights' shape");
  }
}

static hone_value *end_convolution(hone_call *call, hone_node *node, int rank) {
  hone_onnx_set_window(call, node, rank - 2, true);
  hone_emit_set_int(call, node, "groups", hone_onnx_int_in(call, "group", 1, 1, INT32_MAX));
  return hone_emit_end(call, node);
}

hone_value *hone_onnx_convolve(hone_call *call, hone_value *x, hone_value *w, hone_value *b) {
  int rank = window_rank(call, w);
  check_kernel(call, w, rank);
  hone_node *node = HONE_EMIT_BEGIN(call, "conv", hone_onnx_to_last(call, x, rank),
                                    hone_onnx_weights_last(call, w, rank), b);
  return end_convolution(call, node, rank);
}

hone_value *hone_onnx_convolve_integers(hone_call *call, hone_value *x, hone_value *w,
                                        hone_value *x_zero, hone_value *w_zero) {
  int rank = window_rank(call, w);
  check_kernel(call, w, rank);
  hone_node *node = HONE_EMIT_BEGIN(call, "conv_integer", hone_onnx_to_last(call, x, rank),
                                    hone_onnx_weights_last(call, w, rank), x_zero, w_zero);
  return end_convolution(call, node, rank);
}

static hone_status *import_conv(hone_call *call) {
  hone_value *w = hone_onnx_need(call, 1);
  hone_value *y = hone_onnx_convolve(call, hone_onnx_need(call, 0), w, hone_onnx_in(call, 2));
  hone_onnx_return(call, 0, hone_onnx_to_first(call, y, window_rank(call, w)));
  return NULL;
}

static hone_status *import_conv_transpose(hone_call *call) {
  hone_value *w = hone_onnx_need(call, 1);
  int rank = window_rank(call, w);
  check_kernel(call, w, rank);
  size_t axes = (size_t)rank - 2, count;
  hone_node *node = HONE_EMIT_BEGIN(call, "conv_transpose",
                                    hone_onnx_to_last(call, hone_onnx_need(call, 0), rank),
                                    hone_onnx_weights_last(call, w, rank), hone_onnx_in(call, 2));
  hone_onnx_set_window(call, node, rank - 2, true);
  hone_emit_set_int(call, node, "groups", hone_onnx_int_in(call, "group", 1, 1, INT32_MAX));
  hone_emit_set_ints(call, node, "output_padding",
                     hone_onnx_ints_of(call, "output_padding", axes, 0), axes);
  const int64_t *shape = hone_onnx_ints(call, "output_shape", &count);
  if (count == axes + 2) { /* with batch and channels, as some exporters write it */
    shape += 2;
    count = axes;
  }
  if (count) hone_emit_set_ints(call, node, "output_shape", shape, count);
  hone_onnx_return(call, 0, hone_onnx_to_first(call, hone_emit_end(call, node), rank));
  return NULL;
}

static hone_status *import_deform_conv(hone_call *call) {
  hone_value *mask = hone_onnx_in(call, 4);
  if (hone_emit_rank(call, hone_onnx_need(call, 1)) != 4)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "only two spatial axes are known here");
  hone_node *node =
      HONE_EMIT_BEGIN(call, "deform_conv", hone_onnx_to_last(call, hone_onnx_need(call, 0), 4),
                      hone_onnx_weights_last(call, hone_onnx_need(call, 1), 4),
                      hone_onnx_to_last(call, hone_onnx_need(call, 2), 4), hone_onnx_in(call, 3),
                      mask ? hone_onnx_to_last(call, mask, 4) : NULL);
  hone_onnx_set_window(call, node, 2, true);
  hone_emit_set_int(call, node, "groups", hone_onnx_int_in(call, "group", 1, 1, INT32_MAX));
  hone_emit_set_int(call, node, "offset_groups",
                    hone_onnx_int_in(call, "offset_group", 1, 1, INT32_MAX));
  hone_onnx_return(call, 0, hone_onnx_to_first(call, hone_emit_end(call, node), 4));
  return NULL;
}

/* The node of a pool, all but its kind set; `rank` is x's. */
static hone_node *begin_pool(hone_call *call, const char *kind, int rank, int outputs) {
  hone_value *x = hone_onnx_to_last(call, hone_onnx_need(call, 0), rank);
  size_t count;
  const int64_t *window = hone_onnx_ints(call, "kernel_shape", &count);
  hone_node *node = hone_emit_begin(call, "pool", &x, 1, outputs);
  hone_emit_set_text(call, node, "kind", kind);
  hone_emit_set_ints(call, node, "window", window, count);
  hone_onnx_set_window(call, node, rank - 2, true);
  hone_emit_set_int(call, node, "ceil", hone_onnx_flag(call, "ceil_mode", false));
  return node;
}

static hone_status *import_max_pool(hone_call *call) {
  int rank = window_rank(call, hone_onnx_need(call, 0));
  bool indices = hone_onnx_wants(call, 1);
  hone_node *node = begin_pool(call, "max", rank, indices ? 2 : 1);
  hone_emit_set_int(call, node, "column_major", hone_onnx_int_in(call, "storage_order", 0, 0, 1));
  hone_onnx_return(call, 0, hone_onnx_to_first(call, hone_emit_end(call, node), rank));
  if (indices)
    hone_onnx_return(call, 1, hone_onnx_to_first(call, hone_emit_out(call, node, 1), rank));
  return NULL;
}

static hone_status *import_average_pool(hone_call *call) {
  int rank = window_rank(call, hone_onnx_need(call, 0));
  hone_node *node = begin_pool(call, "avg", rank, 1);
  hone_emit_set_int(call, node, "count_pads", hone_onnx_flag(call, "count_include_pad", false));
  hone_onnx_return(call, 0, hone_onnx_to_first(call, hone_emit_end(call, node), rank));
  return NULL;
}

static hone_status *import_lp_pool(hone_call *call) {
  int rank = window_rank(call, hone_onnx_need(call, 0));
  hone_node *node = begin_pool(call, "lp", rank, 1);
  hone_emit_set_int(call, node, "p", hone_onnx_int_in(call, "p", 2, 1, INT32_MAX));
  hone_onnx_return(call, 0, hone_onnx_to_first(call, hone_emit_end(call, node), rank));
  return NULL;
}

/* Reduces the spatial axes, which are kept as ones. */
static hone_value *reduce_spatial(hone_call *call, hone_value *x, int rank, const char *kind) {
  int64_t axes[HONE_MAX_RANK];
  for (int i = 1; i < rank - 1; i++) axes[i - 1] = i;
  hone_node *node =
      HONE_EMIT_BEGIN(call, "reduce", x, hone_emit_ints(call, axes, (size_t)rank - 2));
  hone_emit_set_text(call, node, "kind", kind);
  return hone_emit_end(call, node);
}

static hone_status *import_global(hone_call *call, const char *kind) {
  hone_value *x = hone_onnx_need(call, 0);
  int rank = window_rank(call, x);
  hone_value *y = reduce_spatial(call, hone_onnx_to_last(call, x, rank), rank, kind);
  hone_onnx_return(call, 0, hone_onnx_to_first(call, y, rank));
  return NULL;
}

static hone_status *import_global_average(hone_call *call) {
  return import_global(call, "mean");
}
static hone_status *import_global_max(hone_call *call) {
  return import_global(call, "max");
}

static hone_status *import_global_lp(hone_call *call) {
  int64_t p = hone_onnx_int_in(call, "p", 2, 1, INT32_MAX);
  if (p <= 2) return import_global(call, p == 1 ? "l1" : "l2");
  hone_value *x = hone_onnx_need(call, 0);
  int rank = window_rank(call, x);
  hone_dtype dtype = x->type.dtype;
  hone_value *powers =
      HONE_EMIT(call, "pow", HONE_EMIT(call, "abs", hone_onnx_to_last(call, x, rank)),
                hone_emit_real(call, dtype, (double)p));
  hone_value *y = HONE_EMIT(call, "pow", reduce_spatial(call, powers, rank, "sum"),
                            hone_emit_real(call, dtype, 1 / (double)p));
  hone_onnx_return(call, 0, hone_onnx_to_first(call, y, rank));
  return NULL;
}

/* Stays in ONNX's layout, as the indices count in it. */
static hone_status *import_max_unpool(hone_call *call) {
  int rank = window_rank(call, hone_onnx_need(call, 0));
  size_t axes = (size_t)rank - 2, count;
  hone_node *node = HONE_EMIT_BEGIN(call, "max_unpool", hone_onnx_need(call, 0),
                                    hone_onnx_need(call, 1), hone_onnx_in(call, 2));
  const int64_t *window = hone_onnx_ints(call, "kernel_shape", &count);
  hone_emit_set_ints(call, node, "window", window, count);
  hone_emit_set_ints(call, node, "strides", hone_onnx_ints_of(call, "strides", axes, 1), axes);
  hone_emit_set_ints(call, node, "pads", hone_onnx_ints_of(call, "pads", 2 * axes, 0), 2 * axes);
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

/* A depthwise convolution over one axis that sees only what came before, with the last k - 1
 * inputs handed from call to call. */
static hone_status *import_causal_conv(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0), *w = hone_onnx_need(call, 1);
  hone_value *past = hone_onnx_in(call, 3), *one = hone_emit_ints(call, (int64_t[]){1}, 1);
  hone_value *axis = hone_emit_ints(call, (int64_t[]){2}, 1);
  if (hone_emit_rank(call, w) != 3 || !hone_dim_known(w->type.shape.dim[0]))
    return hone_emit_fail(call, HONE_UNSUPPORTED, "the number of channels is to be known");
  if (hone_onnx_flag(call, "channels_last", false) || hone_onnx_int(call, "state_window", 0) > 0)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "channels_last, or a window of states");
  int64_t dilation = hone_onnx_int_in(call, "dilation", 1, 1, INT32_MAX);
  hone_value *kept = HONE_EMIT(call, "sub", hone_emit_dims(call, w, 2, 3), one), *all;
  if (dilation > 1) kept = HONE_EMIT(call, "mul", kept, hone_emit_ints(call, &dilation, 1));
  if (past) {
    hone_node *node = HONE_EMIT_BEGIN(call, "concat", past, x);
    hone_emit_set_int(call, node, "axis", 2);
    all = hone_emit_end(call, node);
  } else {
    hone_value *none = hone_emit_ints(call, (int64_t[]){0}, 1);
    hone_node *node = HONE_EMIT_BEGIN(call, "concat", kept, none);
    hone_emit_set_int(call, node, "axis", 0);
    all = HONE_EMIT(call, "pad", x, hone_emit_end(call, node), NULL, axis);
  }
  hone_node *node = HONE_EMIT_BEGIN(call, "conv", hone_onnx_to_last(call, all, 3),
                                    hone_onnx_weights_last(call, w, 3), hone_onnx_in(call, 2));
  hone_emit_set_int(call, node, "groups", w->type.shape.dim[0]);
  hone_emit_set_ints(call, node, "dilations", &dilation, 1);
  hone_value *y = hone_onnx_to_first(call, hone_emit_end(call, node), 3);
  const char *activation = hone_onnx_text(call, "activation", "none");
  if (strcmp(activation, "silu") == 0 || strcmp(activation, "swish") == 0)
    y = HONE_EMIT(call, "silu", y);
  else if (strcmp(activation, "none") != 0)
    return hone_emit_fail(call, HONE_INVALID_MODEL, "there is no such activation");
  hone_onnx_return(call, 0, y);
  hone_value *end = hone_emit_dims(call, all, 2, 3);
  if (hone_onnx_wants(call, 1))
    hone_onnx_return(call, 1,
                     HONE_EMIT(call, "slice", all, HONE_EMIT(call, "sub", end, kept), end, axis));
  return NULL;
}

const hone_onnx_row hone_onnx_windows[] = {
    {"", "Conv", 1, 0, .import = import_conv},
    {"", "ConvTranspose", 1, 0, .import = import_conv_transpose},
    {"", "DeformConv", 19, 0, .import = import_deform_conv},
    {"", "CausalConvWithState", 27, 0, .import = import_causal_conv},
    {"com.microsoft", "CausalConvWithState", 1, 0, .import = import_causal_conv},
    {"", "MaxPool", 1, 0, .import = import_max_pool},
    {"", "AveragePool", 1, 0, .import = import_average_pool},
    {"", "LpPool", 2, 0, .import = import_lp_pool},
    {"", "GlobalAveragePool", 1, 0, .import = import_global_average},
    {"", "GlobalMaxPool", 1, 0, .import = import_global_max},
    {"", "GlobalLpPool", 2, 0, .import = import_global_lp},
    {"", "MaxUnpool", 9, 0, .import = import_max_unpool},
    {0}};
