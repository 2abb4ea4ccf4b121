/* What references share: operands as plain numbers, results, and two inner loops. Room: ops.
 *
 * A reference converts its operands once into 64-bit numbers in scratch memory: doubles for float
 * types, wrapping 64-bit integers for the others. Both have the same size, so that loops over
 * offsets serve both and only the innermost step asks which it is.
 */
#ifndef HONE_OPS_OPERAND_H
#define HONE_OPS_OPERAND_H

#include "ir/op.h"

typedef struct hone_numbers {
  bool whole; /* integers, else doubles */
  size_t count;
  union {
    double *real;
    uint64_t *integer; /* two's complement */
  };
} hone_numbers;

/* Input `index` as it suits its type; `real` is NULL where the input is absent. */
HONE_MUST_USE hone_status *hone_operand(hone_reference *ref, int index, hone_numbers *out);
/* Input `index` as doubles or as integers whatever its type; NULL where absent. */
HONE_MUST_USE hone_status *hone_operand_reals(hone_reference *ref, int index, double **out);
HONE_MUST_USE hone_status *hone_operand_ints(hone_reference *ref, int index, int64_t **out);

/* Cleared scratch numbers for output `index`, in the form that suits its type; and their way into
 * the output, rounded once (integers wrap). Storing to an unwanted output does nothing. */
HONE_MUST_USE hone_status *hone_result(hone_reference *ref, int index, hone_numbers *out);
void hone_result_store(hone_reference *ref, int index, const hone_numbers *numbers);

/* `count` cleared doubles of scratch. */
HONE_MUST_USE hone_status *hone_scratch_reals(hone_reference *ref, size_t count, double **out);

/* Input `index` where it is given, else NULL. */
static inline const hone_datum *hone_ref_in(const hone_reference *ref, int index) {
  return index < ref->input_count ? ref->in[index] : NULL;
}
static inline hone_datum *hone_ref_out(const hone_reference *ref, int index) {
  return index < ref->output_count ? ref->out[index] : NULL;
}

/* y[yi + i] += x[xi] * a[ai + i] for i < count. All three in one form. */
void hone_axpy(hone_numbers *y, size_t yi, const hone_numbers *x, size_t xi, const hone_numbers *a,
               size_t ai, size_t count);
/* y[yi] += sum of a[ai + i * as] * b[bi + i * bs] for i < count. */
void hone_dot(hone_numbers *y, size_t yi, const hone_numbers *a, size_t ai, size_t as,
              const hone_numbers *b, size_t bi, size_t bs, size_t count);

/* Steps `at` through the box of `size`, last axis fastest; false when it is back at the start.
 * Rank 0 has one position. No size may be 0. */
bool hone_step(int rank, const int64_t *size, int64_t *at);

/* What shape rules of many ops ask. The type of input `index`, NULL where absent. */
static inline const hone_type *hone_infer_in(const hone_infer *infer, int index) {
  return index < infer->input_count ? infer->in[index] : NULL;
}
/* The dtype of input `index` where known is among the classes or'ed in `classes`
 * (1u << HONE_CLASS_FLOAT | …), and the input is a tensor. */
HONE_MUST_USE hone_status *hone_infer_class(const hone_infer *infer, int index, unsigned classes);
#define HONE_FLOATS   (1u << HONE_CLASS_FLOAT)
#define HONE_INTEGERS (1u << HONE_CLASS_SIGNED | 1u << HONE_CLASS_UNSIGNED)
#define HONE_COMPLEXES (1u << HONE_CLASS_COMPLEX)
/* Input `index` where given has the dtype of input 0 where both are known. */
HONE_MUST_USE hone_status *hone_infer_same_dtype(const hone_infer *infer, int index);
/* Input `index` where given has `rank` dimensions, or an unknown number. */
HONE_MUST_USE hone_status *hone_infer_rank(const hone_infer *infer, int index, int rank);
/* Two dims that must be the same size: the better known of both; false when both are known and
 * differ. */
bool hone_dim_unify(hone_dim a, hone_dim b, hone_dim *out);
/* Input `index` as reals, where its elements are known; at most `room`. False when not known. */
bool hone_infer_reals(const hone_infer *infer, int index, double *out, size_t room, size_t *count);
/* Dimension `axis` of input `index`; a fresh symbol where the rank is unknown. */
hone_dim hone_infer_dim(hone_infer *infer, int index, int axis);

#endif
