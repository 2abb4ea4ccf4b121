/* det nodes, f32 and f64: elimination in doubles, a matrix after the other.
 * Room: backend/cpu/nodes. */
#include <math.h>

#include "backend/cpu/nodes/node.h"
#include "base/pool.h"

typedef struct det {
  size_t matrices, size, part_scratch;
  hone_dtype dtype;
} det;

static void swap_rows(double *a, double *b, size_t count) {
  for (size_t i = 0; i < count; i++) {
    double moved = a[i];
    a[i] = b[i], b[i] = moved;
  }
}

/* Gaussian elimination with the largest pivot of each column; `a` is used up. */
static double determinant(double *a, size_t n) {
  double product = 1;
  for (size_t column = 0; column < n; column++) {
    double *row = a + column * n;
    size_t pivot = column;
    for (size_t r = column + 1; r < n; r++)
      if (fabs(a[r * n + column]) > fabs(a[pivot * n + column])) pivot = r;
    double head = a[pivot * n + column];
    if (head == 0) return 0;
    product *= pivot == column ? head : -head;
    if (pivot != column) swap_rows(row + column, a + pivot * n + column, n - column);
    for (size_t r = column + 1; r < n; r++) {
      double factor = a[r * n + column] / head;
      for (size_t c = column; c < n; c++) a[r * n + c] -= factor * row[c];
    }
  }
  return product;
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const det *d = args;
  double *a = (double *)((char *)io->scratch + (size_t)part * d->part_scratch);
  size_t begin, end, elements = d->size * d->size;
  hone_split(d->matrices, 1, part, parts, &begin, &end);
  for (size_t m = begin; m < end; m++) {
    hone_load_reals(d->dtype, io->in[0], m * elements, elements, a);
    hone_store_real(d->dtype, io->out[0], m, determinant(a, d->size));
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  return dtype == HONE_F32 || dtype == HONE_F64;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape;
  det *d = HONE_NEW(arena, det);
  HONE_TRY_MEMORY(d);
  d->size = (size_t)x->dim[x->rank - 1];
  d->matrices = hone_shape_span(x, 0, x->rank - 2);
  d->dtype = view->in[0]->dtype;
  size_t n = d->size;
  if (!hone_mul(n, n, &d->part_scratch) ||
      !hone_mul(d->part_scratch, sizeof(double), &d->part_scratch))
    return hone_error(HONE_LIMIT, "a matrix of too many elements");
  d->part_scratch = hone_align_up(d->part_scratch, 64);
  out->work = (double)d->matrices * (double)n * (double)n * ((double)n / 3 + 2);
  out->kernel = hone_one_phase(run, d);
  out->kernel.part_scratch = d->part_scratch;
  return NULL;
}

const hone_node_functions hone_node_det = {.accepts = accepts, .plan = plan};
