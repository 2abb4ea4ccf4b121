/* Shapes and movement: reshape, slice, gather, scatter, pad, stack. Room: import. */
#include <string.h>

#include "import/tensorflow/map.h"

static hone_value *wide(hone_call *call, hone_value *ints) {
  return hone_emit_cast(call, ints, HONE_S64);
}

static hone_value *concat(hone_call *call, hone_value *const *parts, int count, int axis) {
  if (count == 1) return parts[0];
  hone_node *node = hone_emit_begin(call, "concat", parts, count, 1);
  hone_emit_set_int(call, node, "axis", axis);
  return hone_emit_end(call, node);
}

static hone_value *unsqueeze(hone_call *call, hone_value *x, int64_t axis) {
  return HONE_EMIT(call, "unsqueeze", x, hone_emit_ints(call, &axis, 1));
}

/* ---- Shapes ---- */

static hone_status *import_shape(hone_call *call) {
  hone_dtype to = hone_tf_dtype(call, "out_type", HONE_S32);
  for (int i = 0; i < hone_tf_input_count(call); i++)
    hone_tf_return(call, i,
                   hone_emit_cast(call, HONE_EMIT(call, "shape", hone_tf_in(call, i)), to));
  return NULL;
}

static hone_status *import_size(hone_call *call) {
  hone_dtype to = hone_tf_dtype(call, "out_type", HONE_S32);
  hone_tf_return(call, 0, hone_emit_cast(call, HONE_EMIT(call, "size", hone_tf_in(call, 0)), to));
  return NULL;
}

static hone_status *import_rank(hone_call *call) {
  int32_t rank = hone_emit_rank(call, hone_tf_in(call, 0));
  hone_tf_return(call, 0,
                 hone_emit_const(call, HONE_S32, (hone_shape){.rank = 0}, &rank, sizeof rank));
  return NULL;
}

static hone_status *import_reshape(hone_call *call) {
  hone_node *node = HONE_EMIT_BEGIN(call, "reshape", hone_tf_in(call, 0),
                                    wide(call, hone_tf_in(call, 1)));
  hone_emit_set_int(call, node, "allow_zero", true);
  hone_tf_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

static hone_status *import_squeeze(hone_call *call) {
  size_t count;
  const char *name = hone_tf_has(call, "squeeze_dims") ? "squeeze_dims" : "axis";
  const int64_t *axes = hone_tf_ints(call, name, &count);
  hone_value *x = hone_tf_in(call, 0);
  hone_tf_return(call, 0,
                 count ? HONE_EMIT(call, "squeeze", x, hone_emit_ints(call, axes, count))
                       : HONE_EMIT(call, "squeeze", x));
  return NULL;
}

static hone_status *import_expand_dims(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0);
  hone_tf_return(call, 0, unsqueeze(call, x, hone_tf_known_int(call, 1)));
  return NULL;
}

static hone_status *import_transpose(hone_call *call) {
  int64_t perm[HONE_MAX_RANK];
  hone_value *x = hone_tf_in(call, 0);
  size_t count = hone_tf_known(call, 1, perm, HONE_MAX_RANK);
  for (size_t i = 0; i < count; i++) perm[i] += perm[i] < 0 ? (int64_t)count : 0;
  hone_tf_return(call, 0, hone_emit_transpose(call, x, (int)count, perm));
  return NULL;
}

static hone_status *import_broadcast_to(hone_call *call) {
  hone_tf_return(call, 0, HONE_EMIT(call, "expand", hone_tf_in(call, 0),
                                    wide(call, hone_tf_in(call, 1))));
  return NULL;
}

static hone_status *import_fill(hone_call *call) {
  hone_tf_return(call, 0, HONE_EMIT(call, "expand", hone_tf_in(call, 1),
                                    wide(call, hone_tf_in(call, 0))));
  return NULL;
}

static hone_status *import_range(hone_call *call) {
  hone_tf_return(call, 0, HONE_EMIT(call, "range", hone_tf_in(call, 0), hone_tf_in(call, 1),
                                    hone_tf_in(call, 2)));
  return NULL;
}

static hone_status *import_tile(hone_call *call) {
  hone_tf_return(call, 0, HONE_EMIT(call, "tile", hone_tf_in(call, 0),
                                    wide(call, hone_tf_in(call, 1))));
  return NULL;
}

/* ---- Joining and cutting ---- */

static hone_status *join(hone_call *call, int first, int count, int64_t axis) {
  hone_value *parts[256];
  if (count < 1 || count > 256)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "%d tensors to join; 256 are the most", count);
  for (int i = 0; i < count; i++) parts[i] = hone_tf_in(call, first + i);
  int rank = hone_emit_rank(call, parts[0]);
  hone_tf_return(call, 0, concat(call, parts, count, hone_emit_axis(call, axis, rank)));
  return NULL;
}

static hone_status *import_concat(hone_call *call) {
  return join(call, 1, hone_tf_input_count(call) - 1, hone_tf_known_int(call, 0));
}

static hone_status *import_concat_v2(hone_call *call) {
  int count = hone_tf_input_count(call) - 1;
  return join(call, 0, count, hone_tf_known_int(call, count));
}

static hone_status *import_pack(hone_call *call) {
  hone_value *parts[256];
  int count = hone_tf_input_count(call);
  if (count < 1 || count > 256)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "%d tensors to pack; 256 are the most", count);
  int rank = hone_emit_rank(call, hone_tf_in(call, 0));
  int axis = hone_emit_axis(call, hone_tf_int(call, "axis", 0), rank + 1);
  for (int i = 0; i < count; i++) parts[i] = unsqueeze(call, hone_tf_in(call, i), axis);
  hone_tf_return(call, 0, concat(call, parts, count, axis));
  return NULL;
}

/* Elements [begin, end) of one axis. */
static hone_value *cut(hone_call *call, hone_value *x, int64_t axis, int64_t begin, int64_t end) {
  return HONE_EMIT(call, "slice", x, hone_emit_ints(call, &begin, 1),
                   hone_emit_ints(call, &end, 1), hone_emit_ints(call, &axis, 1));
}

static hone_status *import_unpack(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0);
  int rank = hone_emit_rank(call, x);
  int64_t axis = hone_emit_axis(call, hone_tf_int(call, "axis", 0), rank);
  int64_t count = hone_tf_int(call, "num", -1);
  if (count < 0 || count > 4096)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "unpacking %lld tensors", (long long)count);
  for (int64_t i = 0; i < count; i++)
    hone_tf_return(call, (int)i, HONE_EMIT(call, "squeeze", cut(call, x, axis, i, i + 1),
                                           hone_emit_ints(call, &axis, 1)));
  return NULL;
}

static hone_status *return_parts(hone_call *call, hone_node *node, int64_t count) {
  hone_value *first = hone_emit_end(call, node);
  for (int i = 0; i < count; i++)
    hone_tf_return(call, i, i ? hone_emit_out(call, node, i) : first);
  return NULL;
}

static hone_status *import_split(hone_call *call) {
  hone_value *x = hone_tf_in(call, 1);
  int64_t count = hone_tf_int(call, "num_split", 1);
  int axis = hone_emit_axis(call, hone_tf_known_int(call, 0), hone_emit_rank(call, x));
  if (count < 1 || count > 4096)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "splitting into %lld", (long long)count);
  if (count == 1) {
    hone_tf_return(call, 0, x);
    return NULL;
  }
  hone_node *node = hone_emit_begin(call, "split", &x, 1, (int)count);
  hone_emit_set_int(call, node, "axis", axis);
  hone_emit_set_int(call, node, "parts", count);
  return return_parts(call, node, count);
}

/* One of the sizes may be -1: what is left. */
static hone_status *import_split_v(hone_call *call) {
  int64_t sizes[256], sum = 0;
  hone_value *x = hone_tf_in(call, 0);
  int axis = hone_emit_axis(call, hone_tf_known_int(call, 2), hone_emit_rank(call, x));
  size_t count = hone_tf_known(call, 1, sizes, 256), open = count;
  for (size_t i = 0; i < count; i++) {
    if (sizes[i] < 0) open = i;
    sum += sizes[i] < 0 ? 0 : sizes[i];
  }
  if (open < count) {
    hone_dim size = x->type.shape.rank > axis ? x->type.shape.dim[axis] : -1;
    if (!hone_dim_known(size) || size < sum)
      return hone_emit_fail(call, HONE_UNSUPPORTED, "what the open part gets is not known");
    sizes[open] = size - sum;
  }
  hone_value *const in[] = {x, hone_emit_ints(call, sizes, count)};
  hone_node *node = hone_emit_begin(call, "split", in, 2, (int)count);
  hone_emit_set_int(call, node, "axis", axis);
  return return_parts(call, node, (int64_t)count);
}

/* ---- Slices ---- */

/* A size of -1 reaches to the end. */
static hone_status *import_slice(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0), *begin = wide(call, hone_tf_in(call, 1)), *end;
  int64_t from[HONE_MAX_RANK], sizes[HONE_MAX_RANK], axes[HONE_MAX_RANK];
  size_t count = 0, begins = 0;
  int rank = hone_emit_rank(call, x);
  for (int i = 0; i < rank; i++) axes[i] = i;
  bool sized = hone_known_ints(hone_tf_in(call, 2), sizes, HONE_MAX_RANK, &count);
  if (sized && hone_known_ints(begin, from, HONE_MAX_RANK, &begins) && begins == count) {
    for (size_t i = 0; i < count; i++) sizes[i] = sizes[i] < 0 ? INT64_MAX : from[i] + sizes[i];
    end = hone_emit_ints(call, sizes, count);
  } else {
    hone_value *size = wide(call, hone_tf_in(call, 2)), *far = hone_emit_int(call, INT64_MAX);
    hone_value *open = HONE_EMIT(call, "less", size, hone_emit_int(call, 0));
    end = HONE_EMIT(call, "select", open, far, HONE_EMIT(call, "add", begin, size));
  }
  hone_tf_return(call, 0, HONE_EMIT(call, "slice", x, begin, end,
                                    hone_emit_ints(call, axes, (size_t)rank)));
  return NULL;
}

/* A strided slice while its masks are read: per axis of x where it begins, ends and steps, and
 * which axes of the result are new or go. */
typedef struct strided {
  int64_t step[HONE_MAX_RANK];
  hone_value *begin[HONE_MAX_RANK], *end[HONE_MAX_RANK]; /* scalars; NULL: open */
  int64_t drop[HONE_MAX_RANK], add[HONE_MAX_RANK];       /* axes of x; of the result */
  int rank, drops, adds, kept;                           /* kept: axes of the result so far */
} strided;

/* Element i of a vector as a vector of one. */
static hone_value *pick(hone_call *call, hone_value *vector, int64_t i) {
  return cut(call, vector, 0, i, i + 1);
}

static hone_value *plus_one(hone_call *call, hone_value *x) {
  return HONE_EMIT(call, "add", x, hone_emit_int(call, 1));
}

/* An entry that takes one element and drops the axis; index -1 has no end to write. */
static void shrink(hone_call *call, strided *s, int axis, hone_value *index) {
  int64_t known;
  size_t count;
  s->begin[axis] = index;
  s->end[axis] = plus_one(call, index);
  if (hone_known_ints(index, &known, 1, &count) && known == -1) s->end[axis] = NULL;
  s->step[axis] = 1;
  s->drop[s->drops++] = axis;
}

/* What the masks say of entry i, which axis `axis` of x belongs to. */
static void read_entry(hone_call *call, strided *s, int64_t i, int axis, hone_value *begin,
                       hone_value *end, const int64_t *steps) {
  int64_t bit = (int64_t)1 << i;
  if (hone_tf_int(call, "shrink_axis_mask", 0) & bit) {
    shrink(call, s, axis, pick(call, begin, i));
    return;
  }
  s->step[axis] = steps[i];
  s->begin[axis] = hone_tf_int(call, "begin_mask", 0) & bit ? NULL : pick(call, begin, i);
  s->end[axis] = hone_tf_int(call, "end_mask", 0) & bit ? NULL : pick(call, end, i);
  s->kept++;
}

static void read_strided(hone_call *call, strided *s, size_t count, const int64_t *steps) {
  hone_value *begin = wide(call, hone_tf_in(call, 1)), *end = wide(call, hone_tf_in(call, 2));
  int64_t ellipsis = hone_tf_int(call, "ellipsis_mask", 0);
  int64_t shape_new = hone_tf_int(call, "new_axis_mask", 0);
  int news = 0, axis = 0;
  for (size_t i = 0; i < count; i++) news += (shape_new >> i & 1) && !(ellipsis >> i & 1);
  int named = (int)count - news - (ellipsis != 0);
  for (size_t i = 0; i < count && !call->status; i++) {
    if (ellipsis >> i & 1) {
      axis += s->rank - named;
      s->kept += s->rank - named;
    } else if (shape_new >> i & 1) {
      s->add[s->adds++] = s->kept++;
    } else if (axis < s->rank) {
      read_entry(call, s, (int64_t)i, axis++, begin, end, steps);
    } else {
      hone_emit_fail(call, HONE_INVALID_MODEL, "it slices more axes than its input has");
    }
  }
}

static hone_value *bounds(hone_call *call, hone_value *const *given, const strided *s, bool end) {
  hone_value *parts[HONE_MAX_RANK];
  for (int i = 0; i < s->rank; i++) {
    int64_t open = s->step[i] > 0 ? (end ? INT64_MAX : 0) : (end ? INT64_MIN : INT64_MAX);
    parts[i] = given[i] ? given[i] : hone_emit_ints(call, &open, 1);
  }
  return concat(call, parts, s->rank, 0);
}

static hone_status *import_strided_slice(hone_call *call) {
  int64_t steps[64], axes[HONE_MAX_RANK];
  hone_value *x = hone_tf_in(call, 0);
  strided s = {.rank = hone_emit_rank(call, x)};
  size_t count = hone_tf_known(call, 3, steps, 62);
  for (int i = 0; i < s.rank; i++) s.step[i] = 1;
  for (int i = 0; i < s.rank; i++) axes[i] = i;
  if (count <= HONE_MAX_RANK) read_strided(call, &s, count, steps);
  if (count > HONE_MAX_RANK || s.kept > HONE_MAX_RANK)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "a slice of %zu entries", count);
  if (call->status) return NULL;
  hone_value *y = x;
  if (s.rank)
    y = HONE_EMIT(call, "slice", x, bounds(call, s.begin, &s, false),
                  bounds(call, s.end, &s, true), hone_emit_ints(call, axes, (size_t)s.rank),
                  hone_emit_ints(call, s.step, (size_t)s.rank));
  if (s.drops)
    y = HONE_EMIT(call, "squeeze", y, hone_emit_ints(call, s.drop, (size_t)s.drops));
  if (s.adds) y = HONE_EMIT(call, "unsqueeze", y, hone_emit_ints(call, s.add, (size_t)s.adds));
  hone_tf_return(call, 0, y);
  return NULL;
}

static hone_status *import_reverse(hone_call *call) {
  int64_t axes[HONE_MAX_RANK], begin[HONE_MAX_RANK], end[HONE_MAX_RANK], step[HONE_MAX_RANK];
  hone_value *x = hone_tf_in(call, 0);
  size_t count = hone_tf_known(call, 1, axes, HONE_MAX_RANK);
  for (size_t i = 0; i < count; i++) begin[i] = INT64_MAX, end[i] = INT64_MIN, step[i] = -1;
  hone_tf_return(call, 0,
                 count ? HONE_EMIT(call, "slice", x, hone_emit_ints(call, begin, count),
                                   hone_emit_ints(call, end, count),
                                   hone_emit_ints(call, axes, count),
                                   hone_emit_ints(call, step, count))
                       : x);
  return NULL;
}

static hone_status *import_reverse_sequence(hone_call *call) {
  hone_node *node = HONE_EMIT_BEGIN(call, "reverse_sequence", hone_tf_in(call, 0),
                                    wide(call, hone_tf_in(call, 1)));
  hone_emit_set_int(call, node, "time_axis", hone_tf_int(call, "seq_dim", 0));
  hone_emit_set_int(call, node, "batch_axis", hone_tf_int(call, "batch_dim", 0));
  hone_tf_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

/* ---- Pads ---- */

/* Rows of (before, after) an axis to all before, then all after. */
static hone_value *pad_amounts(hone_call *call, int index) {
  static const int64_t perm[] = {1, 0}, flat[] = {-1};
  hone_value *pads = wide(call, hone_tf_in(call, index));
  return hone_emit_reshape(call, hone_emit_transpose(call, pads, 2, perm), flat, 1);
}

static hone_status *import_pad(hone_call *call) {
  hone_value *value = hone_tf_input_count(call) > 2 ? hone_tf_in(call, 2) : NULL;
  hone_tf_return(call, 0,
                 HONE_EMIT(call, "pad", hone_tf_in(call, 0), pad_amounts(call, 1), value));
  return NULL;
}

/* SYMMETRIC repeats the edge itself: x cut, reversed and joined, one axis after the other. */
static hone_value *mirror(hone_call *call, hone_value *x, int axis, int64_t before, int64_t after) {
  hone_value *parts[3];
  int64_t first = before - 1, end = INT64_MIN, last = -1, down = -1, at = axis;
  int count = 0;
  if (before)
    parts[count++] = HONE_EMIT(call, "slice", x, hone_emit_ints(call, &first, 1),
                               hone_emit_ints(call, &end, 1), hone_emit_ints(call, &at, 1),
                               hone_emit_ints(call, &down, 1));
  parts[count++] = x;
  int64_t stop = -1 - after;
  if (after)
    parts[count++] = HONE_EMIT(call, "slice", x, hone_emit_ints(call, &last, 1),
                               hone_emit_ints(call, &stop, 1), hone_emit_ints(call, &at, 1),
                               hone_emit_ints(call, &down, 1));
  return concat(call, parts, count, axis);
}

static hone_status *import_mirror_pad(hone_call *call) {
  int64_t pads[2 * HONE_MAX_RANK];
  hone_value *x = hone_tf_in(call, 0);
  const char *mode = hone_tf_text(call, "mode", "REFLECT");
  if (strcmp(mode, "REFLECT") == 0) {
    hone_node *node = HONE_EMIT_BEGIN(call, "pad", x, pad_amounts(call, 1));
    hone_emit_set_text(call, node, "mode", "reflect");
    hone_tf_return(call, 0, hone_emit_end(call, node));
    return NULL;
  }
  size_t count = hone_tf_known(call, 1, pads, 2 * HONE_MAX_RANK);
  for (size_t i = 0; i + 1 < count; i += 2)
    if (pads[i] > 0 || pads[i + 1] > 0) x = mirror(call, x, (int)(i / 2), pads[i], pads[i + 1]);
  hone_tf_return(call, 0, x);
  return NULL;
}

/* ---- Gathers and scatters ---- */

/* Rows of x that `indices` names, axis 0 .. batch - 1 running along with the indices'. */
static hone_value *gather_batched(hone_call *call, hone_value *x, hone_value *indices, int batch) {
  hone_node *node = HONE_EMIT_BEGIN(call, "gather_nd", x, unsqueeze(call, indices, -1));
  hone_emit_set_int(call, node, "batch_dims", batch);
  return hone_emit_end(call, node);
}

static hone_value *gather(hone_call *call, hone_value *x, hone_value *indices, int axis) {
  hone_node *node = HONE_EMIT_BEGIN(call, "gather", x, indices);
  hone_emit_set_int(call, node, "axis", axis);
  return hone_emit_end(call, node);
}

static hone_status *import_gather(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0);
  hone_tf_return(call, 0, gather(call, x, wide(call, hone_tf_in(call, 1)), 0));
  return NULL;
}

static hone_status *import_gather_v2(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0), *indices = wide(call, hone_tf_in(call, 1));
  int axis = hone_emit_axis(call, hone_tf_known_int(call, 2), hone_emit_rank(call, x));
  int64_t batch = hone_tf_int(call, "batch_dims", 0);
  if (batch < 0) batch += hone_emit_rank(call, indices);
  if (batch == 0)
    hone_tf_return(call, 0, gather(call, x, indices, axis));
  else if (batch == axis)
    hone_tf_return(call, 0, gather_batched(call, x, indices, axis));
  else
    hone_emit_fail(call, HONE_UNSUPPORTED, "axis %d behind %lld batch dimensions", axis,
                   (long long)batch);
  return NULL;
}

static hone_status *import_gather_nd(hone_call *call) {
  hone_node *node = HONE_EMIT_BEGIN(call, "gather_nd", hone_tf_in(call, 0),
                                    wide(call, hone_tf_in(call, 1)));
  hone_emit_set_int(call, node, "batch_dims", hone_tf_int(call, "batch_dims", 0));
  hone_tf_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

static hone_status *scatter(hone_call *call, hone_value *x, int indices, int updates,
                            const char *reduction) {
  hone_node *node = HONE_EMIT_BEGIN(call, "scatter_nd", x, wide(call, hone_tf_in(call, indices)),
                                    hone_tf_in(call, updates));
  hone_emit_set_text(call, node, "reduction", reduction);
  hone_tf_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

static hone_status *import_scatter_nd(hone_call *call) {
  hone_value *zero = hone_emit_real(call, hone_tf_in(call, 1)->type.dtype, 0);
  hone_value *zeros = HONE_EMIT(call, "expand", zero, wide(call, hone_tf_in(call, 2)));
  return scatter(call, zeros, 0, 1, "add");
}

static hone_status *import_scatter_update(hone_call *call) {
  return scatter(call, hone_tf_in(call, 0), 1, 2, "none");
}
static hone_status *import_scatter_add(hone_call *call) {
  return scatter(call, hone_tf_in(call, 0), 1, 2, "add");
}
static hone_status *import_scatter_max(hone_call *call) {
  return scatter(call, hone_tf_in(call, 0), 1, 2, "max");
}
static hone_status *import_scatter_min(hone_call *call) {
  return scatter(call, hone_tf_in(call, 0), 1, 2, "min");
}

static hone_status *import_where(hone_call *call) {
  static const int64_t perm[] = {1, 0};
  hone_value *found = HONE_EMIT(call, "nonzero", hone_tf_in(call, 0));
  hone_tf_return(call, 0, hone_emit_transpose(call, found, 2, perm));
  return NULL;
}

static hone_status *import_one_hot(hone_call *call) {
  hone_value *const ends[] = {unsqueeze(call, hone_tf_in(call, 3), 0),
                              unsqueeze(call, hone_tf_in(call, 2), 0)};
  hone_value *indices = wide(call, hone_tf_in(call, 0));
  /* Here a negative index is no index: it must not count from the end. */
  hone_value *depth = wide(call, hone_tf_in(call, 1));
  hone_value *negative = HONE_EMIT(call, "less", indices, hone_emit_int(call, 0));
  indices = HONE_EMIT(call, "select", negative, depth, indices);
  hone_node *node = HONE_EMIT_BEGIN(call, "one_hot", indices, depth, concat(call, ends, 2, 0));
  hone_emit_set_int(call, node, "axis", hone_tf_int(call, "axis", -1));
  hone_tf_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

static hone_status *import_invert_permutation(hone_call *call) {
  int64_t perm[HONE_MAX_RANK], inverse[HONE_MAX_RANK] = {0};
  size_t count = hone_tf_known(call, 0, perm, HONE_MAX_RANK);
  for (size_t i = 0; i < count; i++) {
    if (perm[i] < 0 || perm[i] >= (int64_t)count)
      return hone_emit_fail(call, HONE_INVALID_MODEL, "it is no permutation");
    inverse[perm[i]] = (int64_t)i;
  }
  hone_tf_return(call, 0, hone_emit_cast(call, hone_emit_ints(call, inverse, count),
                                         hone_tf_in(call, 0)->type.dtype));
  return NULL;
}

const hone_tf_row hone_tf_arrays[] = {
    {"BroadcastTo", .import = import_broadcast_to},
    {"Concat", .import = import_concat},
    {"ConcatV2", .import = import_concat_v2},
    {"ExpandDims", .import = import_expand_dims},
    {"Fill", .import = import_fill},
    {"Gather", .import = import_gather},
    {"GatherNd", .import = import_gather_nd},
    {"GatherV2", .import = import_gather_v2},
    {"InvertPermutation", .import = import_invert_permutation},
    {"MirrorPad", .import = import_mirror_pad},
    {"OneHot", .import = import_one_hot},
    {"Pack", .import = import_pack},
    {"Pad", .import = import_pad},
    {"PadV2", .import = import_pad},
    {"Range", .import = import_range},
    {"Rank", .import = import_rank},
    {"Reshape", .import = import_reshape},
    {"ReverseSequence", .import = import_reverse_sequence},
    {"ReverseV2", .import = import_reverse},
    {"ScatterNd", .import = import_scatter_nd},
    {"Shape", .import = import_shape},
    {"ShapeN", .import = import_shape},
    {"Size", .import = import_size},
    {"Slice", .import = import_slice},
    {"Split", .import = import_split},
    {"SplitV", .import = import_split_v},
    {"Squeeze", .import = import_squeeze},
    {"StridedSlice", .import = import_strided_slice},
    {"TensorScatterAdd", .import = import_scatter_add},
    {"TensorScatterMax", .import = import_scatter_max},
    {"TensorScatterMin", .import = import_scatter_min},
    {"TensorScatterUpdate", .import = import_scatter_update},
    {"Tile", .import = import_tile},
    {"Transpose", .import = import_transpose},
    {"Unpack", .import = import_unpack},
    {"Where", .import = import_where},
    {0},
};
