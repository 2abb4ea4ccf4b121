/* Products of up to 32 rows and 32 columns on registers of tiles. Room: backend/cpu/products.
 *
 * Two by two tiles of sums; each step of 64 bytes of depth loads two tiles of rows and two of weights
 * for four products. Rows at an even distance are loaded where they lie, others (at the borders of a
 * picture) by way of a copy. What a row has beyond whole steps is multiplied after them in registers of
 * that width, so that nothing beyond it is read. A sum's bits depend neither on the tile nor on the
 * split. Packed weights are as tile.h and integer_tile.h say.
 *
 * Included with TILE_MULTIPLY(kind, sum, rows, weights) defined; `kind`, a constant, tells a file's
 * instructions apart. */
#include <stdbool.h>

#include "backend/cpu/products/tile.h"
#include "backend/cpu/simd/tiles.h"

#define TALL_ROWS    HONE_TILE_TALLEST
#define TALL_COLUMNS (2 * TILE_ROWS)
#define STEP_BYTES   4 /* of a row: what one row of a tile of weights multiplies */

typedef struct tall {
  const void *const *rows; /* as hone_tile has them */
  size_t rows_offset, taps;
  size_t depth; /* bytes of a row and tap; a multiple of STEP_BYTES */
  const char *weights;
  size_t ahead;          /* as in hone_tile */
  size_t height;         /* 1..TALL_ROWS */
  size_t vectors;        /* 1 or 2, of 16 columns */
  const int32_t *start;  /* one a column: what sums begin with; NULL: 0 */
  void *sums;            /* [height][sums_stride] of 32 bits, whole vectors */
  size_t sums_stride;
} tall;

/* The registers: sums of the upper and lower rows, left and right columns; rows; weights. Numbers, since
 * they become part of instructions' names. */
#define UP_LEFT   0
#define UP_RIGHT  1
#define LOW_LEFT  2
#define LOW_RIGHT 3
#define UPPER     4
#define LOWER     5
#define LEFT      6
#define RIGHT     7

static void shape(const tall *t, size_t bytes) {
  size_t high = t->height < TILE_ROWS ? t->height : TILE_ROWS, low = t->height - high;
  bool wide = t->vectors > 1;
  const struct {
    size_t rows, bytes;
  } of[TILE_COUNT] = {[UP_LEFT] = {high, TILE_BYTES},
                      [UP_RIGHT] = {wide ? high : 0, TILE_BYTES},
                      [LOW_LEFT] = {low, TILE_BYTES},
                      [LOW_RIGHT] = {wide ? low : 0, TILE_BYTES},
                      [UPPER] = {high, bytes},
                      [LOWER] = {low, bytes},
                      [LEFT] = {bytes / STEP_BYTES, TILE_BYTES},
                      [RIGHT] = {wide ? bytes / STEP_BYTES : 0, TILE_BYTES}};
  tile_shapes shapes = {.palette = 1};
  for (int i = 0; i < TILE_COUNT; i++) {
    shapes.rows[i] = (uint8_t)of[i].rows;
    shapes.bytes[i] = (uint16_t)(of[i].rows ? of[i].bytes : 0);
  }
  tile_shape(&shapes);
}

/* Up to 16 rows of one tap. */
typedef struct lines {
  const char *first[TILE_ROWS];
  size_t count;
  ptrdiff_t stride; /* bytes from row to row; 0: they lie at no even distance */
} lines;

HONE_INLINE lines lines_of(const tall *t, size_t tap, size_t from, size_t count) {
  lines l = {.count = count};
  for (size_t i = 0; i < count; i++) {
    size_t row = from + i, table = row / HONE_TILE_ROWS * t->taps + tap;
    l.first[i] = (const char *)t->rows[table * HONE_TILE_ROWS + row % HONE_TILE_ROWS] + t->rows_offset;
  }
  l.stride = count > 1 ? l.first[1] - l.first[0] : TILE_BYTES;
  for (size_t i = 2; i < count; i++)
    if (l.first[i] - l.first[i - 1] != l.stride) l.stride = 0;
  return l;
}

typedef char copy_of_rows[TILE_ROWS][TILE_BYTES] __attribute__((aligned(TILE_BYTES)));

static void copy_rows(const lines *l, size_t at, size_t bytes, copy_of_rows to) {
  __mmask64 there = bytes < TILE_BYTES ? ((__mmask64)1 << bytes) - 1 : ~(__mmask64)0;
  for (size_t i = 0; i < l->count; i++)
    _mm512_store_si512(to[i], _mm512_maskz_loadu_epi8(there, l->first[i] + at));
}

#define LOAD_ROWS(register, l, at, bytes)                        \
  do {                                                           \
    copy_of_rows copy;                                           \
    if ((l).stride) {                                            \
      tile_load(register, (l).first[0] + (at), (size_t)(l).stride); \
    } else {                                                     \
      copy_rows(&(l), at, bytes, copy);                          \
      tile_load(register, copy, TILE_BYTES);                     \
    }                                                            \
  } while (0)

/* Adds the products of bytes from..to of each tap, `bytes` at a time. */
HONE_INLINE void add_products(const tall *t, size_t from, size_t to, size_t bytes, const int kind,
                              const bool low, const bool wide) {
  size_t high = t->height < TILE_ROWS ? t->height : TILE_ROWS;
  size_t step = t->vectors * TILE_BYTES; /* bytes of weights */
  for (size_t tap = 0; tap < t->taps; tap++) {
    lines upper = lines_of(t, tap, 0, high), lower = {.count = 0};
    if (low) lower = lines_of(t, tap, high, t->height - high);
    const char *weights = t->weights + (tap * t->depth + from) / STEP_BYTES * step;
    for (size_t k = from; k < to; k += bytes, weights += bytes / STEP_BYTES * step) {
      for (size_t i = 0; i < bytes / STEP_BYTES; i++)
        __builtin_prefetch(weights + i * step + t->ahead, 0, 2);
      tile_load(LEFT, weights, step);
      LOAD_ROWS(UPPER, upper, k, bytes);
      TILE_MULTIPLY(kind, UP_LEFT, UPPER, LEFT);
      if (wide) {
        tile_load(RIGHT, weights + TILE_BYTES, step);
        TILE_MULTIPLY(kind, UP_RIGHT, UPPER, RIGHT);
      }
      if (low) {
        LOAD_ROWS(LOWER, lower, k, bytes);
        TILE_MULTIPLY(kind, LOW_LEFT, LOWER, LEFT);
        if (wide) TILE_MULTIPLY(kind, LOW_RIGHT, LOWER, RIGHT);
      }
    }
  }
}

/* Sums begin at what lies in `rows`, from one to the next `stride` bytes. */
HONE_INLINE void load_sums(const char *rows, size_t stride, const bool low, const bool wide) {
  tile_load(UP_LEFT, rows, stride);
  if (wide) tile_load(UP_RIGHT, rows + TILE_BYTES, stride);
  if (low) tile_load(LOW_LEFT, rows + TILE_ROWS * stride, stride);
  if (low && wide) tile_load(LOW_RIGHT, rows + TILE_ROWS * stride + TILE_BYTES, stride);
}

HONE_INLINE void store_sums(char *rows, size_t stride, const bool low, const bool wide) {
  tile_store(UP_LEFT, rows, stride);
  if (wide) tile_store(UP_RIGHT, rows + TILE_BYTES, stride);
  if (low) tile_store(LOW_LEFT, rows + TILE_ROWS * stride, stride);
  if (low && wide) tile_store(LOW_RIGHT, rows + TILE_ROWS * stride + TILE_BYTES, stride);
}

/* A register's shape cannot change while it holds sums, so they go through memory between. */
HONE_INLINE void multiply(const tall *t, const int kind, const bool low, const bool wide) {
  static const int32_t zeros[TALL_COLUMNS];
  size_t whole = t->depth - t->depth % TILE_BYTES, stride = t->sums_stride * sizeof(int32_t);
  const char *start = (const char *)(t->start ? t->start : zeros);
  if (whole || !t->depth) {
    shape(t, TILE_BYTES);
    load_sums(start, 0, low, wide);
    add_products(t, 0, whole, TILE_BYTES, kind, low, wide);
    store_sums(t->sums, stride, low, wide);
  }
  if (whole < t->depth) {
    shape(t, t->depth - whole);
    if (whole)
      load_sums(t->sums, stride, low, wide);
    else
      load_sums(start, 0, low, wide);
    add_products(t, whole, t->depth, t->depth - whole, kind, low, wide);
    store_sums(t->sums, stride, low, wide);
  }
  tile_release();
}

HONE_INLINE void multiply_tall(const tall *t, const int kind) {
  if (t->height > TILE_ROWS && t->vectors > 1)
    multiply(t, kind, true, true);
  else if (t->height > TILE_ROWS)
    multiply(t, kind, true, false);
  else if (t->vectors > 1)
    multiply(t, kind, false, true);
  else
    multiply(t, kind, false, false);
}
