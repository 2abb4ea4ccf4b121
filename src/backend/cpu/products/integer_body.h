/* Integer tiles for one instruction set: included by integer_*.c with HEIGHT and PANEL defined, and with
 * SPLIT for panels of integer_split.h. Room: backend/cpu/products. The contract is in integer_tile.h.
 *
 * Loops over rows and vectors are unrolled fully, or the sums would live in memory. */
#include "backend/cpu/products/integer_vectors_body.h"

typedef vi tile_sums[HEIGHT][PANEL];

HONE_INLINE void store_sums(tile_sums sum, const hone_integer_tile *tile, const int height,
                            const int vectors) {
  HONE_UNROLL
  for (int i = 0; i < height; i++) {
    HONE_UNROLL
    for (int j = 0; j < vectors; j++)
      vi_store(tile->sums + (size_t)i * tile->sums_stride + j * VF_LANES, sum[i][j]);
  }
}

#if defined(SPLIT)
HONE_INLINE row_vector load_place(const void *row, size_t place) {
  return load_row((const quad *)(const void *)((const char *)row + place), false);
}

/* Of a split panel; the next panel is fetched meanwhile. */
HONE_INLINE void run_split(const hone_integer_tile *tile, const int height, const int vectors) {
  tile_sums sum;
  const char *row[HEIGHT];
  const int8_t *weights = tile->weights;
  const uint32_t *places = tile->places;
  const __m256i ones = _mm256_set1_epi16(1);
  size_t steps = tile->depth / sizeof(quad), ahead = steps * (size_t)(vectors * VF_LANES) * 4;
  HONE_UNROLL
  for (int i = 0; i < height; i++) {
    row[i] = tile->rows[i];
    HONE_UNROLL
    for (int j = 0; j < vectors; j++) sum[i][j] = vi_load(tile->start + j * VF_LANES);
  }
  HONE_NO_UNROLL
  for (; steps; steps--, places += vectors) {
    _mm_prefetch(weights + ahead, _MM_HINT_T1);
    HONE_UNROLL
    for (int j = 0; j < vectors; j++, weights += VF_LANES * (int)sizeof(quad)) {
      weight_vector weight = load_weights(weights);
      HONE_UNROLL
      for (int i = 0; i < height; i++)
        MULTIPLY_ADD(sum[i][j], weight, load_place(row[i], places[j]));
    }
  }
  store_sums(sum, tile, height, vectors);
}

#define TILE(height, vectors)                                            \
  static void tile_##height##x##vectors(const hone_integer_tile *tile) { \
    run_split(tile, height, vectors);                                    \
  }
#else
HONE_INLINE void run_depth(const hone_integer_tile *tile, const int height, const int vectors,
                           const bool is_signed) {
  tile_sums sum;
  HONE_UNROLL
  for (int j = 0; j < vectors; j++) {
    vi start = vi_load(tile->start + j * VF_LANES);
    HONE_UNROLL
    for (int i = 0; i < height; i++) sum[i][j] = start;
  }
  const int8_t *weights = tile->weights;
  const void *const *rows = tile->rows;
  size_t depth = tile->depth / sizeof(quad);
  for (size_t taps = tile->taps; taps; taps--, rows += HONE_TILE_ROWS) {
    const quad *row[HEIGHT];
    HONE_UNROLL
    for (int i = 0; i < height; i++)
      row[i] = (const quad *)((const char *)rows[i] + tile->rows_offset);
    HONE_NO_UNROLL
    for (size_t k = 0; k < depth; k++, weights += vectors * VF_LANES * (int)sizeof(quad)) {
      weight_vector weight[PANEL];
      HONE_UNROLL
      for (int j = 0; j < vectors; j++)
        weight[j] = load_weights(weights + j * VF_LANES * (int)sizeof(quad));
      HONE_UNROLL
      for (int i = 0; i < height; i++) {
        row_vector x = load_row(row[i] + k, is_signed);
        HONE_UNROLL
        for (int j = 0; j < vectors; j++) MULTIPLY_ADD(sum[i][j], weight[j], x);
      }
    }
  }
  store_sums(sum, tile, height, vectors);
}

#define TILE(height, vectors)                                            \
  static void tile_##height##x##vectors(const hone_integer_tile *tile) { \
    if (tile->is_signed)                                                 \
      run_depth(tile, height, vectors, true);                            \
    else                                                                 \
      run_depth(tile, height, vectors, false);                           \
  }
#endif
