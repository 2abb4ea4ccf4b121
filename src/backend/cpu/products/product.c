/* Products over tiles: packing panels, splitting the work, scaling and bias.
 * Room: backend/cpu/products. */
#include "backend/cpu/products/product.h"

#include <string.h>

#include "base/memory.h"
#include "base/pool.h"

enum { CHUNK = 128 }; /* rows that share a panel before another part may take over */

const hone_product_set *hone_product_here(void) {
#if defined(__x86_64__)
  if (hone_isa_runs(HONE_ISA_AVX512)) return &hone_product_avx512;
  if (hone_isa_runs(HONE_ISA_AVX2)) return &hone_product_avx2;
#endif
  return &hone_product_plain;
}

/* Scratch of a part: the panel, a row of zeros, the table of rows, one tile. */
typedef struct workspace {
  char *panel, *zeros, *tile;
  const void **table;
} workspace;

static size_t lay_out(const hone_product *p, char *at, workspace *w) {
  size_t steps, panel, zeros, table, sum;
  if (!hone_mul(p->taps, p->depth, &steps) || !hone_mul(steps, p->set->width, &panel) ||
      !hone_mul(p->depth + 1, 8, &zeros) ||
      !hone_mul(p->taps + 1, HONE_PRODUCT_ROWS * sizeof(void *), &table))
    return 0;
  zeros = hone_align_up(zeros, 64);
  table = hone_align_up(table, 64);
  size_t tile = HONE_PRODUCT_ROWS * p->set->width;
  if (!hone_add(panel, zeros, &sum) || !hone_add(sum, table + tile, &sum)) return 0;
  if (w)
    *w = (workspace){at, at + panel, at + panel + zeros + table,
                     (const void **)(void *)(at + panel + zeros)};
  return sum;
}

size_t hone_product_scratch(const hone_product *p) {
  return lay_out(p, NULL, NULL);
}

static ptrdiff_t offset_of(const hone_product *p, const ptrdiff_t *strides, size_t outer) {
  ptrdiff_t at = 0;
  for (int i = p->rank - 1; i >= 0; i--) {
    at += (ptrdiff_t)(outer % p->size[i]) * strides[i];
    outer /= p->size[i];
  }
  return at;
}

static void pack_row(const hone_product *p, const char *from, size_t live, char *to) {
  size_t e = p->element;
  ptrdiff_t step = p->b_column * (ptrdiff_t)e;
#define PACK(bytes) \
  for (size_t j = 0; j < live; j++) memcpy(to + bytes * j, from + (ptrdiff_t)j * step, bytes)
  if (p->b_column == 1)
    memcpy(to, from, live * e);
  else if (e == 1)
    PACK(1);
  else if (e == 2)
    PACK(2);
  else if (e == 4)
    PACK(4);
  else
    PACK(8);
#undef PACK
  memset(to + live * e, 0, p->set->width - live * e);
}

/* What tiles read as the columns from `column` on. */
typedef struct panel {
  const char *at;
  ptrdiff_t step; /* elements */
} panel;

/* A whole panel whose rows are used by one tile is read where it lies, others are packed. */
static panel make_panel(const hone_product *p, const hone_kernel_io *io, size_t outer,
                        size_t column, size_t live, char *to) {
  ptrdiff_t e = (ptrdiff_t)p->element, width = (ptrdiff_t)p->set->width / e;
  const char *b = (const char *)io->in[p->b] +
                  (offset_of(p, p->b_outer, outer) + (ptrdiff_t)column * p->b_column) * e;
  panel packed = {to, width};
  if (p->rows <= HONE_PRODUCT_ROWS && p->taps == 1 && p->b_column == 1 && (ptrdiff_t)live == width)
    return (panel){b, p->b_depth};
  for (size_t t = 0; t < p->taps; t++)
    for (size_t k = 0; k < p->depth; k++, to += p->set->width)
      pack_row(p, b + ((ptrdiff_t)t * p->b_tap + (ptrdiff_t)k * p->b_depth) * e, live, to);
  return packed;
}

/* y = alpha * sum + bias for one row of a tile. */
#define FINISH(name, type, scaled)                                                    \
  static void finish_##name(const hone_product *p, const void *sum, const void *bias, \
                            size_t count, void *y) {                                  \
    const type *x = sum, *more = bias;                                                \
    type *to = y;                                                                     \
    for (size_t j = 0; j < count; j++)                                                \
      to[j] = (type)(scaled + (more ? more[(ptrdiff_t)j * p->bias_column] : 0));      \
  }
FINISH(f32, float, (float)p->alpha *x[j])
FINISH(f64, double, p->alpha *x[j])
FINISH(u8, uint8_t, x[j])
FINISH(u16, uint16_t, x[j])
FINISH(u32, uint32_t, x[j])
FINISH(u64, uint64_t, x[j])
#undef FINISH

static void finish_row(const hone_product *p, const void *sum, const void *bias, size_t count,
                       void *y) {
  if (p->dtype == HONE_F32)
    finish_f32(p, sum, bias, count, y);
  else if (p->dtype == HONE_F64)
    finish_f64(p, sum, bias, count, y);
  else if (p->element == 1)
    finish_u8(p, sum, bias, count, y);
  else if (p->element == 2)
    finish_u16(p, sum, bias, count, y);
  else if (p->element == 4)
    finish_u32(p, sum, bias, count, y);
  else
    finish_u64(p, sum, bias, count, y);
}

static void run_tile(const hone_product *p, const hone_kernel_io *io, const workspace *w,
                     const panel *b, size_t outer, size_t row, size_t rows, size_t column,
                     size_t columns) {
  ptrdiff_t e = (ptrdiff_t)p->element;
  const char *a = (const char *)io->in[p->a] + offset_of(p, p->a_outer, outer) * e;
  p->locate(p, a, outer, row, rows, w->zeros, w->table);
  for (size_t t = 0; t < p->taps; t++) /* rows that there are not repeat the first */
    for (size_t i = rows; i < HONE_PRODUCT_ROWS; i++)
      w->table[t * HONE_PRODUCT_ROWS + i] = w->table[t * HONE_PRODUCT_ROWS];
  p->tile(p->taps, p->depth, w->table, p->a_step, b->at, b->step, w->tile);
  for (size_t i = 0; i < rows; i++) {
    ptrdiff_t at = (ptrdiff_t)outer * p->y_outer + (ptrdiff_t)(row + i) * p->y_row;
    const char *bias = p->bias < 0 ? NULL : io->in[p->bias];
    if (bias)
      bias += (offset_of(p, p->bias_outer, outer) + (ptrdiff_t)(row + i) * p->bias_row +
               (ptrdiff_t)column * p->bias_column) *
              e;
    finish_row(p, w->tile + i * p->set->width, bias, columns,
               (char *)io->out[0] + (at + (ptrdiff_t)column) * e);
  }
}

void hone_product_run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const hone_product *p = args;
  workspace w;
  panel b = {0};
  size_t scratch = lay_out(p, NULL, NULL);
  if (lay_out(p, (char *)io->scratch + (size_t)part * scratch, &w) == 0)
    return; /* planning refuses what is too large */
  memset(w.zeros, 0, (p->depth + 1) * 8);
  size_t width = p->set->width / p->element, begin, end, packed = SIZE_MAX;
  size_t panels = (p->columns + width - 1) / width, chunks = (p->rows + CHUNK - 1) / CHUNK;
  hone_split(p->outer * panels * chunks, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t number = i / chunks, outer = number / panels, column = number % panels * width;
    size_t columns = p->columns - column < width ? p->columns - column : width;
    size_t row = i % chunks * CHUNK, last = p->rows - row < CHUNK ? p->rows : row + CHUNK;
    if (packed != number) b = make_panel(p, io, outer, column, columns, w.panel);
    packed = number;
    for (; row < last; row += HONE_PRODUCT_ROWS) {
      size_t rows = last - row < HONE_PRODUCT_ROWS ? last - row : HONE_PRODUCT_ROWS;
      run_tile(p, io, &w, &b, outer, row, rows, column, columns);
    }
  }
}
