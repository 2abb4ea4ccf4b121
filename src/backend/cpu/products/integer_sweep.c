/* The loop nest around the integer tiles. Room: backend/cpu/products. */
#include "backend/cpu/products/integer_sweep.h"

#include <string.h>

#include "backend/cpu/share.h"
#include "base/memory.h"

/* As in sweep.c: what stays in the second-level cache, and what a table may take of the first. Rows
 * that panels of near weights share stay in the first: each change of panel costs its start anew.
 */
#define WEIGHTS_BYTES ((size_t)512 << 10)
#define NEAR_BYTES    ((size_t)8 << 10)
#define BLOCK_BYTES   ((size_t)256 << 10)
#define TABLE_BYTES   ((size_t)16 << 10)

static size_t ceil_divide(size_t a, size_t b) {
  return (a + b - 1) / b;
}
static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Vectors of the next panel when `left` remain: of five 3 + 2 instead of 4 + 1. */
static size_t panel_vectors(const hone_integer_set *set, size_t left) {
  size_t most = (size_t)set->panel;
  if (most > 2 && left == most + 1) return most - 1;
  return smaller(left, most);
}

static size_t padded_columns(const hone_integer_set *set, size_t columns) {
  return hone_align_up(columns, (size_t)set->lanes);
}
static size_t padded_depth(size_t depth) {
  return hone_align_up(depth, HONE_INTEGER_STEP);
}

/* ---- Packing --------------------------------------------------------------------------------- */

int hone_integer_planes(const int16_t *data, size_t count) {
  int planes = 1;
  for (size_t i = 0; i < count; i++) {
    int needs = data[i] > 254 ? 3 : data[i] > 127 || data[i] < -128 ? 2 : 1;
    if (needs > planes) planes = needs;
  }
  return planes;
}

/* Bytes of the panels, and 32-bit numbers of each row after them. */
static bool pack_parts(const hone_integer_set *set, const hone_integer_weights *w, int planes,
                       size_t *panels, size_t *columns) {
  size_t depth;
  if (w->columns > SIZE_MAX / 4 || w->depth > SIZE_MAX / 4) return false;
  return hone_mul(padded_columns(set, w->columns), w->groups, columns) &&
         hone_mul(w->taps * (size_t)planes, padded_depth(w->depth), &depth) &&
         hone_mul(depth, *columns, panels) && *panels < SIZE_MAX / 4 && *columns < SIZE_MAX / 64;
}

size_t hone_integer_pack_size(const hone_integer_set *set, const hone_integer_weights *w,
                              int planes) {
  size_t panels, columns;
  if (!pack_parts(set, w, planes, &panels, &columns)) return 0;
  return hone_align_up(panels, 64) + 2 * columns * sizeof(int32_t) + 64;
}

hone_integer_pack hone_integer_unpack(const hone_integer_set *set, const hone_integer_weights *w,
                                      int planes, const void *pack) {
  size_t panels = 0, columns = 0;
  (void)pack_parts(set, w, planes, &panels, &columns);
  const int32_t *rows = (const void *)((const char *)pack + hone_align_up(panels, 64));
  return (hone_integer_pack){.weights = pack, .bias = rows, .slope = rows + columns};
}

/* What fits in a byte of what the planes before have left. */
static int plane_of(int weight, int plane) {
  int fits = weight;
  for (;; plane--, weight -= fits) {
    fits = weight < -128 ? -128 : weight > 127 ? 127 : weight;
    if (plane == 0) return fits;
  }
}

static int8_t *pack_panel(const hone_integer_weights *w, const int16_t *from, size_t columns,
                          size_t width, int plane, int8_t *to) {
  for (size_t k = 0; k < padded_depth(w->depth); k += HONE_INTEGER_STEP) {
    for (size_t j = 0; j < width; j++) {
      for (size_t i = k; i < k + HONE_INTEGER_STEP; i++) {
        bool there = j < columns && i < w->depth;
        const int16_t *at =
            from + (ptrdiff_t)i * w->strides.depth + (ptrdiff_t)j * w->strides.column;
        *to++ = (int8_t)(there ? plane_of(*at, plane) : 0);
      }
    }
  }
  return to;
}

/* The sum of a column's weights. */
static int32_t column_sum(const hone_integer_weights *w, const int16_t *from) {
  int64_t sum = 0;
  for (size_t t = 0; t < w->taps; t++)
    for (size_t k = 0; k < w->depth; k++)
      sum += from[(ptrdiff_t)t * w->strides.tap + (ptrdiff_t)k * w->strides.depth];
  return (int32_t)(uint32_t)sum;
}

void hone_integer_pack_weights(const hone_integer_set *set, const hone_integer_weights *w,
                               int planes, void *pack) {
  size_t lanes = (size_t)set->lanes, vectors = ceil_divide(w->columns, lanes);
  hone_integer_pack parts = hone_integer_unpack(set, w, planes, pack);
  int8_t *to = pack;
  for (size_t group = 0; group < w->groups; group++) {
    const int16_t *first = w->data + (ptrdiff_t)group * w->strides.group;
    for (size_t v = 0, wide; v < vectors; v += wide) {
      wide = panel_vectors(set, vectors - v);
      const int16_t *from = first + (ptrdiff_t)(v * lanes) * w->strides.column;
      size_t columns = smaller(w->columns - v * lanes, wide * lanes);
      for (int plane = 0; plane < planes; plane++)
        for (size_t t = 0; t < w->taps; t++)
          to =
              pack_panel(w, from + (ptrdiff_t)t * w->strides.tap, columns, wide * lanes, plane, to);
    }
    for (size_t j = 0; j < padded_columns(set, w->columns); j++) {
      size_t at = group * padded_columns(set, w->columns) + j;
      bool there = j < w->columns;
      ((int32_t *)(uintptr_t)parts.bias)[at] =
          there && w->bias ? w->bias[group * w->columns + j] : 0;
      ((int32_t *)(uintptr_t)parts.slope)[at] =
          there ? column_sum(w, first + (ptrdiff_t)j * w->strides.column) : 0;
    }
  }
}

/* ---- Running --------------------------------------------------------------------------------- */

static size_t all_taps(const hone_integer_sweep *sweep) {
  return sweep->taps * (size_t)sweep->planes;
}

void hone_integer_sweep_plan(hone_integer_sweep *sweep) {
  size_t height = (size_t)sweep->set->height, taps = all_taps(sweep) ? all_taps(sweep) : 1;
  size_t depth = sweep->depth ? sweep->depth : 1;
  size_t weights = taps * depth * padded_columns(sweep->set, sweep->columns);
  size_t block = weights <= WEIGHTS_BYTES ? NEAR_BYTES : BLOCK_BYTES;
  size_t by_rows = block / (depth * height);
  size_t by_table = TABLE_BYTES / (taps * HONE_TILE_ROWS * sizeof(void *));
  size_t tiles = smaller(by_rows, by_table);
  sweep->row_block = (tiles ? tiles : 1) * height;
}

static size_t table_bytes(const hone_integer_sweep *sweep) {
  size_t tiles = sweep->row_block / (size_t)sweep->set->height;
  return hone_align_up(tiles * all_taps(sweep) * HONE_TILE_ROWS * sizeof(void *), 64);
}
static size_t zero_bytes(const hone_integer_sweep *sweep) {
  return hone_align_up(sweep->groups * padded_depth(sweep->depth), 64);
}
static size_t panel_columns(const hone_integer_sweep *sweep) {
  return (size_t)sweep->set->panel * (size_t)sweep->set->lanes;
}
static size_t start_bytes(const hone_integer_sweep *sweep) {
  return hone_align_up(panel_columns(sweep) * sizeof(int32_t), 64);
}

size_t hone_integer_sweep_scratch(const hone_integer_sweep *sweep) {
  return table_bytes(sweep) + zero_bytes(sweep) +
         start_bytes(sweep) * ((size_t)sweep->set->height + 1);
}

int hone_integer_zero(const hone_integer_sweep *sweep, const hone_kernel_io *io) {
  int sign = sweep->is_signed ? 128 : 0;
  if (sweep->zero < 0) return sign;
  const void *zero = io->in[sweep->zero];
  return sweep->is_signed ? *(const int8_t *)zero + sign : *(const uint8_t *)zero;
}

/* A panel: its group, its first column there, its vectors. */
typedef struct place {
  size_t group, column, vectors;
} place;

/* What a tile needs that is the same for all of one run. */
typedef struct pass {
  const hone_integer_sweep *sweep;
  const hone_kernel_io *io;
  int zero;
  int32_t *start;
  hone_integer_tile tile;
  hone_integer_block block;
} pass;

static void start_panel(pass *p, place at) {
  const hone_integer_sweep *sweep = p->sweep;
  size_t padded = padded_columns(sweep->set, sweep->columns);
  size_t first = at.group * padded + at.column, width = at.vectors * (size_t)sweep->set->lanes;
  for (size_t j = 0; j < width; j++)
    p->start[j] = (int32_t)((uint32_t)sweep->pack.bias[first + j] -
                            (uint32_t)p->zero * (uint32_t)sweep->pack.slope[first + j]);
  p->tile.rows_offset = at.group * p->tile.depth;
  p->tile.weights = sweep->pack.weights + all_taps(sweep) * p->tile.depth * first;
  p->block.columns = smaller(sweep->columns - at.column, width);
  p->block.column = at.group * sweep->columns + at.column;
}

static size_t out_bytes(const hone_integer_sweep *sweep) {
  return hone_dtype_bits(sweep->finish.out) / 8;
}

static void run_tile(pass *p, place at, const void *const *table, size_t row, size_t count) {
  const hone_integer_sweep *sweep = p->sweep;
  hone_integer_block *block = &p->block;
  p->tile.rows = table;
  sweep->set->run[at.vectors][count](&p->tile);
  block->row = row;
  block->rows = count;
  block->out =
      (char *)p->io->out[sweep->out] +
      (size_t)((ptrdiff_t)row * sweep->out_stride + (ptrdiff_t)block->column) * out_bytes(sweep);
  sweep->set->finish(&sweep->finish, p->io, block);
}

/* All panels that begin in this part's vectors against the tiles of a block of rows. */
static void run_block(pass *p, const hone_share *mine, const void *const *table, size_t row,
                      size_t rows) {
  const hone_integer_sweep *sweep = p->sweep;
  size_t lanes = (size_t)sweep->set->lanes, vectors = ceil_divide(sweep->columns, lanes);
  size_t tiles = ceil_divide(rows, (size_t)sweep->set->height);
  if (vectors == 0) return;
  place at = {.group = mine->column / vectors};
  for (; at.group * vectors < mine->column_end; at.group++) {
    for (size_t v = 0; v < vectors; v += at.vectors) {
      at.vectors = panel_vectors(sweep->set, vectors - v);
      size_t begin = at.group * vectors + v;
      if (begin < mine->column || begin >= mine->column_end) continue;
      at.column = v * lanes;
      start_panel(p, at);
      for (size_t t = 0; t < tiles; t++) {
        size_t from = rows * t / tiles, to = rows * (t + 1) / tiles;
        run_tile(p, at, table + t * all_taps(sweep) * HONE_TILE_ROWS, row + from, to - from);
      }
    }
  }
}

void hone_integer_sweep_run(const hone_integer_sweep *sweep, hone_sweep_fill *fill,
                            const void *args, const hone_kernel_io *io, void *scratch, int part,
                            int parts) {
  size_t height = (size_t)sweep->set->height;
  size_t vectors = ceil_divide(sweep->columns, (size_t)sweep->set->lanes);
  hone_work work = {.rows = sweep->rows,
                    .height = height,
                    .columns = vectors * sweep->groups,
                    .grain = smaller(vectors ? vectors : 1, (size_t)sweep->set->panel),
                    .row_weight = (double)sweep->rows,
                    .column_weight = (double)sweep->columns * (double)all_taps(sweep)};
  hone_share mine = hone_share_of(&work, part, parts);
  if (mine.row == mine.row_end || mine.column == mine.column_end) return;
  const void **table = scratch;
  char *zeros = (char *)scratch + table_bytes(sweep);
  pass p = {.sweep = sweep, .io = io, .zero = hone_integer_zero(sweep, io)};
  memset(zeros, p.zero ^ (sweep->is_signed ? 0x80 : 0), zero_bytes(sweep));
  p.start = (int32_t *)(void *)(zeros + zero_bytes(sweep));
  p.tile = (hone_integer_tile){.taps = all_taps(sweep),
                               .depth = padded_depth(sweep->depth),
                               .start = p.start,
                               .is_signed = sweep->is_signed,
                               .sums = p.start + start_bytes(sweep) / sizeof(int32_t),
                               .sums_stride = panel_columns(sweep)};
  p.block = (hone_integer_block){
      .sums = p.tile.sums, .sums_stride = p.tile.sums_stride, .out_stride = sweep->out_stride};
  size_t taps = sweep->taps * HONE_TILE_ROWS;
  for (size_t row = mine.row, rows; row < mine.row_end; row += rows) {
    rows = smaller(sweep->row_block, mine.row_end - row);
    size_t tiles = ceil_divide(rows, height); /* of nearly equal height */
    for (size_t t = 0; t < tiles; t++) {
      size_t from = rows * t / tiles, to = rows * (t + 1) / tiles;
      const void **first = table + t * taps * (size_t)sweep->planes;
      fill(args, io, row + from, to - from, zeros, first);
      for (size_t plane = 1; plane < (size_t)sweep->planes; plane++)
        memcpy(first + plane * taps, first, taps * sizeof *first);
    }
    run_block(&p, &mine, table, row, rows);
  }
}
