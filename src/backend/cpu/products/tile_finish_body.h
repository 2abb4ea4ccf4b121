/* What becomes of sums in registers before they are stored: the finish of hone_tile.
 * Room: backend/cpu/products. Included with HEIGHT and PANEL defined, the most rows and vectors. */
#include "backend/cpu/products/round_body.h"
#include "backend/cpu/products/tile.h"

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

HONE_INLINE void finish_tile(sums sum, const hone_tile *tile, const int height, const int vectors) {
  if (tile->bias) add_bias(sum, tile, height, vectors);
  if (tile->residual) add_residual(sum, tile, height, vectors);
  if (tile->residual_bf16) add_residual_bf16(sum, tile, height, vectors);
  if (tile->clamp) limit(sum, tile, height, vectors);
  if (tile->out_bf16)
    store_rounded(sum, tile, height, vectors);
  else
    store(sum, tile, height, vectors);
}
