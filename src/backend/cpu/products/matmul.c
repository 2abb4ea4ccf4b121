/* Batched matrix multiplication of two run-time operands. Room: backend/cpu/products. */
#include "backend/cpu/products/matmul.h"

#include "backend/cpu/products/thin.h"
#include "backend/cpu/share.h"
#include "base/pool.h"

typedef struct batched {
  hone_matmul m;
  size_t batches;        /* product of batch[] */
  size_t a_copies;       /* matrices of `a` that are copied first; 0: read in place */
  size_t shared_scratch; /* bytes of the copies */
  size_t part_scratch;   /* bytes of one packed panel */
} batched;

static size_t ceil_divide(size_t a, size_t b) {
  return (a + b - 1) / b;
}
static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Phase 1 where `a` has strided depth: rows of all batches, copied contiguous. */
static void copy_a(const void *args, const hone_kernel_io *io, int part, int parts) {
  const batched *x = args;
  const hone_matmul *m = &x->m;
  size_t begin, end;
  hone_split(x->a_copies * m->rows, 1, part, parts, &begin, &end);
  float *to = (float *)io->scratch + begin * m->depth;
  for (size_t row = begin; row < end; row++) {
    const float *a = (const float *)io->in[m->a] + hone_matmul_offset(m, m->a_batch, row / m->rows) +
                     (ptrdiff_t)(row % m->rows) * m->a_row;
    for (size_t k = 0; k < m->depth; k++) *to++ = a[(ptrdiff_t)k * m->a_depth];
  }
}

/* One packed panel against rows row..row_end of one batch. */
static void run_panel(const batched *x, const hone_kernel_io *io, int part, size_t batch,
                      size_t column, size_t vectors, const float *panel, size_t row,
                      size_t row_end) {
  const hone_matmul *m = &x->m;
  const hone_finish *finish = &m->finish;
  const hone_tile_set *tiles = m->tiles;
  size_t lanes = (size_t)tiles->lanes, width = smaller(m->columns - column, vectors * lanes);
  const float *a = (const float *)io->in[m->a] + hone_matmul_offset(m, m->a_batch, batch);
  ptrdiff_t a_row = m->a_row;
  if (x->a_copies) {
    a = (const float *)io->scratch + batch * m->rows * m->depth;
    a_row = (ptrdiff_t)m->depth;
  }
  float *out = (float *)io->out[m->out] + hone_matmul_offset(m, m->out_batch, batch) + column;
  const void *table[HONE_TILE_ROWS];
  hone_tile tile = {.rows = table,
                    .taps = 1,
                    .depth = m->depth,
                    .weights = panel,
                    .out_stride = m->out_row,
                    .bias = finish->bias ? finish->bias + column : NULL,
                    .residual_stride = finish->residual_stride,
                    .clamp = finish->activation.kind == HONE_ACTIVATION_CLAMP,
                    .low = finish->activation.a,
                    .high = finish->activation.b,
                    .tail = (int)(width - (vectors - 1) * lanes)};
  size_t rows = row_end - row, count = ceil_divide(rows, (size_t)tiles->height);
  for (size_t t = 0; t < count; t++) {
    size_t from = row + rows * t / count, to = row + rows * (t + 1) / count;
    size_t number = batch * m->rows + from;
    for (size_t i = from; i < to; i++) table[i - from] = a + (ptrdiff_t)i * a_row;
    tile.out = out + (ptrdiff_t)from * m->out_row;
    if (finish->residual >= 0)
      tile.residual = (const float *)io->in[finish->residual] +
                      (ptrdiff_t)number * finish->residual_stride + column;
    tiles->run[vectors][to - from](&tile);
    hone_finish_after(finish, tiles->isa, io, part, tile.out, m->out_row, to - from, width, number,
                      column);
  }
}

/* Columns of all batches side by side; a panel is packed by every part that has rows of it. */
static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const batched *x = args;
  const hone_matmul *m = &x->m;
  size_t lanes = (size_t)m->tiles->lanes, vectors = ceil_divide(m->columns, lanes);
  if (vectors == 0) return;
  hone_work work = {.rows = m->rows,
                    .height = (size_t)m->tiles->height,
                    .columns = vectors * x->batches,
                    .grain = smaller(vectors, (size_t)m->tiles->panel),
                    .row_weight = (double)m->rows,
                    .column_weight = (double)m->columns * (double)x->batches};
  hone_share mine = hone_share_of(&work, part, parts);
  if (mine.row == mine.row_end || mine.column == mine.column_end) return;
  float *panel =
      (float *)(void *)((char *)io->scratch + x->shared_scratch + (size_t)part * x->part_scratch);
  for (size_t batch = mine.column / vectors; batch * vectors < mine.column_end; batch++) {
    const float *b = (const float *)io->in[m->b] + hone_matmul_offset(m, m->b_batch, batch);
    for (size_t v = 0, wide; v < vectors; v += wide) {
      wide = hone_panel_vectors(m->tiles, vectors - v);
      size_t begin = batch * vectors + v, column = v * lanes, width = wide * lanes;
      if (begin < mine.column || begin >= mine.column_end) continue;
      m->tiles->pack(b + (ptrdiff_t)column * m->b_column, m->b_depth, m->b_column, m->depth,
                     smaller(m->columns - column, width), width, panel);
      run_panel(x, io, part, batch, column, wide, panel, mine.row, mine.row_end);
    }
  }
}

/* Batches that share the right side and whose rows lie on at one step become rows. */
static hone_matmul with_joined_rows(const hone_matmul *matmul) {
  hone_matmul m = *matmul;
  while (m.batch_rank > 0) {
    int last = m.batch_rank - 1;
    ptrdiff_t rows = (ptrdiff_t)m.rows;
    if (m.batch[last] == 0 || (m.b_batch[last] != 0 && m.batch[last] > 1)) break;
    if (m.batch[last] > 1 && m.rows == 1) {
      m.a_row = m.a_batch[last];
      m.out_row = m.out_batch[last];
    }
    if (m.batch[last] > 1 &&
        (m.a_batch[last] != rows * m.a_row || m.out_batch[last] != rows * m.out_row))
      break;
    m.rows *= m.batch[last];
    m.batch_rank = last;
  }
  return m;
}

hone_status *hone_matmul_plan(const hone_matmul *matmul, hone_arena *arena, hone_kernel_plan *out) {
  const hone_matmul joined = with_joined_rows(matmul);
  if (hone_matmul_is_thin(&joined)) return hone_thin_plan(&joined, arena, out);
  batched *x = HONE_NEW(arena, batched);
  HONE_TRY_MEMORY(x);
  *x = (batched){.m = joined, .batches = 1};
  const hone_matmul *m = &x->m;
  for (int i = 0; i < m->batch_rank; i++) x->batches *= m->batch[i];
  x->a_copies = m->a_depth != 1 && m->depth > 1 ? x->batches : 0;
  size_t copies, panel;
  if (!hone_mul(x->a_copies, m->rows, &copies) || !hone_mul(copies, m->depth, &copies) ||
      !hone_mul(m->depth, (size_t)m->tiles->panel * (size_t)m->tiles->lanes, &panel) ||
      copies > SIZE_MAX / 8 || panel > SIZE_MAX / 8)
    return hone_error(HONE_LIMIT, "the scratch of a matrix multiplication does not fit in memory");
  x->shared_scratch = hone_align_up(copies * sizeof(float), 64);
  x->part_scratch = hone_align_up(panel * sizeof(float), 64);
  *out = (hone_kernel_plan){
      .args = x, .shared_scratch = x->shared_scratch, .part_scratch = x->part_scratch};
  if (x->a_copies) out->phases[out->phase_count++] = copy_a;
  out->phases[out->phase_count++] = run;
  return NULL;
}
