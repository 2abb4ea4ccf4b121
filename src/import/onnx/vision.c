/* Resizing, sampling, regions, boxes. Room: import. */
#include <string.h>

#include "import/onnx/windows.h"

/* Sets a CHOICE from ONNX's spelling by a table of pairs that ends with NULL. */
static void set_choice(hone_call *call, hone_node *node, const char *attr, const char *given,
                       const char *const *pairs) {
  for (; *pairs; pairs += 2)
    if (strcmp(pairs[0], given) == 0) {
      hone_emit_set_text(call, node, attr, pairs[1]);
      return;
    }
  hone_emit_fail(call, HONE_INVALID_MODEL, "'%.40s' is none of the standard's %ss", given, attr);
}

/* Whether the scales are known and shrink, growing no axis. */
static bool shrinks(const hone_value *scales) {
  double values[HONE_MAX_RANK];
  size_t count;
  bool smaller = false;
  if (!hone_known_reals(scales, values, HONE_MAX_RANK, &count)) return false;
  for (size_t i = 0; i < count; i++) {
    if (values[i] > 1) return false;
    smaller |= values[i] < 1;
  }
  return smaller;
}

/* Before opset 11 there is one way to place pixels; the nearest one is what ONNX Runtime took. */
static hone_status *import_old_resize(hone_call *call) {
  static const char *const modes[] = {"nearest",  "nearest", "linear", "linear",
                                      "bilinear", "linear",  NULL};
  size_t count;
  const double *values = hone_onnx_reals(call, "scales", &count);
  hone_value *scales = NULL;
  if (count && count <= HONE_MAX_RANK) {
    float numbers[HONE_MAX_RANK];
    for (size_t i = 0; i < count; i++) numbers[i] = (float)values[i];
    hone_dim dim = (hone_dim)count;
    scales =
        hone_emit_const(call, HONE_F32, hone_shape_of(1, &dim), numbers, count * sizeof *numbers);
  } else {
    scales = hone_onnx_need(call, 1);
  }
  hone_node *node = HONE_EMIT_BEGIN(call, "resize", hone_onnx_need(call, 0), NULL, scales);
  set_choice(call, node, "mode", hone_onnx_text(call, "mode", "nearest"), modes);
  hone_emit_set_text(call, node, "coordinates", "asymmetric");
  hone_emit_set_text(call, node, "nearest", shrinks(scales) ? "ceil" : "floor");
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

/* An input that is given with no elements counts as absent. */
static hone_value *unless_empty(hone_value *value) {
  bool empty = value && value->type.shape.rank == 1 && value->type.shape.dim[0] == 0;
  return empty ? NULL : value;
}

static hone_status *import_resize(hone_call *call) {
  static const char *const modes[] = {"nearest", "nearest", "linear", "linear",
                                      "cubic",   "cubic",   NULL};
  static const char *const policies[] = {"stretch",     "stretch",     "not_larger", "not_larger",
                                         "not_smaller", "not_smaller", NULL};
  const char *place = hone_onnx_text(call, "coordinate_transformation_mode", "half_pixel");
  hone_value *roi = strcmp(place, "tf_crop_and_resize") == 0 ? hone_onnx_in(call, 1) : NULL;
  size_t count;
  hone_node *node =
      HONE_EMIT_BEGIN(call, "resize", hone_onnx_need(call, 0), unless_empty(roi),
                      unless_empty(hone_onnx_in(call, 2)), unless_empty(hone_onnx_in(call, 3)));
  set_choice(call, node, "mode", hone_onnx_text(call, "mode", "nearest"), modes);
  set_choice(call, node, "policy", hone_onnx_text(call, "keep_aspect_ratio_policy", "stretch"),
             policies);
  hone_emit_set_text(call, node, "coordinates", place);
  hone_emit_set_text(call, node, "nearest",
                     hone_onnx_text(call, "nearest_mode", "round_prefer_floor"));
  hone_emit_set_real(call, node, "cubic_a", hone_onnx_real(call, "cubic_coeff_a", -0.75));
  hone_emit_set_real(call, node, "extrapolation", hone_onnx_real(call, "extrapolation_value", 0));
  hone_emit_set_int(call, node, "exclude_outside", hone_onnx_flag(call, "exclude_outside", false));
  hone_emit_set_int(call, node, "antialias", hone_onnx_flag(call, "antialias", false));
  const int64_t *axes = hone_onnx_ints(call, "axes", &count);
  if (count) hone_emit_set_ints(call, node, "axes", axes, count);
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

static hone_status *import_grid_sample(hone_call *call) {
  static const char *const modes[] = {"bilinear", "linear",  "linear", "linear",
                                      "bicubic",  "cubic",   "cubic",  "cubic",
                                      "nearest",  "nearest", NULL};
  int rank = hone_emit_rank(call, hone_onnx_need(call, 0));
  if (rank < 3) return hone_emit_fail(call, HONE_INVALID_MODEL, "x has no spatial axis");
  hone_node *node =
      HONE_EMIT_BEGIN(call, "grid_sample", hone_onnx_to_last(call, hone_onnx_need(call, 0), rank),
                      hone_onnx_need(call, 1));
  set_choice(call, node, "mode", hone_onnx_text(call, "mode", "linear"), modes);
  hone_emit_set_text(call, node, "padding", hone_onnx_text(call, "padding_mode", "zeros"));
  hone_emit_set_int(call, node, "align_corners", hone_onnx_flag(call, "align_corners", false));
  hone_onnx_return(call, 0, hone_onnx_to_first(call, hone_emit_end(call, node), rank));
  return NULL;
}

static hone_status *import_roi_align(hone_call *call) {
  const char *before = hone_onnx_opset(call) < 16 ? "output_half_pixel" : "half_pixel";
  const char *place = hone_onnx_text(call, "coordinate_transformation_mode", before);
  hone_node *node =
      HONE_EMIT_BEGIN(call, "roi_align", hone_onnx_to_last(call, hone_onnx_need(call, 0), 4),
                      hone_onnx_need(call, 1), hone_onnx_need(call, 2));
  hone_emit_set_text(call, node, "mode", hone_onnx_text(call, "mode", "avg"));
  hone_emit_set_int(call, node, "height", hone_onnx_int(call, "output_height", 1));
  hone_emit_set_int(call, node, "width", hone_onnx_int(call, "output_width", 1));
  hone_emit_set_int(call, node, "samples", hone_onnx_int(call, "sampling_ratio", 0));
  hone_emit_set_real(call, node, "scale", hone_onnx_real(call, "spatial_scale", 1));
  hone_emit_set_int(call, node, "half_pixel", strcmp(place, "half_pixel") == 0);
  hone_onnx_return(call, 0, hone_onnx_to_first(call, hone_emit_end(call, node), 4));
  return NULL;
}

static hone_status *import_max_roi_pool(hone_call *call) {
  size_t count;
  hone_node *node =
      HONE_EMIT_BEGIN(call, "max_roi_pool", hone_onnx_to_last(call, hone_onnx_need(call, 0), 4),
                      hone_onnx_need(call, 1));
  const int64_t *cells = hone_onnx_ints(call, "pooled_shape", &count);
  if (count != 2)
    return hone_emit_fail(call, HONE_INVALID_MODEL, "pooled_shape is not of two axes");
  hone_emit_set_int(call, node, "height", cells[0]);
  hone_emit_set_int(call, node, "width", cells[1]);
  hone_emit_set_real(call, node, "scale", hone_onnx_real(call, "spatial_scale", 1));
  hone_onnx_return(call, 0, hone_onnx_to_first(call, hone_emit_end(call, node), 4));
  return NULL;
}

static hone_status *import_nms(hone_call *call) {
  hone_value *inputs[5] = {hone_onnx_need(call, 0), hone_onnx_need(call, 1)};
  for (int i = 2; i < 5; i++) inputs[i] = unless_empty(hone_onnx_in(call, i));
  hone_node *node = hone_emit_begin(call, "nms", inputs, 5, 1);
  hone_emit_set_int(call, node, "center", hone_onnx_int_in(call, "center_point_box", 0, 0, 1));
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

static hone_status *import_col2im(hone_call *call) {
  static const char *const names[] = {"strides", "dilations", "pads"};
  hone_node *node = HONE_EMIT_BEGIN(call, "col2im", hone_onnx_need(call, 0),
                                    hone_onnx_need(call, 1), hone_onnx_need(call, 2));
  for (int i = 0; i < 3; i++) {
    size_t count;
    const int64_t *values = hone_onnx_ints(call, names[i], &count);
    if (count) hone_emit_set_ints(call, node, names[i], values, count);
  }
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

/* max(0, (a - b) / 2), rounded down. */
static hone_value *half_excess(hone_call *call, hone_value *a, hone_value *b) {
  hone_value *none = hone_emit_int(call, 0), *two = hone_emit_int(call, 2);
  hone_value *excess = HONE_EMIT(call, "max", HONE_EMIT(call, "sub", a, b), none);
  return HONE_EMIT(call, "div", excess, two);
}

/* Cuts what is too long and fills up what is too short, evenly on both sides. */
static hone_status *import_center_crop_pad(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0), *target = hone_onnx_need(call, 1);
  int rank = hone_emit_rank(call, x);
  int64_t all[HONE_MAX_RANK];
  size_t count;
  const int64_t *axes = hone_onnx_ints(call, "axes", &count);
  for (int i = 0; i < rank; i++) all[i] = i;
  if (!count) {
    axes = all;
    count = (size_t)rank;
  }
  if (count > HONE_MAX_RANK) return hone_emit_fail(call, HONE_INVALID_MODEL, "too many axes");
  for (size_t i = 0; i < count; i++) all[i] = hone_emit_axis(call, axes[i], rank);
  hone_value *which = hone_emit_ints(call, all, count);
  hone_value *size = HONE_EMIT(call, "gather", hone_emit_dims(call, x, 0, rank), which);
  target = hone_emit_cast(call, target, HONE_S64);
  hone_value *start = half_excess(call, size, target);
  hone_value *kept = HONE_EMIT(call, "min", size, target);
  hone_value *end = HONE_EMIT(call, "add", start, kept);
  hone_value *y = HONE_EMIT(call, "slice", x, start, end, which);
  hone_value *before = half_excess(call, target, size);
  hone_value *after = HONE_EMIT(call, "sub", HONE_EMIT(call, "sub", target, kept), before);
  hone_node *pads = HONE_EMIT_BEGIN(call, "concat", before, after);
  hone_emit_set_int(call, pads, "axis", 0);
  hone_onnx_return(call, 0, HONE_EMIT(call, "pad", y, hone_emit_end(call, pads), NULL, which));
  return NULL;
}

static hone_status *import_image_decoder(hone_call *call) {
  static const char *const formats[] = {"RGB", "rgb", "BGR", "bgr", "Grayscale", "gray", NULL};
  hone_node *node = HONE_EMIT_BEGIN(call, "image_decoder", hone_onnx_need(call, 0));
  set_choice(call, node, "pixels", hone_onnx_text(call, "pixel_format", "RGB"), formats);
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

const hone_onnx_row hone_onnx_vision[] = {
    {"", "Upsample", 7, 9, .import = import_old_resize},
    {"", "Resize", 10, 10, .import = import_old_resize},
    {"", "Resize", 11, 0, .import = import_resize},
    {"", "GridSample", 16, 0, .import = import_grid_sample},
    {"com.microsoft", "GridSample", 1, 0, .import = import_grid_sample},
    {"", "AffineGrid", 20, 0, .op = "affine_grid", .attrs = "align_corners"},
    {"", "RoiAlign", 10, 0, .import = import_roi_align},
    {"", "MaxRoiPool", 1, 0, .import = import_max_roi_pool},
    {"", "NonMaxSuppression", 10, 0, .import = import_nms},
    {"", "Col2Im", 18, 0, .import = import_col2im},
    {"", "ImageDecoder", 20, 0, .import = import_image_decoder},
    {"", "CenterCropPad", 18, 0, .import = import_center_crop_pad},
    {0}};
