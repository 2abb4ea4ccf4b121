/* The loop nest around the tiles: packing, blocking, splitting. Room: backend/cpu/products. */
#include "backend/cpu/products/sweep.h"

#include <string.h>

#include "backend/cpu/share.h"
#include "base/memory.h"
#include "base/pool.h"

/* Weights up to this size stay in the second-level cache while rows stream by; beyond it a block
 * of rows of BLOCK_BYTES stays and panels stream by. Measured: the order matters within 2 %. */
#define WEIGHTS_BYTES ((size_t)512 << 10)
#define BLOCK_BYTES   ((size_t)256 << 10)
#define TABLE_BYTES   ((size_t)16 << 10)
/* Rows of few operands are worked on some tiles at a time, that stay in the first-level cache: what
 * is done once a panel and block is then done for more of them. */
#define NEAR_BYTES    ((size_t)8 << 10)
#define NEAR_TILES    8
#define LINE          ((size_t)64) /* bytes that are fetched at once */
/* A program runs on tiles of about this many floats together: they are still in the cache. */
#define PROGRAM_FLOATS ((size_t)4096)

static size_t columns_padded(const hone_sweep *sweep) {
  return hone_align_up(sweep->columns, (size_t)sweep->tiles->lanes);
}

static size_t ceil_divide(size_t a, size_t b) {
  return (a + b - 1) / b;
}
static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Floats that one column's depth takes, packed. */
static size_t depth_floats(const hone_tile_set *tiles, size_t depth) {
  return hone_padded_depth(tiles, depth) / (sizeof(float) / (size_t)tiles->operand);
}

size_t hone_pack_size(const hone_tile_set *tiles, size_t groups, size_t taps, size_t depth,
                      size_t columns) {
  size_t size, lanes = (size_t)tiles->lanes;
  if (!hone_add(columns, lanes - 1, &columns) || depth == SIZE_MAX) return 0;
  columns -= columns % lanes;
  depth = depth_floats(tiles, depth);
  if (!hone_mul(groups, taps, &size) || !hone_mul(size, depth, &size) ||
      !hone_mul(size, columns, &size))
    return 0;
  return size;
}

void hone_pack_weights(const hone_tile_set *tiles, size_t groups, size_t taps, size_t depth,
                       size_t columns, const float *weights, hone_weight_strides strides,
                       float *packed) {
  size_t lanes = (size_t)tiles->lanes, vectors = ceil_divide(columns, lanes);
  for (size_t group = 0; group < groups; group++) {
    for (size_t v = 0, wide; v < vectors; v += wide) {
      wide = hone_panel_vectors(tiles, vectors - v);
      size_t first = v * lanes, width = wide * lanes, real = smaller(columns - first, width);
      const float *from =
          weights + (ptrdiff_t)group * strides.group + (ptrdiff_t)first * strides.column;
      for (size_t t = 0; t < taps; t++, packed += depth_floats(tiles, depth) * width)
        tiles->pack(from + (ptrdiff_t)t * strides.tap, strides.depth, strides.column, depth, real,
                    width, packed);
    }
  }
}

void hone_scale_weights(const hone_tile_set *tiles, size_t depth, size_t columns,
                        const float *packed, const float *by, float *to, int part, int parts) {
  size_t lanes = (size_t)tiles->lanes, vectors = ceil_divide(columns, lanes), begin, end;
  hone_split(depth, 1, part, parts, &begin, &end);
  for (size_t v = 0, wide; v < vectors; v += wide) {
    wide = hone_panel_vectors(tiles, vectors - v);
    size_t width = wide * lanes, at = v * lanes * depth + begin * width;
    tiles->scale(packed + at, by + begin, end - begin, width, to + at);
  }
}

void hone_sweep_plan(hone_sweep *sweep) {
  size_t height = (size_t)sweep->tiles->height, taps = sweep->taps ? sweep->taps : 1;
  size_t depth = sweep->depth ? sweep->depth : 1;
  size_t weights = taps * depth * columns_padded(sweep) * sizeof(float);
  size_t by_rows = BLOCK_BYTES / (depth * height * sizeof(float));
  size_t by_table =
      TABLE_BYTES / (hone_tile_tables(sweep->tiles) * taps * HONE_TILE_ROWS * sizeof(void *));
  size_t tiles = smaller(by_rows, by_table);
  if (weights <= WEIGHTS_BYTES) {
    size_t together = PROGRAM_FLOATS / (height * (sweep->columns ? sweep->columns : 1));
    size_t near = smaller(NEAR_BYTES / (depth * height * sizeof(float)), NEAR_TILES);
    tiles = smaller(tiles, sweep->finish.program ? together : near);
  }
  sweep->row_block = (tiles ? tiles : 1) * height;
}

/* Pointers to the rows of one tile. */
static size_t tile_pointers(const hone_sweep *sweep) {
  return hone_tile_tables(sweep->tiles) * sweep->taps * HONE_TILE_ROWS;
}

static size_t table_bytes(const hone_sweep *sweep) {
  size_t tiles = sweep->row_block / (size_t)sweep->tiles->height;
  return tiles * tile_pointers(sweep) * sizeof(void *);
}

static size_t zero_bytes(const hone_sweep *sweep) {
  return sweep->groups * hone_padded_depth(sweep->tiles, sweep->depth) *
         (size_t)sweep->tiles->operand;
}

/* Tiles wait as floats where registers do not hold all that is done before they are rounded. */
static bool waits(const hone_sweep *sweep) {
  const hone_finish *finish = &sweep->finish;
  return sweep->out_bf16 && (finish->program || finish->activation.kind > HONE_ACTIVATION_CLAMP);
}

static size_t panel_floats(const hone_sweep *sweep) {
  return (size_t)sweep->tiles->panel * (size_t)sweep->tiles->lanes;
}

static size_t tile_floats(const hone_sweep *sweep) {
  return waits(sweep) ? (size_t)sweep->tiles->height * panel_floats(sweep) : 0;
}

size_t hone_sweep_scratch(const hone_sweep *sweep) {
  return hone_align_up(table_bytes(sweep) + zero_bytes(sweep), 64) +
         hone_align_up(tile_floats(sweep) * sizeof(float), 64);
}

/* A panel: its group, its first column there, its vectors. */
typedef struct place {
  size_t group, column, vectors;
} place;

/* What a tile needs that is the same for all of one run. */
typedef struct pass {
  const hone_sweep *sweep;
  const hone_kernel_io *io;
  int part;
  void *out;
  const void *residual;
  float *hot;     /* tile_floats of them, panel_floats a row */
  size_t vectors; /* in a row of one group; at least 1 */
  size_t panel_bytes;
  hone_tile tile;
} pass;

static void start_pass(pass *p) {
  const hone_sweep *sweep = p->sweep;
  const hone_finish *finish = &sweep->finish;
  ptrdiff_t hot = (ptrdiff_t)panel_floats(sweep);
  p->out = p->io->out[sweep->out];
  p->residual = finish->residual >= 0 ? p->io->in[finish->residual] : NULL;
  p->tile = (hone_tile){
      .taps = sweep->taps,
      .depth = hone_padded_depth(sweep->tiles, sweep->depth),
      .out_stride = waits(sweep) ? hot : sweep->out_stride,
      .residual_stride = finish->residual_stride,
      .clamp = finish->activation.kind == HONE_ACTIVATION_CLAMP,
      .low = finish->activation.a,
      .high = finish->activation.b,
  };
}

static void start_panel(pass *p, place at) {
  const hone_sweep *sweep = p->sweep;
  size_t inner = sweep->taps * depth_floats(sweep->tiles, sweep->depth);
  size_t width = smaller(sweep->columns - at.column, at.vectors * (size_t)sweep->tiles->lanes);
  size_t column = at.group * sweep->columns + at.column;
  p->tile.rows_offset = at.group * p->tile.depth * (size_t)sweep->tiles->operand;
  p->tile.weights =
      (const float *)sweep->weights + inner * (at.group * columns_padded(sweep) + at.column);
  p->panel_bytes = inner * at.vectors * (size_t)sweep->tiles->lanes * sizeof(float);
  p->tile.bias = sweep->finish.bias ? sweep->finish.bias + column : NULL;
  p->tile.tail = (int)(width - (at.vectors - 1) * (size_t)sweep->tiles->lanes);
}

static void narrow_out(const pass *p, size_t row, size_t column, size_t rows, size_t columns) {
  ptrdiff_t stride = p->sweep->out_stride;
  uint16_t *to = (uint16_t *)p->out + (ptrdiff_t)row * stride + column;
  for (size_t i = 0; i < rows; i++)
    p->sweep->tiles->narrow(p->hot + i * panel_floats(p->sweep), columns, to + (ptrdiff_t)i * stride);
}

/* Where the tile at (row, column) goes, and what is added to it. */
static void point_tile(pass *p, size_t row, size_t column) {
  const hone_sweep *sweep = p->sweep;
  hone_tile *tile = &p->tile;
  ptrdiff_t out = (ptrdiff_t)row * sweep->out_stride + (ptrdiff_t)column;
  ptrdiff_t residual = (ptrdiff_t)row * sweep->finish.residual_stride + (ptrdiff_t)column;
  if (waits(sweep))
    tile->out = p->hot;
  else if (sweep->out_bf16)
    tile->out_bf16 = (uint16_t *)p->out + out;
  else
    tile->out = (float *)p->out + out;
  if (p->residual && sweep->finish.residual_bf16)
    tile->residual_bf16 = (const uint16_t *)p->residual + residual;
  else if (p->residual)
    tile->residual = (const float *)p->residual + residual;
}

/* Tile `number` of a panel, `count` rows from `row`, then what has to be done while it is hot. Each
 * tile fetches other lines of the panel that follows, of this layer or the next. */
static void run_tile(pass *p, place at, size_t number, const void *const *table, size_t row,
                     size_t count) {
  const hone_sweep *sweep = p->sweep;
  const hone_finish *finish = &sweep->finish;
  size_t column = at.group * sweep->columns + at.column;
  size_t width = (at.vectors - 1) * (size_t)sweep->tiles->lanes + (size_t)p->tile.tail;
  hone_tile *tile = &p->tile;
  tile->rows = table;
  point_tile(p, row, column);
  tile->ahead = p->panel_bytes + number % at.vectors * LINE;
  hone_tile_run(sweep->tiles, tile, at.vectors, count);
  hone_finish_activation(finish, sweep->tiles->isa, tile->out, tile->out_stride, count, width);
  if (!waits(sweep)) return;
  if (finish->program)
    finish->program(finish->program_state, p->io, p->part, tile->out, tile->out_stride, count,
                    width, row, column);
  narrow_out(p, row, column, count, width);
}

/* The program on a block of rows of one panel, `rows` from `row`. */
static void run_program(const pass *p, place at, size_t row, size_t rows) {
  const hone_sweep *sweep = p->sweep;
  const hone_finish *finish = &sweep->finish;
  size_t column = at.group * sweep->columns + at.column;
  size_t width = (at.vectors - 1) * (size_t)sweep->tiles->lanes + (size_t)p->tile.tail;
  size_t most = width ? PROGRAM_FLOATS / width + 1 : rows;
  for (size_t done = 0, now; done < rows; done += now, row += now) {
    now = smaller(most, rows - done);
    float *out = (float *)p->out + (ptrdiff_t)row * sweep->out_stride + column;
    finish->program(finish->program_state, p->io, p->part, out, sweep->out_stride, now, width, row,
                    column);
  }
}

/* A block's rows as tiles of nearly equal height. */
typedef struct heights {
  size_t tiles, least, higher; /* the first `higher` have a row more than `least` */
} heights;

static heights heights_of(size_t rows, size_t most) {
  size_t tiles = ceil_divide(rows, most), least = rows / tiles;
  return (heights){tiles, least, rows - tiles * least};
}
static size_t height_of(const heights *h, size_t tile) {
  return h->least + (tile < h->higher);
}

/* All panels that begin in this part's vectors against the tiles of a block of rows. */
static void run_block(pass *p, const hone_share *mine, const void *const *table, size_t row,
                      size_t rows) {
  const hone_sweep *sweep = p->sweep;
  size_t lanes = (size_t)sweep->tiles->lanes, vectors = p->vectors;
  heights all = heights_of(rows, (size_t)sweep->tiles->height);
  place at = {.group = mine->column / vectors};
  for (; at.group * vectors < mine->column_end; at.group++) {
    for (size_t v = 0; v < vectors; v += at.vectors) {
      at.vectors = hone_panel_vectors(sweep->tiles, vectors - v);
      size_t begin = at.group * vectors + v;
      if (begin < mine->column || begin >= mine->column_end) continue;
      at.column = v * lanes;
      start_panel(p, at);
      for (size_t t = 0, from = row, count; t < all.tiles; t++, from += count) {
        count = height_of(&all, t);
        run_tile(p, at, t, table + t * tile_pointers(sweep), from, count);
      }
      if (sweep->finish.program && !sweep->out_bf16) run_program(p, at, row, rows);
    }
  }
}

/* The tables of a block of rows. */
static void fill_tables(const hone_sweep *sweep, hone_sweep_fill *fill, const void *args,
                        const hone_kernel_io *io, size_t row, size_t rows, const void *zeros,
                        const void **table) {
  heights all = heights_of(rows, (size_t)sweep->tiles->height);
  for (size_t t = 0, from = row, count; t < all.tiles; t++, from += count) {
    const void **to = table + t * tile_pointers(sweep);
    count = height_of(&all, t);
    for (size_t i = 0; i < count; i += HONE_TILE_ROWS, to += sweep->taps * HONE_TILE_ROWS)
      fill(args, io, from + i, smaller(count - i, HONE_TILE_ROWS), zeros, to);
  }
}

void hone_sweep_run(const hone_sweep *sweep, hone_sweep_fill *fill, const void *args,
                    const hone_kernel_io *io, void *scratch, int part, int parts) {
  size_t vectors = ceil_divide(sweep->columns, (size_t)sweep->tiles->lanes);
  if (vectors == 0) return;
  hone_work work = {.rows = sweep->rows,
                    .height = (size_t)sweep->tiles->height,
                    .columns = vectors * sweep->groups,
                    .grain = smaller(vectors, (size_t)sweep->tiles->panel),
                    .row_weight = (double)sweep->rows * (double)(sweep->depth + sweep->columns),
                    .column_weight = (double)sweep->columns * (double)sweep->taps *
                                     (double)sweep->depth};
  hone_share mine = hone_share_of(&work, part, parts);
  if (mine.row == mine.row_end || mine.column == mine.column_end) return;
  const void **table = scratch;
  void *zeros = (char *)scratch + table_bytes(sweep);
  memset(zeros, 0, zero_bytes(sweep));

  pass p = {.sweep = sweep, .io = io, .part = part, .vectors = vectors};
  p.hot = (float *)(void *)((char *)scratch + hone_sweep_scratch(sweep)) -
          hone_align_up(tile_floats(sweep), 16);
  start_pass(&p);
  for (size_t row = mine.row, rows; row < mine.row_end; row += rows) {
    rows = smaller(sweep->row_block, mine.row_end - row);
    fill_tables(sweep, fill, args, io, row, rows, zeros, table);
    run_block(&p, &mine, table, row, rows);
  }
}

void hone_multiply(const hone_tile_set *tiles, size_t rows, size_t depth, size_t columns,
                   const void *a, ptrdiff_t a_stride, const void *packed, float *out,
                   ptrdiff_t out_stride, bool add) {
  size_t lanes = (size_t)tiles->lanes, vectors = ceil_divide(columns, lanes);
  if (rows == 0) return;
  heights all = heights_of(rows, (size_t)tiles->height);
  const void *table[HONE_TILE_TALLEST];
  ptrdiff_t row_bytes = a_stride * tiles->operand;
  hone_tile tile = {.rows = table,
                    .taps = 1,
                    .depth = depth,
                    .out_stride = out_stride,
                    .residual_stride = out_stride};
  for (size_t v = 0, wide; v < vectors; v += wide) {
    wide = hone_panel_vectors(tiles, vectors - v);
    size_t width = smaller(columns - v * lanes, wide * lanes);
    tile.weights = (const char *)packed + v * lanes * depth * (size_t)tiles->operand;
    tile.tail = (int)(width - (wide - 1) * lanes);
    for (size_t t = 0, from = 0, count; t < all.tiles; t++, from += count) {
      count = height_of(&all, t);
      for (size_t i = 0; i < count; i++)
        table[i] = (const char *)a + (ptrdiff_t)(from + i) * row_bytes;
      tile.out = out + (ptrdiff_t)from * out_stride + v * lanes;
      tile.residual = add ? tile.out : NULL;
      tile.ahead = wide * lanes * depth * (size_t)tiles->operand + t % wide * LINE;
      hone_tile_run(tiles, &tile, wide, count);
    }
  }
}
