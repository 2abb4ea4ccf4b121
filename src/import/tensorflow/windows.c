/* Convolutions and pooling. Filters lie as Hone wants them; NCHW goes through transposes.
 * Room: import. */
#include <string.h>

#include "import/tensorflow/map.h"

/* A window over the spatial axes of a tensor of `rank` dimensions. */
typedef struct window {
  int rank;
  bool first;      /* the channels stand before the spatial axes */
  const char *padding;
  int64_t strides[HONE_MAX_RANK], dilations[HONE_MAX_RANK], pads[2 * HONE_MAX_RANK];
} window;

/* The spatial entries of a list with one entry an axis; batch and channels must be 1. */
static void spatial(hone_call *call, const window *w, const int64_t *list, size_t count,
                    const char *what, int64_t *out) {
  for (int i = 0; i < w->rank - 2; i++) out[i] = 1;
  if (count == 0) return;
  if (count != (size_t)w->rank) {
    hone_emit_fail(call, HONE_INVALID_MODEL, "%s has %zu entries", what, count);
    return;
  }
  int channels = w->first ? 1 : w->rank - 1, begin = w->first ? 2 : 1;
  if (list[0] != 1 || list[channels] != 1)
    hone_emit_fail(call, HONE_UNSUPPORTED, "%s over batch or channels", what);
  for (int i = 0; i < w->rank - 2; i++) out[i] = list[begin + i];
}

static void read_pads(hone_call *call, window *w) {
  size_t count;
  const int64_t *pads = hone_tf_ints(call, "explicit_paddings", &count);
  int begin = w->first ? 2 : 1, axes = w->rank - 2;
  if (count != 2 * (size_t)w->rank) {
    hone_emit_fail(call, HONE_INVALID_MODEL, "explicit_paddings has %zu entries", count);
    return;
  }
  for (int i = 0; i < axes; i++) {
    w->pads[i] = pads[2 * (begin + i)];
    w->pads[axes + i] = pads[2 * (begin + i) + 1];
  }
}

static window read_window(hone_call *call, int rank) {
  static const struct {
    const char *tensorflow, *hone;
  } paddings[] = {{"SAME", "same_upper"}, {"VALID", "valid"}, {"EXPLICIT", "explicit"}};
  window w = {.rank = rank, .first = hone_tf_channels_first(call, rank), .padding = "valid"};
  const char *padding = hone_tf_text(call, "padding", "");
  size_t count;
  bool found = false;
  for (size_t i = 0; i < 3; i++) {
    if (strcmp(padding, paddings[i].tensorflow) != 0) continue;
    w.padding = paddings[i].hone;
    found = true;
  }
  if (!found) hone_emit_fail(call, HONE_INVALID_MODEL, "padding is none of TensorFlow's");
  const int64_t *list = hone_tf_ints(call, "strides", &count);
  spatial(call, &w, list, count, "strides", w.strides);
  list = hone_tf_ints(call, "dilations", &count);
  spatial(call, &w, list, count, "dilations", w.dilations);
  if (found && strcmp(w.padding, "explicit") == 0) read_pads(call, &w);
  return w;
}

static void set_window(hone_call *call, hone_node *node, const window *w) {
  size_t axes = (size_t)w->rank - 2;
  hone_emit_set_text(call, node, "padding", w->padding);
  hone_emit_set_ints(call, node, "strides", w->strides, axes);
  hone_emit_set_ints(call, node, "dilations", w->dilations, axes);
  if (strcmp(w->padding, "explicit") == 0)
    hone_emit_set_ints(call, node, "pads", w->pads, 2 * axes);
}

static hone_value *to_last(hone_call *call, const window *w, hone_value *x) {
  return w->first ? hone_emit_channels_last(call, x) : x;
}
static hone_value *from_last(hone_call *call, const window *w, hone_value *y) {
  return w->first ? hone_emit_channels_first(call, y) : y;
}
static void give(hone_call *call, const window *w, hone_value *y) {
  hone_tf_return(call, 0, from_last(call, w, y));
}

/* The rank of a filter or a picture, 3 to 5; else fails and gives 4. */
static int window_rank(hone_call *call, const hone_value *x) {
  int rank = hone_emit_rank(call, x);
  if (rank >= 3 && rank <= 5) return rank;
  hone_emit_fail(call, HONE_INVALID_MODEL, "%d dimensions where 3 to 5 are wanted", rank);
  return 4;
}

/* How many channels x and w have a group decides the groups. */
static int64_t count_groups(hone_call *call, const hone_value *x, const hone_value *w, int rank) {
  hone_dim channels = x->type.shape.rank == rank ? x->type.shape.dim[rank - 1] : -1;
  hone_dim inner = w->type.shape.rank == rank ? w->type.shape.dim[rank - 2] : -1;
  if (!hone_dim_known(channels) || !hone_dim_known(inner) || channels == inner) return 1;
  if (inner > 0 && channels % inner == 0) return channels / inner;
  hone_emit_fail(call, HONE_INVALID_MODEL, "%lld channels and a filter over %lld",
                 (long long)channels, (long long)inner);
  return 1;
}

/* A filter [h, w, in, out]; that of fused convolutions may lie [out, in, h, w]. */
static hone_value *filter_of(hone_call *call) {
  static const int64_t perm[] = {2, 3, 1, 0};
  hone_value *filter = hone_tf_in(call, 1);
  const char *format = hone_tf_text(call, "filter_format", "HWIO");
  if (strcmp(format, "OIHW") == 0) return hone_emit_transpose(call, filter, 4, perm);
  if (strcmp(format, "HWIO") != 0)
    hone_emit_fail(call, HONE_UNSUPPORTED, "filter_format %.20s", format);
  return filter;
}

static hone_value *convolve(hone_call *call) {
  hone_value *filter = filter_of(call);
  int rank = window_rank(call, filter);
  window w = read_window(call, rank);
  hone_value *x = to_last(call, &w, hone_tf_in(call, 0));
  hone_node *node = HONE_EMIT_BEGIN(call, "conv", x, filter);
  set_window(call, node, &w);
  hone_emit_set_int(call, node, "groups", count_groups(call, x, filter, rank));
  return from_last(call, &w, hone_emit_end(call, node));
}

/* A filter [h, w, c, m] of m results for each channel. */
static hone_value *convolve_depthwise(hone_call *call) {
  hone_value *filter = hone_tf_in(call, 1);
  const hone_shape *shape = &filter->type.shape;
  window w = read_window(call, 4);
  if (shape->rank != 4 || !hone_shape_known(shape)) {
    hone_emit_fail(call, HONE_UNSUPPORTED, "a filter of unknown shape");
    return call->placeholder;
  }
  int64_t dims[] = {shape->dim[0], shape->dim[1], 1, shape->dim[2] * shape->dim[3]};
  int64_t channels = shape->dim[2];
  hone_value *x = to_last(call, &w, hone_tf_in(call, 0));
  hone_node *node = HONE_EMIT_BEGIN(call, "conv", x, hone_emit_reshape(call, filter, dims, 4));
  set_window(call, node, &w);
  hone_emit_set_int(call, node, "groups", channels);
  return from_last(call, &w, hone_emit_end(call, node));
}

hone_value *hone_tf_conv(hone_call *call, bool depthwise) {
  return depthwise ? convolve_depthwise(call) : convolve(call);
}
static hone_status *import_conv(hone_call *call) {
  hone_tf_return(call, 0, hone_tf_conv(call, false));
  return NULL;
}
static hone_status *import_depthwise(hone_call *call) {
  hone_tf_return(call, 0, hone_tf_conv(call, true));
  return NULL;
}

/* What VALID leaves over is output that no window reaches: zeros behind the rest. */
static hone_value *pad_leftover(hone_call *call, hone_value *y, int rank, const int64_t *sizes) {
  int64_t zeros[HONE_MAX_RANK] = {0};
  int axes = rank - 2;
  for (int i = 0; i < axes; i++) {
    hone_dim natural = y->type.shape.rank == rank ? y->type.shape.dim[1 + i] : -1;
    if (hone_dim_known(natural) && natural > sizes[i])
      hone_emit_fail(call, HONE_INVALID_MODEL, "the sizes wanted are too small for the window");
  }
  hone_value *after = HONE_EMIT(call, "sub", hone_emit_ints(call, sizes, (size_t)axes),
                                hone_emit_dims(call, y, 1, rank - 1));
  hone_value *const parts[] = {hone_emit_ints(call, zeros, (size_t)rank + 1), after,
                               hone_emit_ints(call, zeros, 1)};
  hone_node *node = hone_emit_begin(call, "concat", parts, 3, 1);
  hone_emit_set_int(call, node, "axis", 0);
  return HONE_EMIT(call, "pad", y, hone_emit_end(call, node));
}

/* The gradient of a convolution as its transpose; the sizes wanted may be known in part. */
static hone_status *import_conv_transpose(hone_call *call) {
  hone_value *filter = hone_tf_in(call, 1), *wanted = hone_tf_in(call, 0);
  int rank = window_rank(call, filter), known = 0;
  window w = read_window(call, rank);
  int64_t sizes[HONE_MAX_RANK] = {0};
  size_t begin = w.first ? 2 : 1, count = 0;
  /* Newer models give the spatial sizes alone. */
  if (hone_shape_count(&wanted->type.shape, &count) && count == (size_t)rank - 2) begin = 0;
  for (int i = 0; i < rank - 2; i++)
    known += hone_known_int_at(wanted, begin + (size_t)i, &sizes[i]);
  hone_value *x = to_last(call, &w, hone_tf_in(call, 2));
  hone_node *node = HONE_EMIT_BEGIN(call, "conv_transpose", x, filter);
  set_window(call, node, &w);
  if (known == rank - 2 && strcmp(w.padding, "same_upper") == 0)
    hone_emit_set_ints(call, node, "output_shape", sizes, (size_t)rank - 2);
  hone_value *y = hone_emit_end(call, node);
  if (known == rank - 2 && strcmp(w.padding, "valid") == 0)
    y = pad_leftover(call, y, rank, sizes);
  give(call, &w, y);
  return NULL;
}

static hone_status *import_pool(hone_call *call, const char *kind) {
  hone_value *x = hone_tf_in(call, 0);
  int rank = window_rank(call, x);
  window w = read_window(call, rank);
  int64_t size[HONE_MAX_RANK], list[HONE_MAX_RANK];
  size_t count;
  const int64_t *given = hone_tf_ints(call, "ksize", &count);
  if (hone_tf_input_count(call) == 3) { /* MaxPoolV2 and its like: as inputs */
    count = hone_tf_known(call, 2, list, HONE_MAX_RANK);
    spatial(call, &w, list, count, "strides", w.strides);
    count = hone_tf_known(call, 1, list, HONE_MAX_RANK);
    given = list;
  }
  if (!count) return hone_emit_fail(call, HONE_INVALID_MODEL, "ksize is missing");
  spatial(call, &w, given, count, "ksize", size);
  hone_node *node = HONE_EMIT_BEGIN(call, "pool", to_last(call, &w, x));
  hone_emit_set_text(call, node, "kind", kind);
  hone_emit_set_ints(call, node, "window", size, (size_t)rank - 2);
  set_window(call, node, &w);
  give(call, &w, hone_emit_end(call, node));
  return NULL;
}
static hone_status *import_max_pool(hone_call *call) { return import_pool(call, "max"); }
static hone_status *import_avg_pool(hone_call *call) { return import_pool(call, "avg"); }

const hone_tf_row hone_tf_windows[] = {
    {"AvgPool", .import = import_avg_pool},
    {"AvgPool3D", .import = import_avg_pool},
    {"Conv2D", .import = import_conv},
    {"Conv2DBackpropInput", .import = import_conv_transpose},
    {"Conv3D", .import = import_conv},
    {"Conv3DBackpropInputV2", .import = import_conv_transpose},
    {"DepthwiseConv2dNative", .import = import_depthwise},
    {"MaxPool", .import = import_max_pool},
    {"MaxPool3D", .import = import_max_pool},
    {"MaxPoolV2", .import = import_max_pool},
    {0},
};
