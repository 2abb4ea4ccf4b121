/* Tensors into sequences and back: sequence_split and sequence_concat. Room: ops. */
#include <string.h>

#include "ops/objects.h"
#include "ops/ops.h"

/* A tensor seen as outer x axis x inner, in bytes. */
typedef struct view {
  size_t outer, inner; /* inner: bytes of one step along the axis */
} view;

static hone_status *view_of(const hone_datum *x, int axis, view *out) {
  size_t bits = hone_dtype_bits(x->dtype);
  if (bits < 8) return hone_error(HONE_UNSUPPORTED, "packed elements in sequences");
  out->outer = hone_shape_span(&x->shape, 0, axis);
  out->inner = hone_shape_span(&x->shape, axis + 1, x->shape.rank) * (bits / 8);
  return NULL;
}

/* Copies `count` steps along the axis, from step `from_at` of `from` to step `to_at` of `to`. */
static void copy_steps(const view *v, const hone_datum *from, int axis, int64_t from_at,
                       hone_datum *to, int to_axis, int64_t to_at, int64_t count) {
  size_t from_row = (size_t)from->shape.dim[axis] * v->inner;
  size_t to_row = (size_t)to->shape.dim[to_axis] * v->inner, bytes = (size_t)count * v->inner;
  if (!bytes) return;
  for (size_t i = 0; i < v->outer; i++)
    memcpy((char *)to->data + i * to_row + (size_t)to_at * v->inner,
           (const char *)from->data + i * from_row + (size_t)from_at * v->inner, bytes);
}

static hone_status *take_memory(hone_reference *ref, hone_datum *out) {
  size_t bytes;
  if (!hone_shape_bytes(&out->shape, out->dtype, &bytes))
    return hone_error(HONE_LIMIT, "a result is too large");
  out->data = hone_arena_alloc(ref->objects, bytes ? bytes : 1);
  HONE_TRY_MEMORY(out->data);
  return NULL;
}

/* ---- split ---- */

static hone_status *split_infer(hone_infer *infer) {
  const hone_type *x = infer->in[0];
  bool keep = hone_node_flag(infer->node, "keep") || (infer->input_count > 1 && infer->in[1]);
  int axis;
  infer->out[0] = (hone_type){.kind = HONE_KIND_SEQUENCE, .dtype = x->dtype, .shape = x->shape};
  hone_shape *shape = &infer->out[0].shape;
  if (x->shape.rank < 0) return NULL;
  if (!hone_axis(hone_node_int(infer->node, "axis"), x->shape.rank, &axis))
    return hone_infer_fail(infer, "its axis is outside %d dimensions", x->shape.rank);
  if (keep) {
    shape->dim[axis] = infer->input_count > 1 && infer->in[1] ? hone_infer_fresh(infer) : 1;
  } else {
    shape->rank--;
    memmove(&shape->dim[axis], &shape->dim[axis + 1],
            (size_t)(shape->rank - axis) * sizeof *shape->dim);
  }
  return NULL;
}

/* How long part `i` is: one of a list, all the same, or 1. */
static int64_t part_size(const hone_datum *sizes, size_t i) {
  if (!sizes) return 1;
  return hone_load_int(sizes->dtype, sizes->data, sizes->shape.rank == 0 ? 0 : i);
}

static hone_status *count_parts(const hone_datum *sizes, int64_t total, size_t *out) {
  int64_t sum = 0;
  if (!sizes || sizes->shape.rank == 0) {
    int64_t size = part_size(sizes, 0);
    if (size < 1) return hone_error(HONE_INVALID_ARGUMENT, "parts of %lld", (long long)size);
    *out = (size_t)(total / size + (total % size != 0));
    return NULL;
  }
  *out = hone_datum_count(sizes);
  for (size_t i = 0; i < *out; i++) {
    int64_t size = part_size(sizes, i);
    if (size < 0 || !hone_add_s64(sum, size, &sum))
      return hone_error(HONE_INVALID_ARGUMENT, "a part of %lld", (long long)size);
  }
  if (sum == total) return NULL;
  return hone_error(HONE_INVALID_ARGUMENT, "parts of %lld in all, where the axis has %lld",
                    (long long)sum, (long long)total);
}

static hone_status *split_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0], *sizes = ref->input_count > 1 ? ref->in[1] : NULL;
  hone_datum *out = ref->out[0];
  int axis;
  size_t count;
  view v;
  if (!hone_axis(hone_node_int(ref->node, "axis"), x->shape.rank, &axis))
    return hone_error(HONE_INVALID_ARGUMENT, "its axis is outside");
  HONE_TRY(view_of(x, axis, &v));
  HONE_TRY(count_parts(sizes, x->shape.dim[axis], &count));
  *out = (hone_datum){.kind = HONE_KIND_SEQUENCE, .dtype = x->dtype, .count = count};
  out->items = HONE_NEW_ARRAY(ref->objects, count + 1, hone_datum);
  HONE_TRY_MEMORY(out->items);
  bool drop = !sizes && !hone_node_flag(ref->node, "keep");
  int64_t at = 0;
  for (size_t i = 0; i < count; i++) {
    hone_datum part = *x, *item = &out->items[i];
    int64_t size = part_size(sizes, i), left = x->shape.dim[axis] - at;
    part.shape.dim[axis] = size < left ? size : left;
    HONE_TRY(take_memory(ref, &part));
    copy_steps(&v, x, axis, at, &part, axis, 0, part.shape.dim[axis]);
    at += part.shape.dim[axis];
    if (drop) {
      part.shape.rank--;
      memmove(&part.shape.dim[axis], &part.shape.dim[axis + 1],
              (size_t)(part.shape.rank - axis) * sizeof *part.shape.dim);
    }
    HONE_TRY(hone_datum_copy(ref->objects, &part, item));
  }
  return NULL;
}

const hone_op hone_op_sequence_split = {
    .name = "sequence_split",
    .inputs = "x sizes?",
    .outputs = "s",
    .attrs = {{"axis", HONE_ATTR_INT, "0"}, {"keep", HONE_ATTR_FLAG, "true"}},
    .facts = HONE_OBJECTS,
    .infer = split_infer,
    .reference = split_reference,
};

/* ---- concat ---- */

static hone_status *concat_infer(hone_infer *infer) {
  const hone_type *s = infer->in[0];
  bool stacks = hone_node_flag(infer->node, "new_axis");
  int axis;
  if (s->kind != HONE_KIND_SEQUENCE) return hone_infer_fail(infer, "its input is no sequence");
  infer->out[0] = hone_tensor_type(s->dtype, hone_shape_unknown());
  if (!infer->graph || s->shape.rank < 0) return NULL;
  hone_shape shape = s->shape;
  shape.rank += stacks;
  if (shape.rank > HONE_MAX_RANK ||
      !hone_axis(hone_node_int(infer->node, "axis"), shape.rank, &axis))
    return hone_infer_fail(infer, "its axis is outside %d dimensions", shape.rank);
  if (stacks)
    memmove(&shape.dim[axis + 1], &shape.dim[axis],
            (size_t)(shape.rank - 1 - axis) * sizeof *shape.dim);
  for (int i = 0; i < shape.rank; i++)
    if (i == axis || !hone_dim_known(shape.dim[i])) shape.dim[i] = hone_infer_fresh(infer);
  infer->out[0].shape = shape;
  return NULL;
}

/* Whether two items agree everywhere but along the axis (-1: everywhere). */
static bool fits(const hone_shape *a, const hone_shape *b, int axis) {
  if (a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (i != axis && a->dim[i] != b->dim[i]) return false;
  return true;
}

static hone_status *concat_reference(hone_reference *ref) {
  const hone_datum *s = ref->in[0];
  hone_datum *out = ref->out[0];
  bool stacks = hone_node_flag(ref->node, "new_axis");
  int axis;
  view v;
  if (!s->count) return hone_error(HONE_INVALID_ARGUMENT, "an empty sequence");
  const hone_datum *first = &s->items[0];
  int rank = first->shape.rank + stacks;
  if (rank > HONE_MAX_RANK || !hone_axis(hone_node_int(ref->node, "axis"), rank, &axis))
    return hone_error(HONE_INVALID_ARGUMENT, "its axis is outside %d dimensions", rank);
  *out = (hone_datum){.dtype = first->dtype, .shape = first->shape};
  out->shape.rank = rank;
  if (stacks)
    memmove(&out->shape.dim[axis + 1], &first->shape.dim[axis],
            (size_t)(first->shape.rank - axis) * sizeof *out->shape.dim);
  out->shape.dim[axis] = 0;
  for (size_t i = 0; i < s->count; i++) {
    const hone_shape *shape = &s->items[i].shape;
    if (!fits(shape, &first->shape, stacks ? -1 : axis))
      return hone_error(HONE_INVALID_ARGUMENT, "item %zu has another shape", i);
    out->shape.dim[axis] += stacks ? 1 : shape->dim[axis];
  }
  HONE_TRY(take_memory(ref, out));
  HONE_TRY(view_of(out, axis, &v));
  int64_t at = 0;
  for (size_t i = 0; i < s->count; i++) {
    hone_datum item = s->items[i];
    item.shape = out->shape;
    item.shape.dim[axis] = stacks ? 1 : s->items[i].shape.dim[axis];
    copy_steps(&v, &item, axis, 0, out, axis, at, item.shape.dim[axis]);
    at += item.shape.dim[axis];
  }
  return NULL;
}

const hone_op hone_op_sequence_concat = {
    .name = "sequence_concat",
    .inputs = "s",
    .outputs = "y",
    .attrs = {{"axis", HONE_ATTR_INT, "0"}, {"new_axis", HONE_ATTR_FLAG, "false"}},
    .facts = HONE_OBJECTS,
    .infer = concat_infer,
    .reference = concat_reference,
};
