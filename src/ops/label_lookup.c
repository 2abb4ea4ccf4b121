/* label_lookup: what a table says for each element: values[i] where keys[i] equals it, else the
 * fallback. The first of equal keys holds; NaN is found by NaN. Room: ops. */
#include <stdlib.h>
#include <string.h>

#include "ops/objects.h"
#include "ops/ops.h"

enum { X, KEYS, VALUES, FALLBACK };

static hone_status *lookup_infer(hone_infer *infer) {
  const hone_type *x = infer->in[X], *keys = infer->in[KEYS], *values = infer->in[VALUES];
  const hone_type *fallback = infer->in[FALLBACK];
  if ((x->dtype && keys->dtype != x->dtype) || values->dtype != fallback->dtype)
    return hone_infer_fail(infer, "keys of type %s for elements of type %s",
                           hone_dtype_name(keys->dtype), hone_dtype_name(x->dtype));
  infer->out[0] = hone_tensor_type(values->dtype, x->shape);
  return NULL;
}

/* An element as bytes that are equal when the elements are: no -0, one NaN. */
typedef struct key {
  const void *data;
  size_t size;
  uint64_t bits;
} key;

static void key_of(const hone_datum *x, size_t i, key *out) {
  hone_dtype_class class = hone_dtype_class_of(x->dtype);
  if (class == HONE_CLASS_STRING) {
    const hone_string *text = (const hone_string *)x->data + i;
    out->data = text->data;
    out->size = text->size;
    return;
  }
  if (class == HONE_CLASS_FLOAT) {
    double real = hone_load_real(x->dtype, x->data, i);
    if (real == 0) real = 0;
    memcpy(&out->bits, &real, sizeof real);
    if (real != real) out->bits = UINT64_MAX;
  } else {
    out->bits = (uint64_t)hone_load_int(x->dtype, x->data, i);
  }
  out->data = &out->bits;
  out->size = sizeof out->bits;
}

static hone_status *fill(hone_map *table, const hone_datum *keys) {
  size_t count = hone_datum_count(keys);
  for (size_t i = 0; i < count; i++) {
    key k;
    key_of(keys, i, &k);
    if (hone_map_get(table, k.data, k.size)) continue;
    HONE_TRY(hone_map_put(table, k.data, k.size, (void *)(uintptr_t)(i + 1)));
  }
  return NULL;
}

static hone_status *look_all(hone_reference *ref, const hone_map *table) {
  const hone_datum *x = ref->in[X];
  hone_datum *out = ref->out[0], values, fallback;
  size_t count = hone_datum_count(x), element = hone_dtype_bits(out->dtype) / 8;
  if (!element) return hone_error(HONE_UNSUPPORTED, "a table of packed values");
  HONE_TRY(hone_datum_copy(ref->objects, ref->in[VALUES], &values));
  HONE_TRY(hone_datum_copy(ref->objects, ref->in[FALLBACK], &fallback));
  for (size_t i = 0; i < count; i++) {
    key k;
    key_of(x, i, &k);
    size_t found = (size_t)(uintptr_t)hone_map_get(table, k.data, k.size);
    const char *from = found ? (char *)values.data + (found - 1) * element : fallback.data;
    memcpy((char *)out->data + i * element, from, element);
  }
  return NULL;
}

static hone_status *lookup_reference(hone_reference *ref) {
  hone_map table = {0};
  if (hone_datum_count(ref->in[KEYS]) != hone_datum_count(ref->in[VALUES]) ||
      hone_datum_count(ref->in[FALLBACK]) != 1)
    return hone_error(HONE_INVALID_ARGUMENT, "as many keys as values, and one fallback");
  hone_status *status = fill(&table, ref->in[KEYS]);
  if (!status) status = look_all(ref, &table);
  hone_map_free(&table);
  return status;
}

const hone_op hone_op_label_lookup = {
    .name = "label_lookup",
    .inputs = "x keys values fallback",
    .outputs = "y",
    .facts = HONE_OBJECTS,
    .infer = lookup_infer,
    .reference = lookup_reference,
};
