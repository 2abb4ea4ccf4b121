/* Sequences of tensors: making, reading and changing them. They are values: every change is a copy.
 * Room: ops.
 *
 * In a sequence's type a symbol stands for any size: the items may differ there. */
#include <string.h>

#include "ops/objects.h"
#include "ops/ops.h"

/* What every item has when `b` joins those of `a`. */
static hone_status *join_shapes(hone_infer *infer, const hone_shape *b, hone_shape *a) {
  if (a->rank != b->rank) *a = hone_shape_unknown();
  for (int i = 0; i < a->rank; i++)
    if (a->dim[i] != b->dim[i] && hone_dim_known(a->dim[i])) a->dim[i] = hone_infer_fresh(infer);
  return NULL;
}

/* The type of one item: sizes that differ between items are no longer the symbols of the type. */
static hone_type item_type(hone_infer *infer, const hone_type *sequence) {
  hone_type item = hone_tensor_type(sequence->dtype, sequence->shape);
  if (!infer->graph) item.shape = hone_shape_unknown();
  for (int i = 0; i < item.shape.rank; i++)
    if (!hone_dim_known(item.shape.dim[i])) item.shape.dim[i] = hone_infer_fresh(infer);
  return item;
}

static hone_status *check_sequence(const hone_infer *infer) {
  if (infer->in[0]->kind == HONE_KIND_SEQUENCE) return NULL;
  return hone_infer_fail(infer, "its first input is no sequence");
}

static hone_status *make_infer(hone_infer *infer) {
  hone_type *out = &infer->out[0];
  *out = (hone_type){.kind = HONE_KIND_SEQUENCE, .shape = hone_shape_unknown()};
  out->dtype = hone_node_dtype(infer->node, "dtype");
  for (int i = 0; i < infer->input_count; i++) {
    const hone_type *in = infer->in[i];
    if (!in || in->kind != HONE_KIND_TENSOR)
      return hone_infer_fail(infer, "item %d is no tensor", i);
    if (out->dtype && in->dtype && in->dtype != out->dtype)
      return hone_infer_fail(infer, "items of types %s and %s", hone_dtype_name(out->dtype),
                             hone_dtype_name(in->dtype));
    if (in->dtype) out->dtype = in->dtype;
    if (i == 0)
      out->shape = in->shape;
    else
      HONE_TRY(join_shapes(infer, &in->shape, &out->shape));
  }
  return NULL;
}

/* Room for `count` items; the sequence has no tensor of its own. */
static hone_status *start(hone_reference *ref, size_t count, hone_datum *out) {
  hone_dtype dtype = out->dtype;
  *out = (hone_datum){.kind = HONE_KIND_SEQUENCE, .dtype = dtype, .count = count};
  out->shape = hone_shape_unknown();
  out->items = HONE_NEW_ARRAY(ref->objects, count + 1, hone_datum);
  HONE_TRY_MEMORY(out->items);
  return NULL;
}

static hone_status *make_reference(hone_reference *ref) {
  hone_datum *out = ref->out[0];
  HONE_TRY(start(ref, (size_t)ref->input_count, out));
  for (int i = 0; i < ref->input_count; i++)
    HONE_TRY(hone_datum_copy(ref->objects, ref->in[i], &out->items[i]));
  return NULL;
}

/* `position` of `count` items, negative from the end; absent: `fallback`. */
static hone_status *position_of(const hone_reference *ref, int input, int64_t count,
                                int64_t fallback, int64_t limit, int64_t *out) {
  *out = fallback;
  if (input < ref->input_count && ref->in[input])
    HONE_TRY(hone_datum_int(ref->in[input], "position", out));
  int64_t position = *out;
  if (position < 0) *out += count;
  if (*out >= 0 && *out < limit) return NULL;
  return hone_error(HONE_INVALID_ARGUMENT, "position %lld of %lld items", (long long)position,
                    (long long)count);
}

static hone_status *at_infer(hone_infer *infer) {
  HONE_TRY(check_sequence(infer));
  infer->out[0] = item_type(infer, infer->in[0]);
  return NULL;
}

static hone_status *at_reference(hone_reference *ref) {
  int64_t position, count = (int64_t)ref->in[0]->count;
  HONE_TRY(position_of(ref, 1, count, 0, count, &position));
  return hone_datum_copy(ref->objects, &ref->in[0]->items[position], ref->out[0]);
}

static hone_status *insert_infer(hone_infer *infer) {
  HONE_TRY(check_sequence(infer));
  const hone_type *item = infer->in[1];
  hone_type *out = &infer->out[0];
  *out = *infer->in[0];
  if (item->kind != HONE_KIND_TENSOR || (out->dtype && item->dtype && out->dtype != item->dtype))
    return hone_infer_fail(infer, "an item of type %s in a sequence of %s",
                           hone_dtype_name(item->dtype), hone_dtype_name(out->dtype));
  if (!out->dtype) out->dtype = item->dtype;
  return join_shapes(infer, &item->shape, &out->shape);
}

static hone_status *insert_reference(hone_reference *ref) {
  const hone_datum *in = ref->in[0];
  hone_datum *out = ref->out[0];
  int64_t position, count = (int64_t)in->count;
  HONE_TRY(position_of(ref, 2, count, count, count + 1, &position));
  out->dtype = in->dtype ? in->dtype : ref->in[1]->dtype;
  HONE_TRY(start(ref, in->count + 1, out));
  for (int64_t i = 0; i <= count; i++) {
    const hone_datum *from = i == position ? ref->in[1] : &in->items[i - (i > position)];
    HONE_TRY(hone_datum_copy(ref->objects, from, &out->items[i]));
  }
  return NULL;
}

static hone_status *erase_infer(hone_infer *infer) {
  HONE_TRY(check_sequence(infer));
  infer->out[0] = *infer->in[0];
  return NULL;
}

static hone_status *erase_reference(hone_reference *ref) {
  const hone_datum *in = ref->in[0];
  hone_datum *out = ref->out[0];
  int64_t position, count = (int64_t)in->count;
  HONE_TRY(position_of(ref, 1, count, -1, count, &position));
  HONE_TRY(start(ref, in->count - 1, out));
  for (int64_t i = 0; i < count; i++)
    if (i != position)
      HONE_TRY(hone_datum_copy(ref->objects, &in->items[i], &out->items[i - (i > position)]));
  return NULL;
}

static hone_status *length_infer(hone_infer *infer) {
  HONE_TRY(check_sequence(infer));
  infer->out[0] = hone_tensor_type(HONE_S64, (hone_shape){0});
  return NULL;
}

static hone_status *length_reference(hone_reference *ref) {
  hone_store_int(HONE_S64, ref->out[0]->data, 0, (int64_t)ref->in[0]->count);
  return NULL;
}

#define SEQUENCE_OP(verb, takes, gives, ...)                              \
  const hone_op hone_op_sequence_##verb = {.name = "sequence_" #verb,     \
                                           .inputs = takes,               \
                                           .outputs = gives,              \
                                           .facts = HONE_OBJECTS,         \
                                           .infer = verb##_infer,         \
                                           .reference = verb##_reference, \
                                           __VA_ARGS__}

SEQUENCE_OP(make, "x*", "s", .attrs = {{"dtype", HONE_ATTR_DTYPE, "none"}});
SEQUENCE_OP(at, "s position", "x", .shape_inputs = 0);
SEQUENCE_OP(insert, "s x position?", "s", .shape_inputs = 0);
SEQUENCE_OP(erase, "s position?", "s", .shape_inputs = 0);
SEQUENCE_OP(length, "s", "n", .shape_inputs = 0);
