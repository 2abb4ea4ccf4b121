/* Operators of ONNX that move, cut and join elements. Room: import. */
#include "import/onnx/map.h"

#include <string.h>

/* The attribute `axes` as a constant; absent: NULL. */
static hone_value *axes_of(hone_call *call) {
  size_t count;
  const int64_t *axes = hone_onnx_ints(call, "axes", &count);
  return hone_onnx_has(call, "axes") ? hone_emit_ints(call, axes, count) : NULL;
}

static hone_status *import_squeeze_1(hone_call *call) {
  hone_value *y = HONE_EMIT(call, "squeeze", hone_onnx_need(call, 0), axes_of(call));
  hone_onnx_return(call, 0, y);
  return NULL;
}

static hone_status *import_unsqueeze_1(hone_call *call) {
  hone_value *axes = axes_of(call);
  if (!axes) return hone_emit_fail(call, HONE_INVALID_MODEL, "attribute axes is missing");
  hone_onnx_return(call, 0, HONE_EMIT(call, "unsqueeze", hone_onnx_need(call, 0), axes));
  return NULL;
}

/* The sizes are an attribute up to opset 12, then an input; since 18 their number may be given. */
static hone_status *import_split(hone_call *call) {
  size_t count;
  const int64_t *values = hone_onnx_ints(call, "split", &count);
  hone_value *sizes = hone_onnx_in(call, 1);
  if (hone_onnx_has(call, "split")) sizes = hone_emit_ints(call, values, count);
  hone_value *const inputs[] = {hone_onnx_need(call, 0), sizes};
  int outputs = hone_onnx_output_count(call);
  hone_node *node = hone_emit_begin(call, "split", inputs, 2, outputs);
  hone_emit_set_int(call, node, "axis", hone_onnx_int(call, "axis", 0));
  hone_emit_set_int(call, node, "parts", hone_onnx_int(call, "num_outputs", outputs));
  hone_onnx_end_return(call, node);
  return NULL;
}

/* Up to opset 9 where to cut is in attributes. */
static hone_status *import_slice_1(hone_call *call) {
  size_t starts_count, ends_count;
  const int64_t *starts = hone_onnx_ints(call, "starts", &starts_count);
  const int64_t *ends = hone_onnx_ints(call, "ends", &ends_count);
  hone_value *y = HONE_EMIT(call, "slice", hone_onnx_need(call, 0),
                            hone_emit_ints(call, starts, starts_count),
                            hone_emit_ints(call, ends, ends_count), axes_of(call));
  hone_onnx_return(call, 0, y);
  return NULL;
}

/* Up to opset 10 pads and value are attributes. */
static hone_status *import_pad_2(hone_call *call) {
  size_t count;
  const int64_t *pads = hone_onnx_ints(call, "pads", &count);
  hone_value *x = hone_onnx_need(call, 0);
  hone_value *value = hone_emit_real(call, x->type.dtype, hone_onnx_real(call, "value", 0));
  hone_node *node =
      HONE_EMIT_BEGIN(call, "pad", x, hone_emit_ints(call, pads, count), value);
  hone_emit_set_text(call, node, "mode", hone_onnx_text(call, "mode", "constant"));
  hone_onnx_end_return(call, node);
  return NULL;
}

/* One value everywhere. */
static hone_status *import_constant_of_shape(hone_call *call) {
  hone_value *value = hone_onnx_tensor(call, "value");
  if (!value) value = hone_emit_real(call, HONE_F32, 0);
  value = hone_emit_reshape(call, value, NULL, 0);
  hone_onnx_return(call, 0, HONE_EMIT(call, "expand", value, hone_onnx_need(call, 0)));
  return NULL;
}

static hone_value *concat(hone_call *call, hone_value *const *parts, int count) {
  hone_node *node = hone_emit_begin(call, "concat", parts, count, 1);
  hone_emit_set_int(call, node, "axis", 0);
  return hone_emit_end(call, node);
}

/* x [N, C, H, W] and its block size. */
typedef struct image {
  hone_value *x, *batch, *pixels; /* pixels: [H, W] */
  int64_t block;
} image;

static image image_of(hone_call *call) {
  image in = {.x = hone_onnx_need(call, 0)};
  in.block = hone_onnx_int_in(call, "blocksize", 0, 1, 1 << 15);
  if (hone_emit_rank(call, in.x) != 4)
    (void)hone_emit_fail(call, HONE_INVALID_MODEL, "x does not have 4 dimensions");
  in.batch = hone_emit_dims(call, in.x, 0, 1);
  in.pixels = hone_emit_dims(call, in.x, 2, 4);
  return in;
}

/* Channels become blocks of pixels: which of a channel's indices is the block's says `mode`. */
static hone_status *import_depth_to_space(hone_call *call) {
  image in = image_of(call);
  int64_t b = in.block;
  bool depth_first = strcmp(hone_onnx_text(call, "mode", "DCR"), "DCR") == 0;
  hone_value *apart = depth_first ? hone_emit_ints(call, (int64_t[]){b, b, -1}, 3)
                                  : hone_emit_ints(call, (int64_t[]){-1, b, b}, 3);
  hone_value *shape = concat(call, (hone_value *const[]){in.batch, apart, in.pixels}, 3);
  hone_value *six = HONE_EMIT(call, "reshape", in.x, shape);
  static const int64_t dcr[] = {0, 3, 4, 1, 5, 2}, crd[] = {0, 1, 4, 2, 5, 3};
  six = hone_emit_transpose(call, six, 6, depth_first ? dcr : crd);
  hone_value *larger = HONE_EMIT(call, "mul", in.pixels, hone_emit_int(call, b));
  hone_value *rest = hone_emit_ints(call, (int64_t[]){-1}, 1);
  shape = concat(call, (hone_value *const[]){in.batch, rest, larger}, 3);
  hone_onnx_return(call, 0, HONE_EMIT(call, "reshape", six, shape));
  return NULL;
}

static hone_status *import_space_to_depth(hone_call *call) {
  image in = image_of(call);
  hone_value *block = hone_emit_ints(call, &in.block, 1);
  hone_value *smaller = HONE_EMIT(call, "div", in.pixels, hone_emit_int(call, in.block));
  hone_value *zero = hone_emit_ints(call, (int64_t[]){0}, 1);
  hone_value *one = hone_emit_ints(call, (int64_t[]){1}, 1);
  hone_value *rest = hone_emit_ints(call, (int64_t[]){-1}, 1);
  hone_value *rows = HONE_EMIT(call, "gather", smaller, zero);
  hone_value *columns = HONE_EMIT(call, "gather", smaller, one);
  hone_value *channels = hone_emit_dims(call, in.x, 1, 2);
  hone_value *shape = concat(
      call, (hone_value *const[]){in.batch, channels, rows, block, columns, block}, 6);
  hone_value *six = HONE_EMIT(call, "reshape", in.x, shape);
  static const int64_t dcr[] = {0, 3, 5, 1, 2, 4}, crd[] = {0, 1, 3, 5, 2, 4};
  bool depth_first = strcmp(hone_onnx_text(call, "mode", "DCR"), "DCR") == 0;
  six = hone_emit_transpose(call, six, 6, depth_first ? dcr : crd);
  shape = concat(call, (hone_value *const[]){in.batch, rest, smaller}, 3);
  hone_onnx_return(call, 0, HONE_EMIT(call, "reshape", six, shape));
  return NULL;
}

const hone_onnx_row hone_onnx_movement[] = {
    {"", "Concat", 4, 0, "concat", "axis"},
    {"", "ConstantOfShape", 9, 0, .import = import_constant_of_shape},
    {"", "DepthToSpace", 1, 0, .import = import_depth_to_space},
    {"", "Expand", 8, 0, "expand"},
    {"", "EyeLike", 9, 0, "eye_like", "dtype k"},
    {"", "Flatten", 1, 0, "flatten", "axis"},
    {"", "Gather", 1, 0, "gather", "axis"},
    {"", "GatherElements", 11, 0, "gather_elements", "axis"},
    {"", "GatherND", 11, 0, "gather_nd", "batch_dims"},
    {"", "OneHot", 9, 0, "one_hot", "axis"},
    {"", "Pad", 2, 10, .import = import_pad_2},
    {"", "Pad", 11, 0, "pad", "mode"},
    {"", "Range", 11, 0, "range"},
    {"", "Reshape", 5, 0, "reshape", "allow_zero<allowzero"},
    {"", "ReverseSequence", 10, 0, "reverse_sequence", "batch_axis time_axis"},
    {"", "Scatter", 9, 10, "scatter_elements", "axis"},
    {"", "ScatterElements", 11, 0, "scatter_elements", "axis reduction"},
    {"", "ScatterND", 11, 0, "scatter_nd", "reduction"},
    {"", "Shape", 1, 0, "shape", "start end"},
    {"", "Size", 1, 0, "size"},
    {"", "Slice", 1, 9, .import = import_slice_1},
    {"", "Slice", 10, 0, "slice"},
    {"", "SpaceToDepth", 1, 0, .import = import_space_to_depth},
    {"", "Split", 2, 0, .import = import_split},
    {"", "Squeeze", 1, 12, .import = import_squeeze_1},
    {"", "Squeeze", 13, 0, "squeeze"},
    {"", "TensorScatter", 24, 0, "tensor_scatter", "axis mode"},
    {"", "Tile", 6, 0, "tile"},
    {"", "Transpose", 1, 0, "transpose", "perm"},
    {"", "Trilu", 14, 0, "trilu", "upper"},
    {"", "Unsqueeze", 1, 12, .import = import_unsqueeze_1},
    {"", "Unsqueeze", 13, 0, "unsqueeze"},
    {0}};
