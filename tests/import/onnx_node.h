/* ONNX's conformance cases: their inputs and expected outputs as data, and the comparison. */
#ifndef HONE_TESTS_ONNX_NODE_H
#define HONE_TESTS_ONNX_NODE_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "import/import.h"
#include "import/onnx/importer.h"
#include "numerics.h"
#include "ops/ops.h"

/* One tensor of a .pb file; what it needs lies in `holder`. */
static hone_status *load_tensor(onnx_importer *importer, hone_graph *holder, hone_bytes bytes,
                                hone_datum *out) {
  hone_value *value;
  HONE_TRY(onnx_constant(importer, holder, (hone_bytes){0}, bytes, &value));
  *out = hone_value_datum(value);
  return NULL;
}

/* SequenceProto holds its tensors in field 3, OptionalProto its tensor in 3 or its sequence in 5.
 */
typedef struct container {
  hone_bytes sequence;
  hone_proto_list tensors;
} container;

static hone_status *load_datum(onnx_importer *importer, hone_graph *holder, hone_bytes bytes,
                               hone_kind kind, hone_kind item, hone_datum *out) {
  static const hone_proto_rule rules[] = {HONE_PROTO_MANY(3, BYTES, container, tensors),
                                          HONE_PROTO_ONE(5, BYTES, container, sequence)};
  container all = {0};
  if (kind == HONE_KIND_TENSOR) return load_tensor(importer, holder, bytes, out);
  HONE_TRY(hone_proto_read(&importer->reader, bytes, rules, 2, &all));
  *out = (hone_datum){.kind = kind, .shape = hone_shape_unknown()};
  bool nested = kind == HONE_KIND_OPTIONAL && item == HONE_KIND_SEQUENCE;
  out->count = nested ? all.sequence.data != NULL : all.tensors.count;
  out->items = HONE_NEW_ARRAY(holder->arena, out->count + 1, hone_datum);
  HONE_TRY_MEMORY(out->items);
  if (nested && out->count)
    return load_datum(importer, holder, all.sequence, item, HONE_KIND_TENSOR, out->items);
  for (size_t i = 0; i < out->count; i++)
    HONE_TRY(load_tensor(importer, holder, all.tensors.items[i], &out->items[i]));
  if (out->count) out->dtype = out->items[0].dtype;
  return NULL;
}

static bool near(double got, double want, double relative, double absolute) {
  if (isnan(got) || isnan(want)) return isnan(got) && isnan(want);
  if (isinf(got) || isinf(want)) return got == want;
  return fabs(got - want) <= absolute + relative * fabs(want);
}

typedef struct limits {
  double relative, absolute;
} limits;

static limits limits_of(hone_dtype dtype) {
  const char *precision = dtype == HONE_BF16            ? "bf16"
                          : hone_dtype_bits(dtype) < 32 ? "f16"
                                                        : "fp32";
  return (limits){bound("ONNX case, relative", precision), bound("ONNX case, absolute", precision)};
}

static bool same_element(const hone_datum *got, const hone_datum *want, limits most, size_t i) {
  hone_dtype_class class = hone_dtype_class_of(want->dtype);
  if (class == HONE_CLASS_STRING) {
    const hone_string *a = (const hone_string *)got->data + i,
                      *b = (const hone_string *)want->data + i;
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
  }
  if (class == HONE_CLASS_FLOAT)
    return near(hone_load_real(got->dtype, got->data, i),
                hone_load_real(want->dtype, want->data, i), most.relative, most.absolute);
  return hone_load_int(got->dtype, got->data, i) == hone_load_int(want->dtype, want->data, i);
}

static hone_status *compare_tensor(const hone_datum *got, const hone_datum *want) {
  if (got->dtype != want->dtype)
    return hone_error(HONE_INTERNAL, "type %s instead of %s", hone_dtype_name(got->dtype),
                      hone_dtype_name(want->dtype));
  if (!hone_shape_equal(&got->shape, &want->shape))
    return hone_error(HONE_INTERNAL, "shape [%d: %lld, %lld, …] instead of [%d: %lld, %lld, …]",
                      got->shape.rank, (long long)got->shape.dim[0], (long long)got->shape.dim[1],
                      want->shape.rank, (long long)want->shape.dim[0],
                      (long long)want->shape.dim[1]);
  limits most = limits_of(want->dtype);
  hone_datum a = *got, b = *want;
  size_t count = hone_datum_count(want);
  if (hone_dtype_class_of(want->dtype) == HONE_CLASS_COMPLEX) {
    a.dtype = b.dtype = want->dtype == HONE_C64 ? HONE_F32 : HONE_F64;
    count *= 2;
  }
  for (size_t i = 0; i < count; i++)
    if (!same_element(&a, &b, most, i))
      return hone_error(HONE_INTERNAL, "element %zu is %g instead of %g", i,
                        a.dtype == HONE_STR ? 0 : hone_load_real(a.dtype, a.data, i),
                        b.dtype == HONE_STR ? 0 : hone_load_real(b.dtype, b.data, i));
  return NULL;
}

static hone_status *compare_datum(const hone_datum *got, const hone_datum *want) {
  if (got->kind != want->kind) return hone_error(HONE_INTERNAL, "another kind of value");
  if (want->kind == HONE_KIND_TENSOR) return compare_tensor(got, want);
  if (got->count != want->count)
    return hone_error(HONE_INTERNAL, "%zu items instead of %zu", got->count, want->count);
  for (size_t i = 0; i < want->count; i++) HONE_TRY(compare_datum(&got->items[i], &want->items[i]));
  return NULL;
}

#endif
