/* Blocks of pixels that move into the depth or the batch, and back. Room: import. */
#include "import/tensorflow/map.h"

static hone_value *join(hone_call *call, hone_value *const *parts, int count) {
  hone_node *node = hone_emit_begin(call, "concat", parts, count, 1);
  hone_emit_set_int(call, node, "axis", 0);
  return hone_emit_end(call, node);
}

/* ---- Depth ---- */

/* A picture with its channels last; whether they stood first goes into *first. */
static hone_value *picture(hone_call *call, int64_t *block, bool *first) {
  hone_value *x = hone_tf_in(call, 0);
  *block = hone_tf_int(call, "block_size", 0);
  *first = hone_tf_channels_first(call, 4);
  if (*block < 1 || *block > INT32_MAX)
    hone_emit_fail(call, HONE_INVALID_MODEL, "a block of %lld", (long long)*block);
  if (hone_emit_rank(call, x) != 4)
    hone_emit_fail(call, HONE_INVALID_MODEL, "the picture is not of 4 dimensions");
  return *first ? hone_emit_channels_last(call, x) : x;
}

static void give(hone_call *call, hone_value *y, bool first) {
  hone_tf_return(call, 0, first ? hone_emit_channels_first(call, y) : y);
}

static hone_status *import_depth_to_space(hone_call *call) {
  static const int64_t perm[] = {0, 1, 3, 2, 4, 5};
  int64_t block, rest = -1;
  bool first;
  hone_value *x = picture(call, &block, &first);
  if (call->status) return NULL;
  int64_t apart[] = {block, block, -1};
  hone_value *six = HONE_EMIT(
      call, "reshape", x,
      join(call, (hone_value *const[]){hone_emit_dims(call, x, 0, 3), hone_emit_ints(call, apart, 3)},
           2));
  hone_value *larger =
      HONE_EMIT(call, "mul", hone_emit_dims(call, x, 1, 3), hone_emit_int(call, block));
  hone_value *const shape[] = {hone_emit_dims(call, x, 0, 1), larger, hone_emit_ints(call, &rest, 1)};
  six = hone_emit_transpose(call, six, 6, perm);
  give(call, HONE_EMIT(call, "reshape", six, join(call, shape, 3)), first);
  return NULL;
}

static hone_status *import_space_to_depth(hone_call *call) {
  static const int64_t perm[] = {0, 1, 3, 2, 4, 5};
  int64_t block, rest = -1;
  bool first;
  hone_value *x = picture(call, &block, &first);
  if (call->status) return NULL;
  hone_value *b = hone_emit_ints(call, &block, 1), *one = hone_emit_int(call, block);
  hone_value *rows = HONE_EMIT(call, "div", hone_emit_dims(call, x, 1, 2), one);
  hone_value *columns = HONE_EMIT(call, "div", hone_emit_dims(call, x, 2, 3), one);
  hone_value *batch = hone_emit_dims(call, x, 0, 1), *channels = hone_emit_dims(call, x, 3, 4);
  hone_value *six = HONE_EMIT(
      call, "reshape", x, join(call, (hone_value *const[]){batch, rows, b, columns, b, channels}, 6));
  six = hone_emit_transpose(call, six, 6, perm);
  hone_value *const shape[] = {batch, rows, columns, hone_emit_ints(call, &rest, 1)};
  give(call, HONE_EMIT(call, "reshape", six, join(call, shape, 4)), first);
  return NULL;
}

/* ---- Batch ---- */

typedef struct blocks {
  hone_value *x;
  int rank, axes;             /* dims 1 .. axes are cut into blocks */
  int64_t size[HONE_MAX_RANK]; /* of a block */
  hone_value *before, *after;  /* s64 [axes]: what is added or cut off */
} blocks;

static blocks read_blocks(hone_call *call) {
  blocks b = {.x = hone_tf_in(call, 0)};
  b.rank = hone_emit_rank(call, b.x);
  b.axes = (int)hone_tf_known(call, 1, b.size, HONE_MAX_RANK);
  if (b.axes < 1 || b.axes >= b.rank || b.rank + b.axes > HONE_MAX_RANK)
    hone_emit_fail(call, HONE_UNSUPPORTED, "blocks of %d axes of %d dimensions", b.axes, b.rank);
  for (int i = 0; i < b.axes; i++)
    if (b.size[i] < 1)
      hone_emit_fail(call, HONE_INVALID_MODEL, "a block of %lld", (long long)b.size[i]);
  if (call->status) return b;
  hone_value *pads = hone_emit_cast(call, hone_tf_in(call, 2), HONE_S64);
  hone_value *const flat[] = {hone_emit_reshape(call, pads, (int64_t[]){-1}, 1)};
  int64_t even[HONE_MAX_RANK], odd[HONE_MAX_RANK];
  for (int i = 0; i < b.axes; i++) {
    even[i] = 2 * i;
    odd[i] = 2 * i + 1;
  }
  b.before = HONE_EMIT(call, "gather", flat[0], hone_emit_ints(call, even, (size_t)b.axes));
  b.after = HONE_EMIT(call, "gather", flat[0], hone_emit_ints(call, odd, (size_t)b.axes));
  return b;
}

/* 1 .. axes */
static hone_value *cut_axes(hone_call *call, const blocks *b) {
  int64_t axes[HONE_MAX_RANK];
  for (int i = 0; i < b->axes; i++) axes[i] = i + 1;
  return hone_emit_ints(call, axes, (size_t)b->axes);
}

static int64_t block_product(hone_call *call, const blocks *b) {
  int64_t product = 1;
  for (int i = 0; i < b->axes; i++)
    if (!hone_mul_s64(product, b->size[i], &product))
      hone_emit_fail(call, HONE_INVALID_MODEL, "the blocks are too large");
  return product;
}

static hone_status *import_space_to_batch(hone_call *call) {
  blocks b = read_blocks(call);
  if (call->status) return NULL;
  int64_t perm[HONE_MAX_RANK], rest = -1;
  hone_value *pads = join(call, (hone_value *const[]){b.before, b.after}, 2);
  hone_value *x = HONE_EMIT(call, "pad", b.x, pads, NULL, cut_axes(call, &b));
  hone_value *size = hone_emit_ints(call, b.size, (size_t)b.axes);
  hone_value *counts = HONE_EMIT(call, "div", hone_emit_dims(call, x, 1, 1 + b.axes), size);
  hone_value *parts[HONE_MAX_RANK + 2] = {hone_emit_dims(call, x, 0, 1)};
  int used = 1, next = 0;
  for (int64_t i = 0; i < b.axes; i++) {
    parts[used++] = HONE_EMIT(call, "gather", counts, hone_emit_ints(call, &i, 1));
    parts[used++] = hone_emit_ints(call, &b.size[i], 1);
    perm[next++] = 2 + 2 * i;
  }
  if (b.rank > 1 + b.axes) parts[used++] = hone_emit_dims(call, x, 1 + b.axes, b.rank);
  perm[next++] = 0;
  for (int i = 0; i < b.axes; i++) perm[next++] = 1 + 2 * i;
  for (int i = 1 + 2 * b.axes; i < b.rank + b.axes; i++) perm[next++] = i;
  hone_value *y = HONE_EMIT(call, "reshape", x, join(call, parts, used));
  y = hone_emit_transpose(call, y, next, perm);
  hone_value *shape[3] = {hone_emit_ints(call, &rest, 1), counts, NULL};
  if (b.rank > 1 + b.axes) shape[2] = hone_emit_dims(call, x, 1 + b.axes, b.rank);
  hone_tf_return(call, 0,
                 HONE_EMIT(call, "reshape", y, join(call, shape, shape[2] ? 3 : 2)));
  return NULL;
}

static hone_status *import_batch_to_space(hone_call *call) {
  blocks b = read_blocks(call);
  if (call->status) return NULL;
  int64_t perm[HONE_MAX_RANK], product = block_product(call, &b);
  if (call->status) return NULL;
  hone_value *size = hone_emit_ints(call, b.size, (size_t)b.axes);
  hone_value *batch = HONE_EMIT(call, "div", hone_emit_dims(call, b.x, 0, 1),
                                hone_emit_int(call, product));
  hone_value *apart[] = {size, batch, hone_emit_dims(call, b.x, 1, b.rank)};
  hone_value *y = HONE_EMIT(call, "reshape", b.x, join(call, apart, 3));
  int next = 0;
  perm[next++] = b.axes;
  for (int i = 0; i < b.axes; i++) {
    perm[next++] = b.axes + 1 + i;
    perm[next++] = i;
  }
  for (int i = 2 * b.axes + 1; i < b.rank + b.axes; i++) perm[next++] = i;
  y = hone_emit_transpose(call, y, next, perm);
  hone_value *larger = HONE_EMIT(call, "mul", hone_emit_dims(call, b.x, 1, 1 + b.axes), size);
  hone_value *shape[3] = {batch, larger, NULL};
  if (b.rank > 1 + b.axes) shape[2] = hone_emit_dims(call, b.x, 1 + b.axes, b.rank);
  y = HONE_EMIT(call, "reshape", y, join(call, shape, shape[2] ? 3 : 2));
  hone_value *end = HONE_EMIT(call, "sub", larger, b.after);
  hone_tf_return(call, 0, HONE_EMIT(call, "slice", y, b.before, end, cut_axes(call, &b)));
  return NULL;
}

const hone_tf_row hone_tf_space[] = {
    {"BatchToSpaceND", .import = import_batch_to_space},
    {"DepthToSpace", .import = import_depth_to_space},
    {"SpaceToBatchND", .import = import_space_to_batch},
    {"SpaceToDepth", .import = import_space_to_depth},
    {0},
};
