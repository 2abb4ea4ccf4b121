/* Pictures: resizing, crops, boxes that suppress each other. Room: import. */
#include <string.h>

#include "import/tensorflow/map.h"

/* ---- Resizing ---- */

typedef struct resizing {
  const char *mode, *coordinates, *nearest;
  double cubic_a;
  int64_t cubic_steps;
  bool exclude_outside;
} resizing;

/* A picture [n, h, w, c] to sizes [2]. */
static hone_value *resize(hone_call *call, hone_value *x, const resizing *how) {
  static const int64_t axes[] = {1, 2};
  hone_value *sizes = hone_emit_cast(call, hone_tf_in(call, 1), HONE_S64);
  hone_node *node = HONE_EMIT_BEGIN(call, "resize", x, NULL, NULL, sizes);
  hone_emit_set_text(call, node, "mode", how->mode);
  hone_emit_set_text(call, node, "coordinates", how->coordinates);
  hone_emit_set_text(call, node, "nearest", how->nearest);
  hone_emit_set_real(call, node, "cubic_a", how->cubic_a);
  hone_emit_set_int(call, node, "cubic_steps", how->cubic_steps);
  hone_emit_set_int(call, node, "exclude_outside", how->exclude_outside);
  hone_emit_set_ints(call, node, "axes", axes, 2);
  return hone_emit_end(call, node);
}

/* Where the pixels lie, by the two flags, of which one may be set. */
static const char *coordinates_of(hone_call *call, const char *half_pixel) {
  if (hone_tf_flag(call, "align_corners", false)) return "align_corners";
  return hone_tf_flag(call, "half_pixel_centers", false) ? half_pixel : "asymmetric";
}

static hone_status *import_bilinear(hone_call *call) {
  resizing how = {.mode = "linear", .nearest = "floor", .cubic_a = -0.75,
                  .coordinates = coordinates_of(call, "half_pixel")};
  hone_tf_return(call, 0, resize(call, hone_emit_cast(call, hone_tf_in(call, 0), HONE_F32), &how));
  return NULL;
}

/* Between aligned corners the nearest pixel is found by rounding, elsewhere by cutting off. */
static hone_status *import_nearest(hone_call *call) {
  resizing how = {.mode = "nearest", .nearest = "floor", .cubic_a = -0.75,
                  .coordinates = coordinates_of(call, "tf_half_pixel_for_nn")};
  if (strcmp(how.coordinates, "align_corners") == 0) how.nearest = "round_prefer_ceil";
  hone_tf_return(call, 0, resize(call, hone_tf_in(call, 0), &how));
  return NULL;
}

/* Keys' kernel with -0.5 and without what lies outside at half pixels, with -0.75 and the border
 * repeated else. Its weights come from a table of 1024 places between two pixels. */
static hone_status *import_bicubic(hone_call *call) {
  resizing how = {.mode = "cubic", .nearest = "floor",
                  .coordinates = coordinates_of(call, "half_pixel")};
  how.exclude_outside = strcmp(how.coordinates, "half_pixel") == 0;
  how.cubic_a = how.exclude_outside ? -0.5 : -0.75;
  how.cubic_steps = 1024;
  hone_tf_return(call, 0, resize(call, hone_emit_cast(call, hone_tf_in(call, 0), HONE_F32), &how));
  return NULL;
}

/* ---- Files ---- */

/* Colours only: each format's library has a gray of its own. JPEGs go through the accurate transform,
 * whose pixels are up to 4 of 255 away from those of the fast one that TensorFlow takes unless told
 * otherwise. */
static hone_status *import_decode(hone_call *call) {
  int64_t channels = hone_tf_int(call, "channels", 0);
  if (channels != 3)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "a picture of %lld channels, not 3",
                          (long long)channels);
  if (hone_tf_int(call, "ratio", 1) != 1)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "pictures read at a smaller size");
  hone_node *node = HONE_EMIT_BEGIN(call, "image_decoder", hone_tf_in(call, 0));
  hone_value *y = hone_emit_end(call, node);
  hone_dtype dtype = hone_tf_dtype(call, "dtype", HONE_U8);
  if (dtype == HONE_F32) /* in 0..1 */
    y = HONE_EMIT(call, "mul", hone_emit_cast(call, y, HONE_F32),
                  hone_emit_real(call, HONE_F32, 1.0 / 255));
  else if (dtype != HONE_U8)
    hone_emit_fail(call, HONE_UNSUPPORTED, "pixels of type %s", hone_dtype_name(dtype));
  hone_tf_return(call, 0, y);
  return NULL;
}

/* ---- Crops of boxes, each resized to one size ---- */

typedef struct crop {
  hone_value *low, *high; /* s64 [boxes, size]: the pixels on both sides, inside the picture */
  hone_value *part;       /* f32 [boxes, size]: how far towards the higher one */
  hone_value *inside;     /* bool [boxes, size] */
} crop;

static hone_value *f32(hone_call *call, double value) {
  return hone_emit_real(call, HONE_F32, value);
}

/* Column `index` of the boxes, as [boxes, 1]. */
static hone_value *column(hone_call *call, hone_value *boxes, int64_t index) {
  hone_node *node = HONE_EMIT_BEGIN(call, "gather", boxes, hone_emit_ints(call, &index, 1));
  hone_emit_set_int(call, node, "axis", 1);
  return hone_emit_end(call, node);
}

/* 0, 1, … size - 1 as reals. */
static hone_value *steps(hone_call *call, int64_t size) {
  hone_value *range = HONE_EMIT(call, "range", hone_emit_int(call, 0), hone_emit_int(call, size),
                                hone_emit_int(call, 1));
  return hone_emit_cast(call, range, HONE_F32);
}

/* The crop along one axis of `length` pixels (an s64 scalar) between columns `from` and from + 2. */
static crop crop_axis(hone_call *call, hone_value *boxes, int64_t from, hone_value *length,
                      int64_t size, bool nearest) {
  hone_value *begin = column(call, boxes, from), *end = column(call, boxes, from + 2);
  hone_value *zero = f32(call, 0), *last;
  last = HONE_EMIT(call, "sub", hone_emit_cast(call, length, HONE_F32), f32(call, 1));
  hone_value *at;
  if (size > 1) {
    hone_value *span = HONE_EMIT(call, "mul", HONE_EMIT(call, "sub", end, begin), last);
    hone_value *step = HONE_EMIT(call, "div", span, f32(call, (double)size - 1));
    at = HONE_EMIT(call, "add", HONE_EMIT(call, "mul", begin, last),
                   HONE_EMIT(call, "mul", step, steps(call, size)));
  } else {
    hone_value *middle = HONE_EMIT(call, "mul", HONE_EMIT(call, "add", begin, end), f32(call, 0.5));
    at = HONE_EMIT(call, "mul", middle, last);
  }
  crop out;
  out.inside = HONE_EMIT(call, "and", HONE_EMIT(call, "greater_equal", at, zero),
                         HONE_EMIT(call, "less_equal", at, last));
  if (nearest) at = HONE_EMIT(call, "floor", HONE_EMIT(call, "add", at, f32(call, 0.5)));
  at = HONE_EMIT(call, "clip", at, zero, last);
  hone_value *low = HONE_EMIT(call, "floor", at);
  out.part = HONE_EMIT(call, "sub", at, low);
  out.low = hone_emit_cast(call, low, HONE_S64);
  out.high = hone_emit_cast(call, HONE_EMIT(call, "ceil", at), HONE_S64);
  return out;
}

static hone_value *unsqueeze(hone_call *call, hone_value *x, int64_t axis) {
  return HONE_EMIT(call, "unsqueeze", x, hone_emit_ints(call, &axis, 1));
}

/* The pixels [boxes, rows, columns, channels] at some rows and columns of each box's picture. */
static hone_value *pixels_at(hone_call *call, hone_value *flat, hone_value *picture,
                             hone_value *width, hone_value *row, hone_value *column) {
  hone_value *line = HONE_EMIT(call, "mul", HONE_EMIT(call, "add", picture, row), width);
  hone_value *place =
      HONE_EMIT(call, "add", unsqueeze(call, line, 2), unsqueeze(call, column, 1));
  return HONE_EMIT(call, "gather", flat, place);
}

static hone_value *between(hone_call *call, hone_value *a, hone_value *b, hone_value *part) {
  return HONE_EMIT(call, "add", a, HONE_EMIT(call, "mul", HONE_EMIT(call, "sub", b, a), part));
}

static hone_status *import_crop_and_resize(hone_call *call) {
  static const int64_t first = 0;
  int64_t size[2] = {1, 1}, minus = -1;
  hone_value *x = hone_emit_cast(call, hone_tf_in(call, 0), HONE_F32), *boxes = hone_tf_in(call, 1);
  if (hone_tf_known(call, 3, size, 2) != 2 || size[0] < 1 || size[1] < 1)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "crops of a size that is not known");
  bool nearest = strcmp(hone_tf_text(call, "method", "bilinear"), "nearest") == 0;
  if (hone_emit_rank(call, x) != 4)
    return hone_emit_fail(call, HONE_INVALID_MODEL, "the pictures are not of 4 dimensions");
  hone_value *at = hone_emit_ints(call, &first, 1);
  hone_value *height = HONE_EMIT(call, "squeeze", hone_emit_dims(call, x, 1, 2), at);
  hone_value *width = HONE_EMIT(call, "squeeze", hone_emit_dims(call, x, 2, 3), at);
  crop y = crop_axis(call, boxes, 0, height, size[0], nearest);
  crop c = crop_axis(call, boxes, 1, width, size[1], nearest);
  hone_node *shape = HONE_EMIT_BEGIN(call, "concat", hone_emit_ints(call, &minus, 1),
                                     hone_emit_dims(call, x, 3, 4));
  hone_emit_set_int(call, shape, "axis", 0);
  hone_value *flat = HONE_EMIT(call, "reshape", x, hone_emit_end(call, shape));
  hone_value *which = unsqueeze(call, hone_emit_cast(call, hone_tf_in(call, 2), HONE_S64), 1);
  which = HONE_EMIT(call, "mul", which, height);
  hone_value *out = pixels_at(call, flat, which, width, y.low, c.low);
  if (!nearest) {
    hone_value *across = unsqueeze(call, unsqueeze(call, c.part, 1), 3);
    hone_value *down = unsqueeze(call, unsqueeze(call, y.part, 2), 3);
    hone_value *top = between(call, out, pixels_at(call, flat, which, width, y.low, c.high), across);
    hone_value *bottom = between(call, pixels_at(call, flat, which, width, y.high, c.low),
                                 pixels_at(call, flat, which, width, y.high, c.high), across);
    out = between(call, top, bottom, down);
  }
  hone_value *inside =
      HONE_EMIT(call, "and", unsqueeze(call, y.inside, 2), unsqueeze(call, c.inside, 1));
  out = HONE_EMIT(call, "select", unsqueeze(call, inside, 3), out,
                  f32(call, hone_tf_real(call, "extrapolation_value", 0)));
  hone_tf_return(call, 0, out);
  return NULL;
}

const hone_tf_row hone_tf_image[] = {
    {"CropAndResize", .import = import_crop_and_resize},
    {"DecodeBmp", .import = import_decode},
    {"DecodeImage", .import = import_decode},
    {"DecodeJpeg", .import = import_decode},
    {"DecodePng", .import = import_decode},
    {"ResizeBicubic", .import = import_bicubic},
    {"ResizeBilinear", .import = import_bilinear},
    {"ResizeNearestNeighbor", .import = import_nearest},
    {0},
};
