/* det: the determinant of each square matrix of the last two axes. Room: ops. */
#include <math.h>

#include "ops/axes.h"
#include "ops/operand.h"
#include "ops/ops.h"

static hone_status *det_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  infer->out[0] = *infer->in[0];
  HONE_TRY(hone_infer_class(infer, 0, HONE_FLOATS));
  if (x->rank < 0) return NULL;
  if (x->rank < 2) return hone_infer_fail(infer, "x is no matrix");
  hone_dim rows = x->dim[x->rank - 2], columns = x->dim[x->rank - 1];
  if (hone_dim_known(rows) && hone_dim_known(columns) && rows != columns)
    return hone_infer_fail(infer, "a matrix of %lld x %lld", (long long)rows, (long long)columns);
  infer->out[0].shape.rank -= 2;
  return NULL;
}

/* Gaussian elimination with the largest pivot of each column; `a` is used up. */
static double determinant(double *a, size_t n) {
  double product = 1;
  for (size_t column = 0; column < n; column++) {
    size_t pivot = column;
    for (size_t r = column + 1; r < n; r++)
      if (fabs(a[r * n + column]) > fabs(a[pivot * n + column])) pivot = r;
    double head = a[pivot * n + column];
    if (head == 0) return 0;
    product *= pivot == column ? head : -head;
    for (size_t c = column; c < n; c++) {
      double swap = a[pivot * n + c];
      a[pivot * n + c] = a[column * n + c];
      a[column * n + c] = swap;
    }
    for (size_t r = column + 1; r < n; r++) {
      double factor = a[r * n + column] / head;
      for (size_t c = column; c < n; c++) a[r * n + c] -= factor * a[column * n + c];
    }
  }
  return product;
}

static hone_status *det_reference(hone_reference *ref) {
  const hone_datum *y = ref->out[0];
  const hone_shape *shape = &ref->in[0]->shape;
  size_t n = (size_t)shape->dim[shape->rank - 1], matrices = hone_datum_count(y);
  double *x;
  HONE_TRY(hone_operand_reals(ref, 0, &x));
  for (size_t m = 0; m < matrices; m++)
    hone_store_real(y->dtype, y->data, m, determinant(x + m * n * n, n));
  return NULL;
}

const hone_op hone_op_det = {.name = "det",
                             .inputs = "x",
                             .outputs = "y",
                             .facts = HONE_REDUCES,
                             .infer = det_infer,
                             .reference = det_reference};
