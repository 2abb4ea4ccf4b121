/* Products of which one side is thin: splitting, and what follows the sums.
 * Room: backend/cpu/products.
 *
 * One column is a row of the transposed product. Parts split columns at multiples of GRAIN, so that
 * no output's bits depend on the split. */
#include "backend/cpu/products/thin.h"

#include "base/pool.h"

enum { MOST_ROWS = 4, GRAIN = 64 };

typedef struct thin {
  hone_matmul m;
  bool turned; /* rows are columns and the other way round, in m too */
  hone_thin_function *function;
  size_t batches;
} thin;

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* The product of the transposed operands: one row instead of one column. */
static hone_matmul turn(const hone_matmul *m) {
  hone_matmul t = *m;
  t.rows = m->columns, t.columns = m->rows;
  t.a = m->b, t.b = m->a;
  t.a_row = m->b_column, t.a_depth = m->b_depth;
  t.b_column = m->a_row, t.b_depth = m->a_depth;
  for (int i = 0; i < m->batch_rank; i++)
    t.a_batch[i] = m->b_batch[i], t.b_batch[i] = m->a_batch[i];
  return t;
}

/* How vectors read b; NULL: not at all. */
static hone_thin_function *function_of(const hone_matmul *m) {
  if (m->b_column == 1 && m->columns > 1) return m->tiles->stream;
  bool runs = m->a_depth == 1 && m->b_depth == 1;
  return runs || m->depth <= 1 ? m->tiles->dots : NULL;
}

static thin thin_of(const hone_matmul *m) {
  thin t = {.m = *m, .batches = 1};
  if (m->rows > MOST_ROWS && m->columns == 1 && m->out_row == 1) {
    t.turned = true;
    t.m = turn(m);
  }
  if (t.m.rows <= MOST_ROWS) t.function = function_of(&t.m);
  for (int i = 0; i < m->batch_rank; i++) t.batches *= m->batch[i];
  return t;
}

bool hone_matmul_is_thin(const hone_matmul *m) {
  return thin_of(m).function != NULL;
}

/* Adds bias and residual to rows x columns at x, row `number` of all. */
static void add_terms(const hone_finish *f, const hone_kernel_io *io, float *x, ptrdiff_t stride,
                      size_t rows, size_t columns, size_t number, size_t column) {
  const float *bias = f->bias ? f->bias + column : NULL;
  for (size_t r = 0; bias && r < rows; r++)
    for (size_t j = 0; j < columns; j++) x[(ptrdiff_t)r * stride + (ptrdiff_t)j] += bias[j];
  if (f->residual < 0) return;
  const float *more = (const float *)io->in[f->residual] + column;
  for (size_t r = 0; r < rows; r++)
    for (size_t j = 0; j < columns; j++)
      x[(ptrdiff_t)r * stride + (ptrdiff_t)j] +=
          more[(ptrdiff_t)(number + r) * f->residual_stride + (ptrdiff_t)j];
}

/* What follows the sums of `columns` columns from `column` on, in rows of m as it was given. */
static void finish(const thin *t, const hone_kernel_io *io, int part, float *x, size_t batch,
                   size_t column, size_t columns) {
  const hone_matmul *m = &t->m;
  const hone_finish *f = &m->finish;
  ptrdiff_t stride = t->turned ? 1 : m->out_row;
  size_t rows = t->turned ? columns : m->rows, number = batch * m->rows;
  if (t->turned) {
    number = batch * m->columns + column;
    columns = 1, column = 0;
  }
  add_terms(f, io, x, stride, rows, columns, number, column);
  if (f->activation.kind != HONE_ACTIVATION_NONE)
    hone_activate(m->tiles->isa, f->activation, x, stride, t->turned ? 1 : rows,
                  t->turned ? rows : columns);
  if (f->program) f->program(f->program_state, io, part, x, stride, rows, columns, number, column);
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const thin *t = args;
  const hone_matmul *m = &t->m;
  size_t grains = (m->columns + GRAIN - 1) / GRAIN, begin, end;
  hone_split(t->batches * grains, 1, part, parts, &begin, &end);
  for (size_t i = begin, next; i < end; i = next) {
    size_t batch = i / grains, first = batch * grains;
    next = smaller(end, first + grains);
    size_t column = (i - first) * GRAIN, last = smaller((next - first) * GRAIN, m->columns);
    const hone_thin product = {
        .rows = m->rows,
        .depth = m->depth,
        .columns = last - column,
        .a = (const float *)io->in[m->a] + hone_matmul_offset(m, m->a_batch, batch),
        .b = (const float *)io->in[m->b] + hone_matmul_offset(m, m->b_batch, batch) +
             (ptrdiff_t)column * m->b_column,
        .a_row = m->a_row,
        .a_depth = m->a_depth,
        .b_depth = m->b_depth,
        .b_column = m->b_column,
        .out = (float *)io->out[m->out] + hone_matmul_offset(m, m->out_batch, batch) + column,
        .out_row = m->out_row};
    t->function(&product);
    finish(t, io, part, product.out, batch, column, product.columns);
  }
}

hone_status *hone_thin_plan(const hone_matmul *matmul, hone_arena *arena, hone_kernel_plan *out) {
  thin *t = HONE_NEW(arena, thin);
  HONE_TRY_MEMORY(t);
  *t = thin_of(matmul);
  *out = (hone_kernel_plan){.phases = {run}, .phase_count = 1, .args = t};
  return NULL;
}
