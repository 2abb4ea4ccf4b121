/* What ops on sequences, optionals, strings and regions share. Room: ops. */
#include "ops/objects.h"

static hone_status *copy_items(hone_arena *memory, const hone_datum *from, hone_datum *out) {
  out->items = HONE_NEW_ARRAY(memory, from->count + 1, hone_datum);
  HONE_TRY_MEMORY(out->items);
  for (size_t i = 0; i < from->count; i++)
    HONE_TRY(hone_datum_copy(memory, &from->items[i], &out->items[i]));
  return NULL;
}

/* Depth is at most three: an optional of a sequence of tensors. */
hone_status *hone_datum_copy(hone_arena *memory, const hone_datum *from, hone_datum *out) {
  size_t bytes;
  *out = *from;
  if (from->kind != HONE_KIND_TENSOR) return copy_items(memory, from, out);
  if (!hone_shape_bytes(&from->shape, from->dtype, &bytes))
    return hone_error(HONE_LIMIT, "the size of a value overflows");
  out->data = hone_arena_copy(memory, from->data, bytes);
  HONE_TRY_MEMORY(out->data);
  if (from->dtype != HONE_STR) return NULL;
  hone_string *strings = out->data;
  size_t count = hone_datum_count(from);
  for (size_t i = 0; i < count; i++) {
    strings[i].data = hone_arena_text(memory, strings[i].data, strings[i].size);
    HONE_TRY_MEMORY(strings[i].data);
  }
  return NULL;
}

hone_status *hone_infer_either(hone_infer *infer, const hone_type *a, const hone_type *b,
                               hone_type *out) {
  *out = *a;
  if (!out->dtype) out->dtype = b->dtype;
  if (a->kind != b->kind || (b->dtype && out->dtype != b->dtype))
    return hone_infer_fail(infer, "a value is %s in one body and %s in another",
                           hone_dtype_name(a->dtype), hone_dtype_name(b->dtype));
  if (!infer->graph || a->shape.rank != b->shape.rank) {
    out->shape = hone_shape_unknown();
    return NULL;
  }
  for (int i = 0; i < a->shape.rank; i++)
    if (a->shape.dim[i] != b->shape.dim[i]) out->shape.dim[i] = hone_infer_fresh(infer);
  return NULL;
}

hone_status *hone_datum_int(const hone_datum *datum, const char *what, int64_t *out) {
  if (datum->kind != HONE_KIND_TENSOR || hone_datum_count(datum) != 1)
    return hone_error(HONE_INVALID_ARGUMENT, "the %s is not one element", what);
  *out = hone_load_int(datum->dtype, datum->data, 0);
  return NULL;
}
