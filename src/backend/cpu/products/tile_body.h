/* The tiles of one instruction set and operand type. The contract is in tile.h.
 * Room: backend/cpu/products.
 *
 * Included with HEIGHT and PANEL defined and with: `operand`, what one row gives to a step of
 * depth; `weight_vector` and load_weights(p), a step's weights of VF_LANES columns, VF_LANES
 * operands wide; MULTIPLY_ADD(sum, weight, operand).
 *
 * Loops over rows and vectors are unrolled fully, or the accumulators would live in memory. */
typedef vf sums[HEIGHT][PANEL];

HONE_INLINE void add_bias(sums sum, const hone_tile *tile, const int height, const int vectors) {
  HONE_UNROLL
  for (int j = 0; j < vectors; j++) {
    const float *bias = tile->bias + j * VF_LANES;
    vf add = j < vectors - 1 ? vf_load(bias) : vf_load_n(bias, tile->tail);
    HONE_UNROLL
    for (int i = 0; i < height; i++) sum[i][j] = vf_add(sum[i][j], add);
  }
}

HONE_INLINE void add_residual(sums sum, const hone_tile *tile, const int height,
                              const int vectors) {
  HONE_UNROLL
  for (int i = 0; i < height; i++) {
    const float *residual = tile->residual + i * tile->residual_stride;
    HONE_UNROLL
    for (int j = 0; j < vectors; j++) {
      const float *p = residual + j * VF_LANES;
      sum[i][j] = vf_add(sum[i][j], j < vectors - 1 ? vf_load(p) : vf_load_n(p, tile->tail));
    }
  }
}

HONE_INLINE void limit(sums sum, const hone_tile *tile, const int height, const int vectors) {
  vf low = vf_set(tile->low), high = vf_set(tile->high);
  HONE_UNROLL
  for (int i = 0; i < height; i++) {
    HONE_UNROLL
    for (int j = 0; j < vectors; j++) sum[i][j] = vf_clamp(sum[i][j], low, high);
  }
}

HONE_INLINE void store(sums sum, const hone_tile *tile, const int height, const int vectors) {
  HONE_UNROLL
  for (int i = 0; i < height; i++) {
    float *out = tile->out + i * tile->out_stride;
    HONE_UNROLL
    for (int j = 0; j < vectors; j++) {
      if (j < vectors - 1 || tile->tail == VF_LANES)
        vf_store(out + j * VF_LANES, sum[i][j]);
      else
        vf_store_n(out + j * VF_LANES, sum[i][j], tile->tail);
    }
  }
}

HONE_INLINE void run_tile(const hone_tile *tile, const int height, const int vectors) {
  sums sum;
  HONE_UNROLL
  for (int i = 0; i < height; i++) {
    HONE_UNROLL
    for (int j = 0; j < vectors; j++) sum[i][j] = vf_set(0);
  }

  const operand *weights = tile->weights;
  const void *const *rows = tile->rows;
  size_t depth = tile->depth / (sizeof(operand) / OPERAND_BYTES);
  for (size_t taps = tile->taps; taps; taps--, rows += HONE_TILE_ROWS) {
    const operand *row[HEIGHT];
    HONE_UNROLL
    for (int i = 0; i < height; i++)
      row[i] = (const operand *)((const char *)rows[i] + tile->rows_offset);
    HONE_NO_UNROLL
    for (size_t k = 0; k < depth; k++, weights += vectors * VF_LANES) {
      weight_vector weight[PANEL];
      HONE_UNROLL
      for (int j = 0; j < vectors; j++) weight[j] = load_weights(weights + j * VF_LANES);
      HONE_UNROLL
      for (int i = 0; i < height; i++) {
        HONE_UNROLL
        for (int j = 0; j < vectors; j++) MULTIPLY_ADD(sum[i][j], weight[j], row[i][k]);
      }
    }
  }

  if (tile->bias) add_bias(sum, tile, height, vectors);
  if (tile->residual) add_residual(sum, tile, height, vectors);
  if (tile->clamp) limit(sum, tile, height, vectors);
  store(sum, tile, height, vectors);
}

#define TILE(height, vectors)                                    \
  static void tile_##height##x##vectors(const hone_tile *tile) { \
    run_tile(tile, height, vectors);                             \
  }
