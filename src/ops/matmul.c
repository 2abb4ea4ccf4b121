/* matmul: NumPy's matrix product with batch broadcasting, either operand transposed, scaled, with
 * a bias that broadcasts to the result. Room: ops. */
#include <string.h>

#include "ops/operand.h"
#include "ops/ops.h"

enum { A, B, BIAS };

/* How one operand is read: [batch…, rows, columns] after its transposition. */
typedef struct matrix {
  hone_shape batch;
  hone_dim rows, columns;
  bool vector; /* rank 1: its missing dim is 1 here and absent from the result */
} matrix;

static matrix view(const hone_shape *shape, bool transposed, bool left) {
  matrix m = {.vector = shape->rank == 1};
  if (m.vector) {
    m.rows = left ? 1 : shape->dim[0];
    m.columns = left ? shape->dim[0] : 1;
    return m;
  }
  m.batch = hone_shape_of(shape->rank - 2, shape->dim);
  m.rows = shape->dim[shape->rank - (transposed ? 1 : 2)];
  m.columns = shape->dim[shape->rank - (transposed ? 2 : 1)];
  return m;
}

static void result_shape(const matrix *a, const matrix *b, const hone_shape *batch,
                         hone_shape *out) {
  *out = *batch;
  if (!a->vector) out->dim[out->rank++] = a->rows;
  if (!b->vector) out->dim[out->rank++] = b->columns;
}

/* The bias broadcasts to the result without widening it. */
static hone_status *check_bias(const hone_infer *infer, const hone_shape *out) {
  const hone_type *bias = hone_infer_in(infer, BIAS);
  if (!bias || bias->shape.rank < 0) return NULL;
  int lead = out->rank - bias->shape.rank;
  for (int i = 0; lead >= 0 && i < bias->shape.rank; i++) {
    hone_dim has = bias->shape.dim[i], wants = out->dim[lead + i];
    if (has > 1 && hone_dim_known(wants) && has != wants) lead = -1;
  }
  return lead < 0 ? hone_infer_fail(infer, "the bias does not broadcast to the result") : NULL;
}

static hone_status *matmul_infer(hone_infer *infer) {
  HONE_TRY(hone_infer_class(infer, A, HONE_FLOATS | HONE_INTEGERS));
  HONE_TRY(hone_infer_same_dtype(infer, B));
  HONE_TRY(hone_infer_same_dtype(infer, BIAS));
  const hone_shape *as = &infer->in[A]->shape, *bs = &infer->in[B]->shape;
  infer->out[0] = hone_tensor_type(infer->in[A]->dtype, hone_shape_unknown());
  if (hone_dtype_class_of(infer->in[A]->dtype) != HONE_CLASS_FLOAT &&
      hone_node_real(infer->node, "alpha") != 1)
    return hone_infer_fail(infer, "alpha scales floats only");
  if (as->rank < 0 || bs->rank < 0) return NULL;
  if (as->rank == 0 || bs->rank == 0) return hone_infer_fail(infer, "an operand is a scalar");
  matrix a = view(as, hone_node_flag(infer->node, "transpose_a"), true);
  matrix b = view(bs, hone_node_flag(infer->node, "transpose_b"), false);
  if (hone_dim_known(a.columns) && hone_dim_known(b.rows) && a.columns != b.rows)
    return hone_infer_fail(infer, "a has %lld columns, b %lld rows", (long long)a.columns,
                           (long long)b.rows);
  hone_shape batch;
  if (!hone_shape_broadcast(infer->graph, &a.batch, &b.batch, &batch))
    return hone_infer_fail(infer, "the batch dimensions do not broadcast");
  if (batch.rank < 0) return NULL;
  result_shape(&a, &b, &batch, &infer->out[0].shape);
  return check_bias(infer, &infer->out[0].shape);
}

/* Strides, in units of `unit` elements, that walk `shape` as if broadcast to `to`. */
static void broadcast_strides(const hone_shape *shape, const hone_shape *to, int64_t unit,
                              int64_t *strides) {
  memset(strides, 0, HONE_MAX_RANK * sizeof *strides);
  for (int i = shape->rank - 1; i >= 0; i--) {
    strides[i + to->rank - shape->rank] = shape->dim[i] == 1 ? 0 : unit;
    unit *= shape->dim[i];
  }
}

static size_t offset_of(int rank, const int64_t *at, const int64_t *strides) {
  int64_t offset = 0;
  for (int i = 0; i < rank; i++) offset += at[i] * strides[i];
  return (size_t)offset;
}

/* One product of the batch. */
typedef struct product {
  size_t m, n, k;
  bool transpose_a, transpose_b;
  const hone_numbers *a, *b;
} product;

static void multiply(const product *p, size_t a, size_t b, hone_numbers *y, size_t to) {
  for (size_t i = 0; i < p->m; i++) {
    if (p->transpose_b) {
      for (size_t j = 0; j < p->n; j++)
        hone_dot(y, to + i * p->n + j, p->a, p->transpose_a ? a + i : a + i * p->k,
                 p->transpose_a ? p->m : 1, p->b, b + j * p->k, 1, p->k);
      continue;
    }
    for (size_t k = 0; k < p->k; k++)
      hone_axpy(y, to + i * p->n, p->a, p->transpose_a ? a + k * p->m + i : a + i * p->k + k, p->b,
                b + k * p->n, p->n);
  }
}

static hone_status *add_bias(hone_reference *ref, hone_numbers *y) {
  const hone_datum *in = hone_ref_in(ref, BIAS);
  if (!in) return NULL;
  hone_numbers bias;
  HONE_TRY(hone_operand(ref, BIAS, &bias));
  const hone_shape *out = &ref->out[0]->shape;
  int64_t strides[HONE_MAX_RANK], at[HONE_MAX_RANK] = {0};
  broadcast_strides(&in->shape, out, 1, strides);
  for (size_t i = 0; i < y->count; i++) {
    size_t from = offset_of(out->rank, at, strides);
    if (y->whole)
      y->integer[i] += bias.integer[from];
    else
      y->real[i] += bias.real[from];
    hone_step(out->rank, out->dim, at);
  }
  return NULL;
}

static hone_status *matmul_reference(hone_reference *ref) {
  bool ta = hone_node_flag(ref->node, "transpose_a"), tb = hone_node_flag(ref->node, "transpose_b");
  matrix a = view(&ref->in[A]->shape, ta, true), b = view(&ref->in[B]->shape, tb, false);
  hone_numbers x, w, y;
  HONE_TRY(hone_operand(ref, A, &x));
  HONE_TRY(hone_operand(ref, B, &w));
  HONE_TRY(hone_result(ref, 0, &y));
  if (y.count == 0) return NULL;
  hone_shape batch;
  if (!hone_shape_broadcast(NULL, &a.batch, &b.batch, &batch))
    return hone_error(HONE_INTERNAL, "matmul: shapes changed after inference");
  product p = {
      (size_t)a.rows, (size_t)b.columns, (size_t)b.rows, ta && !a.vector, tb && !b.vector, &x, &w};
  int64_t as[HONE_MAX_RANK], bs[HONE_MAX_RANK], at[HONE_MAX_RANK] = {0};
  broadcast_strides(&a.batch, &batch, a.rows * a.columns, as);
  broadcast_strides(&b.batch, &batch, b.rows * b.columns, bs);
  size_t to = 0;
  do {
    multiply(&p, offset_of(batch.rank, at, as), offset_of(batch.rank, at, bs), &y, to);
    to += p.m * p.n;
  } while (hone_step(batch.rank, batch.dim, at));
  double alpha = hone_node_real(ref->node, "alpha");
  for (size_t i = 0; !y.whole && i < y.count; i++) y.real[i] *= alpha;
  HONE_TRY(add_bias(ref, &y));
  hone_result_store(ref, 0, &y);
  return NULL;
}

const hone_op hone_op_matmul = {
    .name = "matmul",
    .inputs = "a b bias?",
    .outputs = "y",
    .attrs = {{"transpose_a", HONE_ATTR_FLAG, "false", NULL}, /* the last two axes change places */
              {"transpose_b", HONE_ATTR_FLAG, "false", NULL},
              {"alpha", HONE_ATTR_REAL, "1", NULL}, /* y = alpha * a b + bias */
              {"tf32", HONE_ATTR_FLAG, "false", NULL}}, /* f32 operands may be rounded to tf32 */
    .facts = HONE_HEAVY,
    .infer = matmul_infer,
    .reference = matmul_reference,
};
