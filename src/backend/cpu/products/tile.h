/* The micro-kernels of matrix multiplication and convolution. Room: backend/cpu/products.
 *
 * A tile is up to 7 rows (pixels) by up to 4 vectors of columns (output channels), accumulated in
 * registers: out[i][j] = finish(sum over taps t and depth k of rows[t][i][k] * weights[t][k][j]).
 * Each output is one chain of multiply-adds in the order of t, then k, so its bits depend neither
 * on the tile that it falls into nor on how the work was split. Sets with `run_tall` make tiles of up
 * to 32 rows by 2 vectors and sum in an order of their own, of which the same holds.
 *
 * Packed weights: columns in panels of hone_panel_vectors() vectors; a panel is
 * [taps][depth / step][vectors * lanes][step] operands, missing columns and depth are zero. Panels
 * follow one another: the one that begins at column c begins c * taps * depth operands into the
 * pack.
 *
 * Operands are floats, or bfloat16 whose products are added in float, two at a time (step 2).
 */
#ifndef HONE_BACKEND_CPU_PRODUCTS_TILE_H
#define HONE_BACKEND_CPU_PRODUCTS_TILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/simd/isa.h"

#define HONE_TILE_ROWS         8 /* pointers of one tap in `rows`, used or not */
#define HONE_TILE_MOST_ROWS    7
#define HONE_TILE_TALLEST      32 /* rows, of sets with run_tall */
#define HONE_TILE_MOST_VECTORS 4

typedef struct hone_tile {
  const void *const *rows; /* [taps][HONE_TILE_ROWS]: where the operands of a row and tap begin; a
                              tall tile has such a table for every HONE_TILE_ROWS rows */
  size_t rows_offset;      /* bytes added to each of these pointers: a group's first channel */
  size_t taps;
  size_t depth;          /* operands of a row and tap, contiguous; a multiple of the set's step */
  const void *weights;   /* the panel */
  size_t ahead;          /* bytes: so far behind each step's weights a line is fetched for later;
                            it need not exist */
  float *out;            /* element [0][0] */
  ptrdiff_t out_stride;  /* elements between rows */
  const float *bias;     /* one a column, or NULL */
  const float *residual; /* added after the bias, or NULL; may be `out` itself */
  ptrdiff_t residual_stride;     /* elements; 0 repeats one row */
  uint16_t *out_bf16;            /* or NULL: in the place of `out`, rounded */
  const uint16_t *residual_bf16; /* or NULL: in the place of `residual` */
  bool clamp;                    /* then limited to low..high; NaN stays NaN */
  float low, high;
  int tail; /* columns in the last vector, 1..lanes; beyond them nothing of out, bias and residual
               is read or written */
} hone_tile;

typedef void hone_tile_function(const hone_tile *tile);
typedef void hone_tall_tile_function(const hone_tile *tile, size_t vectors, size_t rows);

/* Packs one panel: `columns` columns of a matrix whose element (k, j) is at b[k * depth_stride +
 * j * column_stride], zeros up to `width`. Fast where one of the strides is 1. */
typedef void hone_pack_function(const float *b, ptrdiff_t depth_stride, ptrdiff_t column_stride,
                                size_t depth, size_t columns, size_t width, float *packed);

/* to = a packed panel, `width` floats a step of depth, each step times its number of `by`. */
typedef void hone_scale_panel_function(const float *panel, const float *by, size_t depth, size_t width,
                                 float *to);

/* Between float and bfloat16, rounding to nearest even; subnormal numbers may become 0. */
typedef void hone_narrow_function(const float *from, size_t count, uint16_t *to);
typedef void hone_widen_function(const uint16_t *from, size_t count, float *to);

/* A few rows times a matrix, each read where it lies; steps in floats, columns of out side by side. */
typedef struct hone_thin {
  size_t rows, depth, columns;
  const float *a, *b;
  ptrdiff_t a_row, a_depth, b_depth, b_column;
  float *out;
  ptrdiff_t out_row;
} hone_thin;

/* stream: b_column is 1; each output is the chain that a tile makes of it. dots: a_depth and b_depth
 * are 1; an output's bits depend on the place of its column among neighbouring `lanes`, and on
 * whether there are as many. */
typedef void hone_thin_function(const hone_thin *product);

/* One instruction set's tiles: the geometry of its packing, a function for each size. */
typedef struct hone_tile_set {
  const char *name;
  uint32_t isa;
  int lanes;   /* columns in a vector */
  int panel;   /* most vectors in a panel */
  int height;  /* most rows in a tile */
  int operand; /* bytes of an operand: 4 for float, 2 for bfloat16 */
  int step;    /* operands multiplied at once; depths are padded with zeros to a multiple */
  hone_pack_function *pack;
  hone_scale_panel_function *scale; /* this and the next two: of floats only */
  hone_thin_function *stream, *dots;
  hone_narrow_function *narrow;
  hone_tile_function
      *run[HONE_TILE_MOST_VECTORS + 1][HONE_TILE_MOST_ROWS + 1]; /* [vectors][rows] */
  hone_tall_tile_function *run_tall; /* NULL, or in the place of `run`; only sweeps ask for it */
} hone_tile_set;

extern const hone_tile_set hone_tiles_f32_plain;
#if defined(__x86_64__)
extern const hone_tile_set hone_tiles_f32_avx512, hone_tiles_f32_avx2;
#endif
/* bfloat16 operands. */
extern const hone_tile_set hone_tiles_bf16_plain;
#if defined(__x86_64__)
extern const hone_tile_set hone_tiles_bf16_avx512bf16, hone_tiles_bf16_amx;
#endif

/* Depth as it is packed. */
static inline size_t hone_padded_depth(const hone_tile_set *set, size_t depth) {
  return (depth + (size_t)set->step - 1) / (size_t)set->step * (size_t)set->step;
}

/* Tables that the rows of a tile take. */
static inline size_t hone_tile_tables(const hone_tile_set *set) {
  return ((size_t)set->height + HONE_TILE_ROWS - 1) / HONE_TILE_ROWS;
}

static inline void hone_tile_run(const hone_tile_set *set, const hone_tile *tile, size_t vectors,
                                 size_t rows) {
  if (set->run_tall)
    set->run_tall(tile, vectors, rows);
  else
    set->run[vectors][rows](tile);
}

/* Every fp32 set compiled in, the fastest first, NULL last. Which of them run here: hone_isa_runs.
 */
extern const hone_tile_set *const hone_tile_sets_f32[];

/* Vectors of the next panel when `left` remain: as wide as can be, but of five 3 + 2 instead of
 * 4 + 1, since a panel of one vector wastes loads. */
static inline size_t hone_panel_vectors(const hone_tile_set *set, size_t left) {
  size_t most = (size_t)set->panel;
  if (most > 2 && left == most + 1) return most - 1;
  return left < most ? left : most;
}

#endif
