/* The loop nest around the integer tiles. Room: backend/cpu/products. */
#include "backend/cpu/products/integer_sweep.h"

#include <string.h>

#include "backend/cpu/products/integer_split.h"
#include "backend/cpu/share.h"
#include "base/memory.h"

/* As in sweep.c: what stays in the second-level cache, and what a table may take of the first. Rows
 * that panels of near weights share stay in the first: each change of panel costs its start anew.
 */
#define WEIGHTS_BYTES ((size_t)512 << 10)
#define NEAR_BYTES    ((size_t)8 << 10)
#define BLOCK_BYTES   ((size_t)256 << 10)
#define TABLE_BYTES   ((size_t)16 << 10)
#define SPREAD_BYTES    ((size_t)256 << 10) /* of spread rows, each made once for all panels */

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

/* Split panels of a group, and where one begins that has vector v of it. */
static size_t split_panels(const hone_integer_set *set, size_t columns) {
  return ceil_divide(ceil_divide(columns, (size_t)set->lanes), (size_t)set->panel);
}
static hone_split_panel split_panel(const hone_integer_set *set, const hone_integer_weights *w,
                                    int planes, size_t panel) {
  size_t each = split_panels(set, w->columns), vector = panel % each * (size_t)set->panel;
  size_t vectors = ceil_divide(w->columns, (size_t)set->lanes);
  return (hone_split_panel){.weights = w,
                            .planes = planes,
                            .group = panel / each,
                            .first = vector * (size_t)set->lanes,
                            .vectors = smaller(vectors - vector, (size_t)set->panel)};
}

/* Bytes before the split panels, which begin at a line: two numbers a column, a start a panel. */
static size_t split_head(const hone_integer_set *set, const hone_integer_weights *w,
                         size_t columns) {
  size_t starts = w->groups * split_panels(set, w->columns) + 1;
  return hone_align_up(2 * columns * sizeof(int32_t) + starts * sizeof(uint32_t), 64);
}

static size_t split_bytes(size_t head, size_t steps) {
  return head + steps * (HONE_SPLIT_STEP_BYTES + sizeof(uint32_t)) + 64;
}

static size_t split_size(const hone_integer_set *set, const hone_integer_weights *w, int planes,
                         size_t columns) {
  size_t steps = 0;
  for (size_t i = 0; i < w->groups * split_panels(set, w->columns); i++) {
    hone_split_panel panel = split_panel(set, w, planes, i);
    steps += hone_split_steps(&panel) * panel.vectors;
  }
  if (steps > UINT32_MAX) return 0;
  return split_bytes(split_head(set, w, columns), steps);
}

size_t hone_integer_pack_size(const hone_integer_set *set, const hone_integer_weights *w,
                              int planes) {
  size_t panels, columns;
  if (!pack_parts(set, w, planes, &panels, &columns)) return 0;
  if (set->spread) return split_size(set, w, planes, columns);
  return hone_align_up(panels, 64) + 2 * columns * sizeof(int32_t) + 64;
}

/* The panels' starts, which grow by whole steps and end within `room` bytes. */
static bool starts_are_sound(const hone_integer_set *set, const hone_integer_weights *w, int planes,
                             const uint32_t *starts, size_t panels, size_t room) {
  if (starts[0] != 0) return false;
  for (size_t i = 0; i < panels; i++) {
    hone_split_panel panel = split_panel(set, w, planes, i);
    if (starts[i + 1] < starts[i] || (starts[i + 1] - starts[i]) % panel.vectors) return false;
  }
  return starts[panels] <= room / (HONE_SPLIT_STEP_BYTES + sizeof(uint32_t));
}

static size_t saved_split_size(const hone_integer_set *set, const hone_integer_weights *w, int planes,
                               const void *pack, size_t room, size_t columns) {
  size_t head = split_head(set, w, columns), panels = w->groups * split_panels(set, w->columns);
  const uint32_t *starts = (const uint32_t *)pack + 2 * columns;
  if (head > room || !starts_are_sound(set, w, planes, starts, panels, room - head)) return 0;
  size_t steps = starts[panels];
  const uint32_t *places =
      (const void *)((const char *)pack + head + steps * HONE_SPLIT_STEP_BYTES);
  hone_split_panel any = {.weights = w, .planes = planes};
  size_t end = hone_split_whole_steps(&any) * 2 * HONE_INTEGER_STEP; /* of a spread row */
  for (size_t i = 0; i < steps; i++)
    if (places[i] % HONE_INTEGER_STEP || places[i] >= end) return 0;
  return split_bytes(head, steps);
}

size_t hone_integer_saved_size(const hone_integer_set *set, const hone_integer_weights *w, int planes,
                               const void *pack, size_t room) {
  size_t panels, columns;
  if (!pack_parts(set, w, planes, &panels, &columns)) return 0;
  if (set->spread) return saved_split_size(set, w, planes, pack, room, columns);
  size_t size = hone_integer_pack_size(set, w, planes);
  return size <= room ? size : 0;
}

hone_integer_pack hone_integer_unpack(const hone_integer_set *set, const hone_integer_weights *w,
                                      int planes, const void *pack) {
  size_t panels = 0, columns = 0;
  (void)pack_parts(set, w, planes, &panels, &columns);
  const int32_t *rows = (const void *)((const char *)pack + hone_align_up(panels, 64));
  if (!set->spread)
    return (hone_integer_pack){.weights = pack, .bias = rows, .slope = rows + columns};
  const uint32_t *starts = (const uint32_t *)pack + 2 * columns;
  const int8_t *weights = (const int8_t *)pack + split_head(set, w, columns);
  size_t steps = starts[w->groups * split_panels(set, w->columns)];
  return (hone_integer_pack){.weights = weights,
                             .bias = pack,
                             .slope = (const int32_t *)pack + columns,
                             .starts = starts,
                             .places = (const void *)(weights + steps * HONE_SPLIT_STEP_BYTES)};
}

int hone_integer_plane_of(int weight, int plane) {
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
        *to++ = (int8_t)(there ? hone_integer_plane_of(*at, plane) : 0);
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

static void pack_panels(const hone_integer_set *set, const hone_integer_weights *w, int planes,
                        int8_t *to) {
  size_t lanes = (size_t)set->lanes, vectors = ceil_divide(w->columns, lanes);
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
  }
}

/* After the numbers of columns, of which flipped weights change the bias. */
static void pack_split(const hone_integer_set *set, const hone_integer_weights *w, int planes,
                       void *pack, size_t columns) {
  size_t panels = w->groups * split_panels(set, w->columns);
  uint32_t *starts = (uint32_t *)pack + 2 * columns;
  starts[0] = 0;
  for (size_t i = 0; i < panels; i++) {
    hone_split_panel panel = split_panel(set, w, planes, i);
    starts[i + 1] = starts[i] + (uint32_t)(hone_split_steps(&panel) * panel.vectors);
  }
  int8_t *weights = (int8_t *)pack + split_head(set, w, columns);
  uint32_t *places = (void *)(weights + (size_t)starts[panels] * HONE_SPLIT_STEP_BYTES);
  for (size_t i = 0; i < panels; i++) {
    hone_split_panel panel = split_panel(set, w, planes, i);
    int32_t *bias = (int32_t *)pack + panel.group * padded_columns(set, w->columns) + panel.first;
    hone_split_pack(&panel, (starts[i + 1] - starts[i]) / panel.vectors, places + starts[i],
                    weights + (size_t)starts[i] * HONE_SPLIT_STEP_BYTES, bias);
  }
}

static void pack_sums(const hone_integer_set *set, const hone_integer_weights *w, int32_t *bias,
                      int32_t *slope) {
  size_t padded = padded_columns(set, w->columns);
  for (size_t group = 0; group < w->groups; group++) {
    const int16_t *first = w->data + (ptrdiff_t)group * w->strides.group;
    for (size_t j = 0; j < padded; j++) {
      bool there = j < w->columns;
      *bias++ = there && w->bias ? w->bias[group * w->columns + j] : 0;
      *slope++ = there ? column_sum(w, first + (ptrdiff_t)j * w->strides.column) : 0;
    }
  }
}

void hone_integer_pack_weights(const hone_integer_set *set, const hone_integer_weights *w,
                               int planes, void *pack) {
  size_t panels = 0, columns = 0;
  (void)pack_parts(set, w, planes, &panels, &columns);
  int32_t *sums = (int32_t *)pack;
  if (!set->spread) sums = (void *)((char *)pack + hone_align_up(panels, 64));
  pack_sums(set, w, sums, sums + columns);
  if (set->spread)
    pack_split(set, w, planes, pack, columns);
  else
    pack_panels(set, w, planes, pack);
}

/* ---- Running --------------------------------------------------------------------------------- */

static size_t all_taps(const hone_integer_sweep *sweep) {
  return sweep->taps * (size_t)sweep->planes;
}

/* Bytes from one spread row to the next: all taps twice, and a line so that no six rows fall into one
 * set of a cache. */
static size_t spread_row(const hone_integer_sweep *sweep) {
  return hone_align_up(all_taps(sweep) * padded_depth(sweep->depth) * 2, 64) + 64;
}

void hone_integer_sweep_plan(hone_integer_sweep *sweep) {
  size_t height = (size_t)sweep->set->height, taps = all_taps(sweep) ? all_taps(sweep) : 1;
  size_t tables = ceil_divide(height, HONE_TILE_ROWS);
  size_t depth = sweep->depth ? sweep->depth : 1;
  size_t weights = taps * depth * padded_columns(sweep->set, sweep->columns);
  size_t block = weights <= WEIGHTS_BYTES ? NEAR_BYTES : BLOCK_BYTES;
  size_t by_rows = block / (depth * height);
  if (sweep->set->spread) by_rows = SPREAD_BYTES / (spread_row(sweep) * height);
  size_t by_table = TABLE_BYTES / (tables * taps * HONE_TILE_ROWS * sizeof(void *));
  size_t tiles = smaller(by_rows, by_table);
  sweep->row_block = (tiles ? tiles : 1) * height;
}

/* Pointers to the rows of one tile. */
static size_t tile_pointers(const hone_integer_sweep *sweep) {
  return ceil_divide((size_t)sweep->set->height, HONE_TILE_ROWS) * all_taps(sweep) * HONE_TILE_ROWS;
}
static size_t table_bytes(const hone_integer_sweep *sweep) {
  size_t tiles = sweep->row_block / (size_t)sweep->set->height;
  return hone_align_up(tiles * tile_pointers(sweep) * sizeof(void *), 64);
}
static size_t spread_bytes(const hone_integer_sweep *sweep) {
  return sweep->set->spread ? sweep->row_block * spread_row(sweep) : 0;
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
  return table_bytes(sweep) + spread_bytes(sweep) + zero_bytes(sweep) +
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
  char *spread; /* the spread rows of a block and group, or NULL */
  hone_integer_tile tile;
  hone_integer_block block;
} pass;

static void point_at_split(pass *p, place at) {
  const hone_integer_sweep *sweep = p->sweep;
  size_t panel = at.group * split_panels(sweep->set, sweep->columns) +
                 at.column / (size_t)(sweep->set->lanes * sweep->set->panel);
  const uint32_t *start = sweep->pack.starts + panel;
  p->tile.weights = sweep->pack.weights + (size_t)start[0] * HONE_SPLIT_STEP_BYTES;
  p->tile.places = sweep->pack.places + start[0];
  p->tile.depth = (start[1] - start[0]) / at.vectors * HONE_INTEGER_STEP;
}

static void start_panel(pass *p, place at) {
  const hone_integer_sweep *sweep = p->sweep;
  size_t padded = padded_columns(sweep->set, sweep->columns);
  size_t first = at.group * padded + at.column, width = at.vectors * (size_t)sweep->set->lanes;
  for (size_t j = 0; j < width; j++)
    p->start[j] = (int32_t)((uint32_t)sweep->pack.bias[first + j] -
                            (uint32_t)p->zero * (uint32_t)sweep->pack.slope[first + j]);
  size_t depth = padded_depth(sweep->depth);
  p->tile.rows_offset = p->spread ? 0 : at.group * depth;
  p->tile.weights = sweep->pack.weights + all_taps(sweep) * depth * first;
  if (p->spread) point_at_split(p, at);
  p->block.columns = smaller(sweep->columns - at.column, width);
  p->block.column = at.group * sweep->columns + at.column;
}

static size_t out_bytes(const hone_integer_sweep *sweep) {
  return hone_dtype_bits(sweep->finish.out) / 8;
}

/* Of a block: the rows of the whole output, its tiles of nearly equal height and their tables. */
typedef struct strip {
  size_t row, rows, tiles;
  const void **table;
} strip;

static const void **table_of(const pass *p, const strip *s, size_t tile) {
  return s->table + tile * tile_pointers(p->sweep);
}

/* The block's rows of a group, spread, all taps one after the other. */
static void spread_rows(const pass *p, const strip *s, size_t group) {
  const hone_integer_sweep *sweep = p->sweep;
  size_t depth = padded_depth(sweep->depth);
  for (size_t t = 0; t < s->tiles; t++) {
    size_t from = s->rows * t / s->tiles, to = s->rows * (t + 1) / s->tiles;
    const void *const *table = table_of(p, s, t);
    for (size_t i = from; i < to; i++, table++) {
      uint8_t *wide = (uint8_t *)(p->spread + i * spread_row(sweep));
      for (size_t tap = 0; tap < all_taps(sweep); tap++, wide += 2 * depth)
        sweep->set->spread((const char *)table[tap * HONE_TILE_ROWS] + group * depth, depth,
                          sweep->is_signed, wide);
    }
  }
}

static void run_tile(pass *p, place at, const void *const *table, size_t row, size_t count) {
  const hone_integer_sweep *sweep = p->sweep;
  hone_integer_block *block = &p->block;
  p->tile.rows = table;
  if (sweep->set->run_tall)
    sweep->set->run_tall(&p->tile, at.vectors, count);
  else
    sweep->set->run[at.vectors][count](&p->tile);
  block->row = row;
  block->rows = count;
  block->out =
      (char *)p->io->out[sweep->out] +
      (size_t)((ptrdiff_t)row * sweep->out_stride + (ptrdiff_t)block->column) * out_bytes(sweep);
  sweep->set->finish(&sweep->finish, p->io, block);
}

/* All panels that begin in this part's vectors against the tiles of a block of rows. */
static void run_block(pass *p, const hone_share *mine, const strip *s) {
  const hone_integer_sweep *sweep = p->sweep;
  size_t lanes = (size_t)sweep->set->lanes, vectors = ceil_divide(sweep->columns, lanes);
  const void *wide[HONE_TILE_ROWS] = {0};
  if (vectors == 0) return;
  place at = {.group = mine->column / vectors};
  for (; at.group * vectors < mine->column_end; at.group++) {
    if (p->spread) spread_rows(p, s, at.group);
    for (size_t v = 0; v < vectors; v += at.vectors) {
      at.vectors = panel_vectors(sweep->set, vectors - v);
      size_t begin = at.group * vectors + v;
      if (begin < mine->column || begin >= mine->column_end) continue;
      at.column = v * lanes;
      start_panel(p, at);
      for (size_t t = 0; t < s->tiles; t++) {
        size_t from = s->rows * t / s->tiles, to = s->rows * (t + 1) / s->tiles;
        for (size_t i = from; p->spread && i < to; i++)
          wide[i - from] = p->spread + i * spread_row(sweep);
        run_tile(p, at, p->spread ? wide : table_of(p, s, t), s->row + from, to - from);
      }
    }
  }
}

/* The table of some rows; every plane of the weights reads the same. */
static void fill_table(const hone_integer_sweep *sweep, hone_sweep_fill *fill, const void *args,
                       const hone_kernel_io *io, size_t row, size_t count, const void *zeros,
                       const void **table) {
  size_t taps = sweep->taps * HONE_TILE_ROWS;
  fill(args, io, row, count, zeros, table);
  for (size_t plane = 1; plane < (size_t)sweep->planes; plane++)
    memcpy(table + plane * taps, table, taps * sizeof *table);
}

/* The tables of a block of rows, tiles of nearly equal height. */
static void fill_tables(const hone_integer_sweep *sweep, hone_sweep_fill *fill, const void *args,
                        const hone_kernel_io *io, size_t row, size_t rows, const void *zeros,
                        const void **table) {
  size_t tiles = ceil_divide(rows, (size_t)sweep->set->height);
  for (size_t t = 0; t < tiles; t++) {
    size_t from = rows * t / tiles, to = rows * (t + 1) / tiles;
    const void **first = table + t * tile_pointers(sweep);
    for (; from < to; from += HONE_TILE_ROWS, first += all_taps(sweep) * HONE_TILE_ROWS)
      fill_table(sweep, fill, args, io, row + from, smaller(to - from, HONE_TILE_ROWS), zeros, first);
  }
}

void hone_integer_sweep_run(const hone_integer_sweep *sweep, hone_sweep_fill *fill,
                            const void *args, const hone_kernel_io *io, void *scratch, int part,
                            int parts) {
  size_t vectors = ceil_divide(sweep->columns, (size_t)sweep->set->lanes);
  hone_work work = {.rows = sweep->rows,
                    .height = (size_t)sweep->set->height,
                    .columns = vectors * sweep->groups,
                    .grain = smaller(vectors ? vectors : 1, (size_t)sweep->set->panel),
                    .row_weight = (double)sweep->rows,
                    .column_weight = (double)sweep->columns * (double)all_taps(sweep)};
  hone_share mine = hone_share_of(&work, part, parts);
  if (mine.row == mine.row_end || mine.column == mine.column_end) return;
  const void **table = scratch;
  char *wide = (char *)scratch + table_bytes(sweep), *zeros = wide + spread_bytes(sweep);
  int zero = hone_integer_zero(sweep, io), sign = sweep->is_signed ? 0x80 : 0;
  pass p = {.sweep = sweep,
            .io = io,
            .zero = sweep->set->run_tall ? zero - sign : zero,
            .spread = sweep->set->spread ? wide : NULL};
  memset(zeros, zero ^ sign, zero_bytes(sweep));
  p.start = (int32_t *)(void *)(zeros + zero_bytes(sweep));
  p.tile = (hone_integer_tile){.taps = p.spread ? 1 : all_taps(sweep),
                               .depth = padded_depth(sweep->depth),
                               .start = p.start,
                               .is_signed = sweep->is_signed && !p.spread,
                               .sums = p.start + start_bytes(sweep) / sizeof(int32_t),
                               .sums_stride = panel_columns(sweep)};
  p.block = (hone_integer_block){
      .sums = p.tile.sums, .sums_stride = p.tile.sums_stride, .out_stride = sweep->out_stride};
  for (size_t row = mine.row, rows; row < mine.row_end; row += rows) {
    rows = smaller(sweep->row_block, mine.row_end - row);
    fill_tables(sweep, fill, args, io, row, rows, zeros, table);
    run_block(&p, &mine, &(strip){row, rows, ceil_divide(rows, (size_t)sweep->set->height), table});
  }
}
