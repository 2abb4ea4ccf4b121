/* rotary_embedding: turns pairs of features by an angle that depends on the token's position
 * (Su et al., RoFormer, 2021). Room: ops. */
#include "ops/axes.h"
#include "ops/operand.h"
#include "ops/ops.h"

enum { X, COS, SIN, POSITIONS };

static hone_status *rotary_infer(hone_infer *infer) {
  bool placed = hone_infer_in(infer, POSITIONS) != NULL;
  HONE_TRY(hone_infer_rank(infer, X, 4));
  for (int i = X; i <= SIN; i++) {
    HONE_TRY(hone_infer_class(infer, i, HONE_FLOATS));
    HONE_TRY(hone_infer_same_dtype(infer, i));
    if (i != X) HONE_TRY(hone_infer_rank(infer, i, placed ? 2 : 3));
  }
  HONE_TRY(hone_infer_class(infer, POSITIONS, HONE_INTEGERS));
  HONE_TRY(hone_infer_rank(infer, POSITIONS, 2));
  infer->out[0] = *infer->in[X];
  const hone_shape *x = &infer->in[X]->shape, *where = placed ? &infer->in[POSITIONS]->shape : NULL;
  const hone_shape *cos = &infer->in[COS]->shape, *sin = &infer->in[SIN]->shape;
  if (x->rank < 0 || cos->rank < 0 || sin->rank < 0) return NULL;
  hone_dim half, same, pairs = cos->dim[cos->rank - 1];
  for (int i = 0; i < cos->rank; i++)
    if (!hone_dim_unify(cos->dim[i], sin->dim[i], &half))
      return hone_infer_fail(infer, "the tables of cosines and sines differ in shape");
  if (hone_dim_known(x->dim[3]) && hone_dim_known(pairs) && pairs > x->dim[3] / 2)
    return hone_infer_fail(infer, "%lld pairs in a head of %lld", (long long)pairs,
                           (long long)x->dim[3]);
  if (!where || where->rank < 0) where = cos;
  if ((placed && where == cos) || where->dim[0] == 1) return NULL;
  if (!hone_dim_unify(where->dim[0], x->dim[0], &same) ||
      !hone_dim_unify(where->dim[1], x->dim[2], &same))
    return hone_infer_fail(infer, "the positions do not fit x");
  return NULL;
}

/* Turns the pairs of one head in place. */
static void turn(double *x, const double *cos, const double *sin, size_t pairs, bool interleaved) {
  for (size_t i = 0; i < pairs; i++) {
    double *a = interleaved ? x + 2 * i : x + i, *b = interleaved ? a + 1 : a + pairs;
    double real = *a * cos[i] - *b * sin[i], imaginary = *b * cos[i] + *a * sin[i];
    *a = real;
    *b = imaginary;
  }
}

static hone_status *rotary_reference(hone_reference *ref) {
  const int64_t *dim = ref->in[X]->shape.dim;
  const hone_shape *table = &ref->in[COS]->shape;
  const hone_datum *places = hone_ref_in(ref, POSITIONS);
  const hone_shape *where = places ? &places->shape : table;
  double *x, *cos, *sin;
  int64_t *positions;
  HONE_TRY(hone_operand_reals(ref, X, &x));
  HONE_TRY(hone_operand_reals(ref, COS, &cos));
  HONE_TRY(hone_operand_reals(ref, SIN, &sin));
  HONE_TRY(hone_operand_ints(ref, POSITIONS, &positions));
  size_t pairs = (size_t)table->dim[table->rank - 1];
  bool interleaved = hone_node_flag(ref->node, "interleaved");
  for (int64_t n = 0; n < dim[0]; n++)
    for (int64_t h = 0; h < dim[1]; h++)
      for (int64_t s = 0; s < dim[2]; s++) {
        int64_t row = (where->dim[0] == 1 ? 0 : n) * where->dim[1] + s;
        if (positions) row = positions[row];
        if (positions) HONE_TRY(hone_ref_place(row, table->dim[0]));
        double *head = x + ((n * dim[1] + h) * dim[2] + s) * dim[3];
        turn(head, cos + (size_t)row * pairs, sin + (size_t)row * pairs, pairs, interleaved);
      }
  hone_store_reals(ref->out[0]->dtype, ref->out[0]->data, 0, hone_datum_count(ref->out[0]), x);
  return NULL;
}

const hone_op hone_op_rotary_embedding = {
    .name = "rotary_embedding",
    /* x [b, h, s, d]; cos and sin [b or 1, s, r / 2], or with positions [b or 1, s] tables
     * [p, r / 2]; the first r features of a head turn. */
    .inputs = "x cos sin positions?",
    .outputs = "y",
    .attrs = {{"interleaved", HONE_ATTR_FLAG, "false", NULL}}, /* pairs: neighbours, else halves */
    .infer = rotary_infer,
    .reference = rotary_reference,
};
