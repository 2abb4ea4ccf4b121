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

/* One vector of a row; the first `count` of it only, where that is not all. */
HONE_INLINE vf load_f32(const float *p, int count) {
  return count == VF_LANES ? vf_load(p) : vf_load_n(p, count);
}
HONE_INLINE vf load_bf16(const uint16_t *p, int count) {
  return count == VF_LANES ? vf_load_bf16(p) : vf_load_bf16_n(p, count);
}
HONE_INLINE void store_f32(float *p, vf x, int count) {
  if (count == VF_LANES)
    vf_store(p, x);
  else
    vf_store_n(p, x, count);
}
HONE_INLINE void store_bf16(uint16_t *p, vf x, int count) {
  if (count == VF_LANES)
    vf_store_bf16(p, x);
  else
    vf_store_bf16_n(p, x, count);
}

/* For each vector of a tile: `p` points at its elements, `count` says how many exist. */
#define EACH_VECTOR(type, start, stride, act)                    \
  HONE_UNROLL                                                    \
  for (int i = 0; i < height; i++) {                             \
    type row = (start) + i * (stride);                           \
    HONE_UNROLL                                                  \
    for (int j = 0; j < vectors; j++) {                          \
      const int count = j < vectors - 1 ? VF_LANES : tile->tail; \
      type p = row + j * VF_LANES;                               \
      act;                                                       \
    }                                                            \
  }

HONE_INLINE void add_residual(sums sum, const hone_tile *tile, const int height, const int vectors){
    EACH_VECTOR(const float *, tile->residual, tile->residual_stride,
                sum[i][j] = vf_add(sum[i][j], load_f32(p, count)))}

HONE_INLINE
    void add_residual_bf16(sums sum, const hone_tile *tile, const int height, const int vectors){
        EACH_VECTOR(const uint16_t *, tile->residual_bf16, tile->residual_stride,
                    sum[i][j] = vf_add(sum[i][j], load_bf16(p, count)))}

HONE_INLINE void limit(sums sum, const hone_tile *tile, const int height, const int vectors) {
  vf low = vf_set(tile->low), high = vf_set(tile->high);
  HONE_UNROLL
  for (int i = 0; i < height; i++) {
    HONE_UNROLL
    for (int j = 0; j < vectors; j++) sum[i][j] = vf_clamp(sum[i][j], low, high);
  }
}

HONE_INLINE void store(sums sum, const hone_tile *tile, const int height, const int vectors){
    EACH_VECTOR(float *, tile->out, tile->out_stride, store_f32(p, sum[i][j], count))}

HONE_INLINE
    void store_rounded(sums sum, const hone_tile *tile, const int height, const int vectors){
        EACH_VECTOR(uint16_t *, tile->out_bf16, tile->out_stride, store_bf16(p, sum[i][j], count))}

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

  if (tile->bias) add_bias(sum, tile, height, vectors);
  if (tile->residual) add_residual(sum, tile, height, vectors);
  if (tile->residual_bf16) add_residual_bf16(sum, tile, height, vectors);
  if (tile->clamp) limit(sum, tile, height, vectors);
  if (tile->out_bf16)
    store_rounded(sum, tile, height, vectors);
  else
    store(sum, tile, height, vectors);
}

#define TILE(height, vectors)                                    \
  static void tile_##height##x##vectors(const hone_tile *tile) { \
    run_tile(tile, height, vectors);                             \
  }
