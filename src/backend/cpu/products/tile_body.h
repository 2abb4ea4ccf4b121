/* The tiles of one instruction set and operand type. The contract is in tile.h.
 * Room: backend/cpu/products.
 *
 * Included with HEIGHT and PANEL defined and with: `operand`, what one row gives to a step of
 * depth; `weight_vector` and load_weights(p), a step's weights of VF_LANES columns, VF_LANES
 * operands wide; MULTIPLY_ADD(sum, weight, operand).
 *
 * Loops over rows and vectors are unrolled fully, or the accumulators would live in memory. */
#include "backend/cpu/products/tile_finish_body.h"

HONE_INLINE void run_tile(const hone_tile *tile, const int height, const int vectors) {
  sums sum;
  HONE_UNROLL
  for (int i = 0; i < height; i++) {
    HONE_UNROLL
    for (int j = 0; j < vectors; j++) sum[i][j] = vf_set(0);
  }

  const operand *weights = tile->weights;
  const void *const *rows = tile->rows;
  const size_t ahead = tile->ahead;
  size_t depth = tile->depth / (sizeof(operand) / OPERAND_BYTES);
  for (size_t taps = tile->taps; taps; taps--, rows += HONE_TILE_ROWS) {
    const operand *row[HEIGHT];
    HONE_UNROLL
    for (int i = 0; i < height; i++)
      row[i] = (const operand *)((const char *)rows[i] + tile->rows_offset);
    HONE_NO_UNROLL
    for (size_t k = 0; k < depth; k++, weights += vectors * VF_LANES) {
      weight_vector weight[PANEL];
      __builtin_prefetch((const char *)weights + ahead, 0, 2);
      HONE_UNROLL
      for (int j = 0; j < vectors; j++) weight[j] = load_weights(weights + j * VF_LANES);
      HONE_UNROLL
      for (int i = 0; i < height; i++) {
        HONE_UNROLL
        for (int j = 0; j < vectors; j++) MULTIPLY_ADD(sum[i][j], weight[j], row[i][k]);
      }
    }
  }

  finish_tile(sum, tile, height, vectors);
}

#define TILE(height, vectors)                                    \
  static void tile_##height##x##vectors(const hone_tile *tile) { \
    run_tile(tile, height, vectors);                             \
  }
