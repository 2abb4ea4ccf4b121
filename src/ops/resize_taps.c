/* How resize maps an output position of one axis to weighted input positions, by ONNX's
 * definitions (operators.md, Resize). Room: ops. */
#include <math.h>
#include <string.h>

#include "ops/resize.h"

static bool is_mode(const hone_node *node, const char *attr, const char *text) {
  return strcmp(hone_node_text(node, attr), text) == 0;
}

/* The axes attribute, or all axes, in 0..rank-1 without repeats. */
static hone_status *read_axes(const hone_node *node, const hone_shape *x, hone_resize *out) {
  size_t count;
  const int64_t *axes = hone_node_ints(node, "axes", &count);
  unsigned seen = 0;
  if (count > (size_t)x->rank) return hone_error(HONE_INVALID_MODEL, "resize: %zu axes", count);
  out->count = count ? (int)count : x->rank;
  for (int i = 0; i < out->count; i++) {
    hone_resize_axis *a = &out->axes[i];
    *a = (hone_resize_axis){.axis = i, .scale = 1, .end = 1};
    if (count && !hone_axis(axes[i], x->rank, &a->axis))
      return hone_error(HONE_INVALID_MODEL, "resize: axis %lld", (long long)axes[i]);
    if (seen >> a->axis & 1) return hone_error(HONE_INVALID_MODEL, "resize: an axis comes twice");
    seen |= 1u << a->axis;
    a->in = a->out = x->dim[a->axis];
  }
  return NULL;
}

static hone_status *use_scales(hone_resize *r, const double *scales) {
  for (int i = 0; i < r->count; i++) {
    hone_resize_axis *a = &r->axes[i];
    a->scale = scales[i];
    /* In single precision, as shape inference does everywhere: 10 * 0.7f is 7. */
    double out = floorf((float)a->in * (float)scales[i]);
    if (!(scales[i] > 0) || !(out <= INT32_MAX))
      return hone_error(HONE_INVALID_MODEL, "resize: a scale of %g", scales[i]);
    a->out = (int64_t)out;
  }
  return NULL;
}

/* With a policy, the sizes are bounds and all axes get the one scale that meets them. */
static hone_status *use_sizes(const hone_node *node, hone_resize *r, const double *sizes) {
  bool smaller = is_mode(node, "policy", "not_larger");
  double common = 0;
  for (int i = 0; i < r->count; i++) {
    hone_resize_axis *a = &r->axes[i];
    if (!(sizes[i] >= 0 && sizes[i] <= INT32_MAX))
      return hone_error(HONE_INVALID_MODEL, "resize: a size of %g", sizes[i]);
    if (a->in == 0 && sizes[i] > 0)
      return hone_error(HONE_INVALID_MODEL, "resize: an empty axis cannot grow");
    a->out = (int64_t)sizes[i];
    a->scale = a->in ? sizes[i] / (double)a->in : 1;
    if (i == 0 || (smaller ? a->scale < common : a->scale > common)) common = a->scale;
  }
  if (is_mode(node, "policy", "stretch")) return NULL;
  for (int i = 0; i < r->count; i++) {
    hone_resize_axis *a = &r->axes[i];
    double out = floor(common * (double)a->in + 0.5);
    if (!(out <= INT32_MAX)) return hone_error(HONE_INVALID_MODEL, "resize: a size of %g", out);
    a->scale = common;
    a->out = (int64_t)out;
  }
  return NULL;
}

hone_status *hone_resize_read(const hone_node *node, const hone_shape *x, const double *roi,
                              size_t roi_count, const double *scales, size_t scale_count,
                              const double *sizes, size_t size_count, hone_resize *out) {
  HONE_TRY(read_axes(node, x, out));
  size_t count = (size_t)out->count;
  if (size_count ? size_count != count : scale_count != count)
    return hone_error(HONE_INVALID_MODEL, "resize: %zu sizes and %zu scales for %zu axes",
                      size_count, scale_count, count);
  if (size_count)
    HONE_TRY(use_sizes(node, out, sizes));
  else
    HONE_TRY(use_scales(out, scales));
  if (roi_count && roi_count != 2 * count)
    return hone_error(HONE_INVALID_MODEL, "resize: a region of %zu numbers", roi_count);
  for (size_t i = 0; roi_count && i < count; i++) {
    out->axes[i].begin = roi[i];
    out->axes[i].end = roi[count + i];
  }
  return NULL;
}

/* Where output position `at` lies on the input axis; sets `outside` where the crop leaves it. In
 * single precision, as everybody computes it: which pixel is nearest hangs on its last bit. */
static float source_of(const hone_node *node, const hone_resize_axis *a, int64_t at,
                       bool *outside) {
  const char *mode = hone_node_text(node, "coordinates");
  float y = (float)at, in = (float)a->in, scale = (float)a->scale, out = scale * in;
  *outside = false;
  if (strcmp(mode, "align_corners") == 0) return out == 1 ? 0 : y * (in - 1) / (out - 1);
  if (strcmp(mode, "asymmetric") == 0) return y / scale;
  if (strcmp(mode, "pytorch_half_pixel") == 0 && a->out == 1) return 0;
  if (strcmp(mode, "tf_half_pixel_for_nn") == 0) return (y + 0.5f) / scale;
  float half = (y + 0.5f) / scale - 0.5f;
  if (strcmp(mode, "half_pixel_symmetric") == 0) return in / 2 * (1 - (float)a->out / out) + half;
  if (strcmp(mode, "tf_crop_and_resize") != 0) return half;
  float begin = (float)a->begin, span = ((float)a->end - begin) * (in - 1);
  float x = begin * (in - 1) + (out == 1 ? span / 2 : y * span / (out - 1));
  *outside = !(x >= 0 && x <= in - 1);
  return x;
}

static double nearest(const hone_node *node, double x) {
  const char *mode = hone_node_text(node, "nearest");
  if (strcmp(mode, "floor") == 0) return floor(x);
  if (strcmp(mode, "ceil") == 0) return ceil(x);
  return strcmp(mode, "round_prefer_ceil") == 0 ? floor(x + 0.5) : ceil(x - 0.5);
}

/* The scale that widens the filter: below 1 only where shrinking is smoothed. An axis with a
 * position to fill has at least 1 / 2^31. */
static double filter_scale(const hone_node *node, const hone_resize_axis *a) {
  if (!hone_node_flag(node, "antialias") || a->scale >= 1) return 1;
  return fmax(a->scale, ldexp(1, -31));
}

static int64_t half_width(const hone_node *node, const hone_resize_axis *a) {
  double reach = is_mode(node, "mode", "cubic") ? 2 : 1;
  return -(int64_t)floor(-reach / filter_scale(node, a));
}

size_t hone_resize_taps(const hone_node *node, const hone_resize_axis *axis) {
  return is_mode(node, "mode", "nearest") ? 1 : (size_t)(2 * half_width(node, axis));
}

/* Keys' cubic convolution kernel (1981), with a free parameter. */
static double cubic(double x, double a) {
  x = fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static int64_t clamp(double x, int64_t size) {
  if (!(x > 0)) return 0;
  return x < (double)size ? (int64_t)x : size - 1;
}

bool hone_resize_tap(const hone_node *node, const hone_resize_axis *axis, int64_t at,
                     int64_t *index, double *weight) {
  bool outside, is_cubic = is_mode(node, "mode", "cubic");
  bool exclude = hone_node_flag(node, "exclude_outside");
  double x = (double)source_of(node, axis, at, &outside), sum = 0;
  if (is_mode(node, "mode", "nearest")) {
    index[0] = clamp(nearest(node, x), axis->in);
    weight[0] = 1;
    return !outside;
  }
  int64_t steps = is_cubic ? hone_node_int(node, "cubic_steps") : 0;
  if (steps > 0) x = floor(x) + rint((x - floor(x)) * (double)steps) / (double)steps;
  double scale = filter_scale(node, axis), a = hone_node_real(node, "cubic_a");
  double base = ceil(x) - 1; /* an exact position counts as the right end of its interval */
  int64_t half = half_width(node, axis);
  for (int64_t i = 0; i < 2 * half; i++) {
    double place = base + (double)(i + 1 - half), distance = (place - x) * scale;
    weight[i] = is_cubic ? cubic(distance, a) : fmax(0, 1 - fabs(distance));
    if (exclude && (place < 0 || place >= (double)axis->in)) weight[i] = 0;
    index[i] = clamp(place, axis->in);
    sum += weight[i];
  }
  for (int64_t i = 0; i < 2 * half; i++) weight[i] /= sum;
  return !outside;
}
