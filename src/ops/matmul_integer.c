/* matmul_integer: product of rows of bytes with a matrix of bytes in exact integers. Room: ops. */
#include "ops/integer.h"
#include "ops/ops.h"

enum { A = HONE_INTEGER_X, B = HONE_INTEGER_W, BIAS = HONE_INTEGER_BIAS };

static hone_status *matmul_integer_infer(hone_infer *infer) {
  HONE_TRY(hone_integer_infer(infer));
  HONE_TRY(hone_infer_rank(infer, B, 2));
  const hone_shape *a = &infer->in[A]->shape, *b = &infer->in[B]->shape;
  if (a->rank < 0 || b->rank < 0) return NULL;
  if (a->rank < 1) return hone_infer_fail(infer, "an operand is a scalar");
  hone_dim depth = a->dim[a->rank - 1];
  if (hone_dim_known(depth) && hone_dim_known(b->dim[0]) && depth != b->dim[0])
    return hone_infer_fail(infer, "a has %lld columns, b %lld rows", (long long)depth,
                           (long long)b->dim[0]);
  infer->out[0].shape = *a;
  infer->out[0].shape.dim[a->rank - 1] = b->dim[1];
  return NULL;
}

static hone_status *matmul_integer_reference(hone_reference *ref) {
  hone_numbers a, b, bias, y;
  HONE_TRY(hone_integer_operands(ref, &a, &b));
  HONE_TRY(hone_operand(ref, BIAS, &bias));
  HONE_TRY(hone_result(ref, 0, &y));
  size_t depth = (size_t)ref->in[B]->shape.dim[0], columns = (size_t)ref->in[B]->shape.dim[1];
  for (size_t to = 0, row = 0; to < y.count; to += columns, row++) {
    for (size_t j = 0; bias.integer && j < columns; j++) y.integer[to + j] = bias.integer[j];
    for (size_t k = 0; k < depth; k++)
      hone_axpy(&y, to, &a, row * depth + k, &b, k * columns, columns);
  }
  hone_result_store(ref, 0, &y);
  return NULL;
}

const hone_op hone_op_matmul_integer = {
    .name = "matmul_integer",
    .inputs = "a b a_zero? b_zero? bias?", /* […, k]  [k, n]  []  [] or [n]  [n] */
    .outputs = "y",                        /* s32 […, n] */
    .facts = HONE_HEAVY,
    .infer = matmul_integer_infer,
    .reference = matmul_integer_reference,
};
