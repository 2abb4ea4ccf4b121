/* What references share: operands as plain numbers, results, and two inner loops. Room: ops. */
#include "ops/operand.h"

static bool is_real(hone_dtype dtype) {
  return hone_dtype_class_of(dtype) == HONE_CLASS_FLOAT;
}

hone_status *hone_scratch_reals(hone_reference *ref, size_t count, double **out) {
  *out = HONE_NEW_ARRAY(ref->scratch, count + 1, double);
  HONE_TRY_MEMORY(*out);
  return NULL;
}

hone_status *hone_operand_reals(hone_reference *ref, int index, double **out) {
  const hone_datum *in = hone_ref_in(ref, index);
  *out = NULL;
  if (!in) return NULL;
  size_t count = hone_datum_count(in);
  HONE_TRY(hone_scratch_reals(ref, count, out));
  hone_load_reals(in->dtype, in->data, 0, count, *out);
  return NULL;
}

hone_status *hone_operand_ints(hone_reference *ref, int index, int64_t **out) {
  const hone_datum *in = hone_ref_in(ref, index);
  *out = NULL;
  if (!in) return NULL;
  size_t count = hone_datum_count(in);
  *out = HONE_NEW_ARRAY(ref->scratch, count + 1, int64_t);
  HONE_TRY_MEMORY(*out);
  hone_load_ints(in->dtype, in->data, 0, count, *out);
  return NULL;
}

hone_status *hone_operand(hone_reference *ref, int index, hone_numbers *out) {
  const hone_datum *in = hone_ref_in(ref, index);
  *out = (hone_numbers){0};
  if (!in) return NULL;
  out->whole = !is_real(in->dtype);
  out->count = hone_datum_count(in);
  if (!out->whole) return hone_operand_reals(ref, index, &out->real);
  int64_t *integers;
  HONE_TRY(hone_operand_ints(ref, index, &integers));
  out->integer = (uint64_t *)integers;
  return NULL;
}

hone_status *hone_result(hone_reference *ref, int index, hone_numbers *out) {
  const hone_datum *to = ref->out[index];
  *out = (hone_numbers){.whole = !is_real(to->dtype), .count = hone_datum_count(to)};
  return hone_scratch_reals(ref, out->count, &out->real);
}

void hone_result_store(hone_reference *ref, int index, const hone_numbers *numbers) {
  hone_datum *to = hone_ref_out(ref, index);
  if (!to) return;
  if (numbers->whole)
    hone_store_ints(to->dtype, to->data, 0, numbers->count, (const int64_t *)numbers->integer);
  else
    hone_store_reals(to->dtype, to->data, 0, numbers->count, numbers->real);
}

void hone_axpy(hone_numbers *y, size_t yi, const hone_numbers *x, size_t xi, const hone_numbers *a,
               size_t ai, size_t count) {
  if (y->whole) {
    uint64_t scale = x->integer[xi];
    for (size_t i = 0; i < count; i++) y->integer[yi + i] += scale * a->integer[ai + i];
  } else {
    double scale = x->real[xi];
    for (size_t i = 0; i < count; i++) y->real[yi + i] += scale * a->real[ai + i];
  }
}

void hone_dot(hone_numbers *y, size_t yi, const hone_numbers *a, size_t ai, size_t as,
              const hone_numbers *b, size_t bi, size_t bs, size_t count) {
  if (y->whole) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += a->integer[ai + i * as] * b->integer[bi + i * bs];
    y->integer[yi] += sum;
  } else {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += a->real[ai + i * as] * b->real[bi + i * bs];
    y->real[yi] += sum;
  }
}

bool hone_step(int rank, const int64_t *size, int64_t *at) {
  for (int i = rank - 1; i >= 0; i--) {
    if (++at[i] < size[i]) return true;
    at[i] = 0;
  }
  return false;
}

hone_status *hone_infer_class(const hone_infer *infer, int index, unsigned classes) {
  const hone_type *type = hone_infer_in(infer, index);
  if (!type) return NULL;
  if (type->kind != HONE_KIND_TENSOR)
    return hone_infer_fail(infer, "input %d is not a tensor", index);
  hone_dtype_class has = hone_dtype_class_of(type->dtype);
  if (type->dtype == HONE_DTYPE_NONE || (classes >> has & 1)) return NULL;
  return hone_infer_fail(infer, "input %d cannot be of type %s", index,
                         hone_dtype_name(type->dtype));
}

hone_status *hone_infer_same_dtype(const hone_infer *infer, int index) {
  const hone_type *first = hone_infer_in(infer, 0), *type = hone_infer_in(infer, index);
  if (!first || !type || !first->dtype || !type->dtype || first->dtype == type->dtype) return NULL;
  return hone_infer_fail(infer, "input %d is of type %s, input 0 of %s", index,
                         hone_dtype_name(type->dtype), hone_dtype_name(first->dtype));
}

hone_status *hone_infer_rank(const hone_infer *infer, int index, int rank) {
  const hone_type *type = hone_infer_in(infer, index);
  if (!type || type->shape.rank < 0 || type->shape.rank == rank) return NULL;
  return hone_infer_fail(infer, "input %d has %d dimensions, not %d", index, type->shape.rank,
                         rank);
}

bool hone_dim_unify(hone_dim a, hone_dim b, hone_dim *out) {
  *out = hone_dim_known(a) ? a : b;
  return !hone_dim_known(a) || !hone_dim_known(b) || a == b;
}

hone_dim hone_infer_dim(hone_infer *infer, int index, int axis) {
  const hone_type *type = hone_infer_in(infer, index);
  if (!type || type->shape.rank < 0) return hone_infer_fresh(infer);
  return type->shape.dim[axis];
}

bool hone_infer_reals(const hone_infer *infer, int index, double *out, size_t room, size_t *count) {
  const hone_datum *value = index < infer->input_count ? infer->value[index] : NULL;
  *count = 0;
  if (!value || !value->data || value->kind != HONE_KIND_TENSOR) return false;
  if (hone_datum_count(value) > room) return false;
  *count = hone_datum_count(value);
  hone_load_reals(value->dtype, value->data, 0, *count, out);
  return true;
}
