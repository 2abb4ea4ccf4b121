/* The micro-kernels of integer matrix multiplication and convolution. Room: backend/cpu/products.
 *
 * A tile is up to 6 rows (pixels) by up to 4 vectors of columns (output channels):
 * sums[i][j] = start[j] + sum over taps t and depth k of byte rows[t][i][k] * weights[t][k][j],
 * bytes of x unsigned, or signed and made unsigned by adding 128; weights signed; exact.
 *
 * Packed weights: columns in panels of up to `panel` vectors; a panel is [taps][depth /
 * 4][columns][4] bytes, missing columns and depth are zero. The panel that begins at column c
 * begins c * taps * depth bytes into the pack.
 *
 * Where the instruction for bytes saturates (AVX2's vpmaddubsw), a set takes rows that were spread
 * and panels that were split: integer_split.h.
 */
#ifndef HONE_BACKEND_CPU_PRODUCTS_INTEGER_TILE_H
#define HONE_BACKEND_CPU_PRODUCTS_INTEGER_TILE_H

#include "backend/cpu/products/integer_finish.h"
#include "backend/cpu/products/tile.h"

#define HONE_INTEGER_STEP      4 /* bytes of depth multiplied at once */
#define HONE_INTEGER_MOST_ROWS 6

typedef struct hone_integer_tile {
  const void *const *rows; /* [taps][HONE_TILE_ROWS]; a tall tile's as hone_tile says */
  size_t rows_offset;      /* bytes added to each of these pointers */
  size_t taps, depth;      /* depth: bytes of a row and tap, a multiple of 4; of a split panel its
                              steps, 4 bytes each */
  const int8_t *weights;   /* the panel */
  const int32_t *start;    /* one a column of the panel */
  const uint32_t *places;  /* of a split panel */
  bool is_signed;          /* bytes of x; never where they were spread */
  int32_t *sums;
  size_t sums_stride;
} hone_integer_tile;

typedef void hone_integer_tile_function(const hone_integer_tile *tile);
typedef void hone_integer_tall_function(const hone_integer_tile *tile, size_t vectors, size_t rows);

/* Convolutions of one channel a group: sums[i][c] = start[c] + sum over taps t of byte
 * rows[t][i][rows_offset + c] * the weight of t and c, for `rows` pixels and channels c < channels,
 * at most HONE_INTEGER_CHANNELS. Weights: as many bytes for each tap, taps rounded up to 4, where
 * `depthwise_place` puts them; depth is not read, sums may be written up to whole blocks. */
#define HONE_INTEGER_CHANNELS 64
typedef void hone_integer_depthwise_function(const hone_integer_tile *tile, size_t rows,
                                             size_t channels);
/* Where the weight of a tap and channel lies among those of its block. */
typedef size_t hone_integer_depthwise_place(size_t tap, size_t channel);

/* Spreads `count` bytes, a multiple of 4, made unsigned, to twice as many (integer_split.h). */
typedef void hone_integer_spread_function(const void *from, size_t count, bool is_signed,
                                          uint8_t *to);

/* One instruction set's tiles, a function for each size, and its finish. */
typedef struct hone_integer_set {
  uint32_t isa;
  hone_integer_spread_function *spread; /* of a set of split panels, else NULL */
  int lanes, panel, height; /* columns in a vector, most vectors in a panel, most rows in a tile */
  hone_integer_tile_function *run[HONE_TILE_MOST_VECTORS + 1][HONE_INTEGER_MOST_ROWS + 1];
  hone_integer_tall_function *run_tall; /* NULL, or in the place of `run`: it multiplies signed bytes as
                                           they are, and nothing is added to them */
  hone_integer_depthwise_function *depthwise;
  hone_integer_depthwise_place *depthwise_place;
  hone_integer_finish_function *finish;
} hone_integer_set;

extern const hone_integer_set hone_integer_plain;
#if defined(__x86_64__)
extern const hone_integer_set hone_integer_amx, hone_integer_avx512vnni, hone_integer_avx2;
#endif
/* Those compiled in, the fastest first, NULL last. */
extern const hone_integer_set *const hone_integer_sets[];

#endif
