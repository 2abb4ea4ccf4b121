/* Windows that slide over spatial axes: the geometry of conv, pool and their kind. Room: ops. */
#include <string.h>

#include "ops/spatial.h"

#define LARGEST ((int64_t)INT32_MAX)

static hone_status *bad(const char *what) {
  return hone_error(HONE_INVALID_MODEL, "%s", what);
}

/* An INTS attribute of `count` numbers in [least, LARGEST], or none: then all are `fallback`. */
static hone_status *read_ints(const hone_node *node, const char *name, size_t count, int64_t least,
                              int64_t fallback, int64_t *out) {
  size_t given;
  const int64_t *values = hone_node_ints(node, name, &given);
  if (given != 0 && given != count)
    return hone_error(HONE_INVALID_MODEL, "%s has %zu numbers, not %zu", name, given, count);
  for (size_t i = 0; i < count; i++) {
    out[i] = given ? values[i] : fallback;
    if (out[i] < least || out[i] > LARGEST)
      return hone_error(HONE_INVALID_MODEL, "%s holds %lld", name, (long long)out[i]);
  }
  return NULL;
}

static hone_status *read_common(const hone_node *node, int rank, const hone_dim *in,
                                const hone_dim *kernel, hone_spatial *out) {
  if (rank < 0 || rank > HONE_MAX_SPATIAL) return bad("has no or too many spatial axes");
  *out = (hone_spatial){.rank = rank};
  size_t count = (size_t)rank;
  int64_t pads[2 * HONE_MAX_SPATIAL];
  HONE_TRY(read_ints(node, "strides", count, 1, 1, out->stride));
  HONE_TRY(read_ints(node, "dilations", count, 1, 1, out->dilation));
  HONE_TRY(read_ints(node, "pads", 2 * count, -LARGEST, 0, pads));
  for (int i = 0; i < rank; i++) {
    if (in[i] > LARGEST) return bad("a spatial axis is longer than 2^31");
    if (kernel[i] == 0 || kernel[i] > LARGEST) return bad("the window is empty or beyond 2^31");
    out->in[i] = in[i];
    out->kernel[i] = kernel[i];
    out->before[i] = pads[i];
    out->after[i] = pads[rank + i];
  }
  return NULL;
}

/* Splits `total` of padding: the odd one goes after for same_upper, before for same_lower. */
static void split_padding(hone_spatial *out, int axis, int64_t total, bool upper) {
  int64_t small = total / 2, large = total - small;
  out->before[axis] = upper ? small : large;
  out->after[axis] = upper ? large : small;
}

static hone_dim same_size(hone_spatial *out, int axis, bool upper) {
  int64_t stride = out->stride[axis];
  if (!hone_dim_known(out->in[axis])) return stride == 1 ? out->in[axis] : HONE_DIM_FRESH;
  int64_t size = (out->in[axis] + stride - 1) / stride;
  if (!hone_dim_known(out->kernel[axis])) return size;
  int64_t span = (out->kernel[axis] - 1) * out->dilation[axis] + 1;
  int64_t total = (size - 1) * stride + span - out->in[axis];
  split_padding(out, axis, size > 0 && total > 0 ? total : 0, upper);
  return size;
}

/* `hangs`: a window may hang over the padded end, as those of pools do. */
static hone_status *window_size(hone_spatial *out, int axis, bool ceil, bool hangs) {
  hone_dim in = out->in[axis], kernel = out->kernel[axis];
  out->out[axis] = HONE_DIM_FRESH;
  if (!hone_dim_known(kernel)) return NULL;
  int64_t stride = out->stride[axis], span = (kernel - 1) * out->dilation[axis] + 1;
  int64_t padding = out->before[axis] + out->after[axis];
  if (!hone_dim_known(in)) {
    if (stride == 1 && padding == span - 1) out->out[axis] = in;
    return NULL;
  }
  int64_t room = in + padding - span;
  if (room < 0) {
    /* One position less than a stride short is cut; a stride short there is none. Both as ONNX
     * Runtime has it, whose division cuts towards zero. */
    out->out[axis] = room / stride + 1;
    if (hangs && out->out[axis] >= 0 && in + padding > 0) return NULL;
    return hone_error(HONE_INVALID_MODEL,
                      "the window spans %lld, more than the padded input's %lld", (long long)span,
                      (long long)(in + padding));
  }
  int64_t size = (room + (ceil ? stride - 1 : 0)) / stride + 1;
  if (ceil && (size - 1) * stride >= in + out->before[axis]) size--;
  out->out[axis] = size;
  return NULL;
}

hone_status *hone_spatial_window(const hone_node *node, int rank, const hone_dim *in,
                                 const hone_dim *kernel, bool ceil, hone_spatial *out) {
  HONE_TRY(read_common(node, rank, in, kernel, out));
  const char *padding = hone_node_text(node, "padding");
  bool hangs = hone_op_attr_index(node->op, "ceil", 4) >= 0;
  for (int i = 0; i < rank; i++) {
    if (padding[0] == 's') {
      out->out[i] = same_size(out, i, strcmp(padding, "same_upper") == 0);
      continue;
    }
    if (padding[0] == 'v') out->before[i] = out->after[i] = 0;
    HONE_TRY(window_size(out, i, ceil, hangs));
  }
  return NULL;
}

/* Padding of a transposed convolution that makes its output `size` long; what is missing comes
 * out as less padding, which may be negative at the end. */
static void pad_to_size(hone_spatial *out, int axis, int64_t full, int64_t size, bool upper) {
  split_padding(out, axis, full > size ? full - size : 0, upper);
  if (full < size) out->after[axis] = full - size;
}

hone_status *hone_spatial_transposed(const hone_node *node, int rank, const hone_dim *in,
                                     const hone_dim *kernel, hone_spatial *out) {
  HONE_TRY(read_common(node, rank, in, kernel, out));
  int64_t extra[HONE_MAX_SPATIAL], size[HONE_MAX_SPATIAL];
  HONE_TRY(read_ints(node, "output_padding", (size_t)rank, 0, 0, extra));
  HONE_TRY(read_ints(node, "output_shape", (size_t)rank, -1, -1, size));
  const char *padding = hone_node_text(node, "padding");
  bool upper = strcmp(padding, "same_upper") == 0, same = padding[0] == 's';
  for (int i = 0; i < rank; i++) {
    if (padding[0] == 'v') out->before[i] = out->after[i] = 0;
    out->out[i] = size[i] >= 0 ? size[i] : HONE_DIM_FRESH;
    if (!hone_dim_known(in[i]) || !hone_dim_known(kernel[i])) {
      if (size[i] < 0 && same && out->stride[i] == 1) out->out[i] = in[i];
      continue;
    }
    int64_t full = in[i] == 0 ? 0
                              : (in[i] - 1) * out->stride[i] + extra[i] +
                                    (kernel[i] - 1) * out->dilation[i] + 1;
    if (size[i] < 0 && same) size[i] = in[i] * out->stride[i];
    if (size[i] >= 0) pad_to_size(out, i, full, size[i], upper);
    out->out[i] = full - out->before[i] - out->after[i];
    if (out->out[i] < 0) return bad("the padding is larger than the output");
  }
  return NULL;
}

bool hone_spatial_tap(const hone_spatial *window, const int64_t *at, const int64_t *tap,
                      size_t *offset) {
  size_t sum = 0;
  for (int i = 0; i < window->rank; i++) {
    int64_t x = at[i] * window->stride[i] - window->before[i] + tap[i] * window->dilation[i];
    if (x < 0 || x >= window->in[i]) return false;
    sum = sum * (size_t)window->in[i] + (size_t)x;
  }
  *offset = sum;
  return true;
}

size_t hone_spatial_count(int rank, const int64_t *size) {
  size_t count = 1;
  for (int i = 0; i < rank; i++) count *= (size_t)size[i];
  return count;
}
