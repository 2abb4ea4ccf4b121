/* Depthwise tiles for one instruction set: included by depthwise_*.c with PIXELS (4 or 7) and
 * DEPTHWISE, the set's name, defined. Room: backend/cpu/products. The contract is in depthwise.h.
 */
#include "backend/cpu/products/depthwise.h"
#include "backend/cpu/products/round_body.h"

/* Lane numbers, and x with lane i taken from lane from[i]. */
#if defined(__AVX512F__)
typedef __m512i lane_numbers;
HONE_INLINE vf take_lanes(vf x, lane_numbers from) {
  return _mm512_permutexvar_ps(from, x);
}
#elif defined(__AVX2__)
typedef __m256i lane_numbers;
HONE_INLINE vf take_lanes(vf x, lane_numbers from) {
  return _mm256_permutevar8x32_ps(x, from);
}
#else
typedef vf_bits lane_numbers;
HONE_INLINE vf take_lanes(vf x, lane_numbers from) {
  vf y = x;
  for (int i = 0; i < VF_LANES; i++) y[i] = x[from[i]];
  return y;
}
#endif

/* Each lane's first of its group of `group` lanes, plus `in`. */
HONE_INLINE lane_numbers group_lanes(int group, int in) {
  int32_t number[VF_LANES];
  lane_numbers result;
  for (int i = 0; i < VF_LANES; i++) number[i] = (i & -group) + in;
  memcpy(&result, number, sizeof result);
  return result;
}

HONE_INLINE vf load(const void *at, size_t from, const int rest, const bool bf16) {
  const float *wide = (const float *)at + from;
  const uint16_t *narrow = (const uint16_t *)at + from;
  if (bf16) return rest ? vf_load_bf16_n(narrow, rest) : vf_load_bf16(narrow);
  return rest ? vf_load_n(wide, rest) : vf_load(wide);
}

HONE_INLINE void store(void *at, size_t from, vf x, const int rest, const bool bf16) {
  float *wide = (float *)at + from;
  uint16_t *narrow = (uint16_t *)at + from;
  if (bf16 && rest)
    vf_store_bf16_n(narrow, x, rest);
  else if (bf16)
    vf_store_bf16(narrow, x);
  else if (rest)
    vf_store_n(wide, x, rest);
  else
    vf_store(wide, x);
}

/* One vector of channels from `c` on, or its first `rest` if that is not 0. */
HONE_INLINE void run_vector(const hone_depthwise_tile *tile, size_t c, const int rest,
                            const float *weights, const int pixels, const int width,
                            const int stride, const bool groups, const bool bf16) {
  enum { MOST = (PIXELS - 1) * 2 + 5 };
  const int columns = (pixels - 1) * stride + width;
  vf sum[PIXELS];
  vf start = vf_set(0);
  if (tile->bias) start = rest ? vf_load_n(tile->bias + c, rest) : vf_load(tile->bias + c);
  HONE_UNROLL
  for (int i = 0; i < pixels; i++) sum[i] = start;
  const void *const *window = tile->window;
  lane_numbers from_lanes[VF_LANES];
  for (int in = 0; groups && in < tile->group; in++) from_lanes[in] = group_lanes(tile->group, in);
  size_t from = tile->window_offset + c;
  HONE_NO_UNROLL
  for (size_t line = tile->lines; line; line--, window += tile->window_step) {
    vf x[MOST];
    HONE_UNROLL
    for (int i = 0; i < columns; i++) x[i] = load(window[i], from, rest, bf16);
    HONE_NO_UNROLL
    for (int in = 0; in < (groups ? tile->group : 1); in++) {
      vf y[MOST];
      HONE_UNROLL
      for (int i = 0; i < columns; i++) y[i] = groups ? take_lanes(x[i], from_lanes[in]) : x[i];
      HONE_UNROLL
      for (int k = 0; k < width; k++, weights += VF_LANES) {
        vf weight = vf_load(weights);
        HONE_UNROLL
        for (int i = 0; i < pixels; i++) sum[i] = vf_fma(weight, y[i * stride + k], sum[i]);
      }
    }
  }
  if (tile->residual) {
    HONE_UNROLL
    for (int i = 0; i < pixels; i++) {
      size_t at = (size_t)(i * tile->residual_stride) + c;
      sum[i] = vf_add(sum[i], load(tile->residual, at, rest, tile->residual_bf16));
    }
  }
  if (tile->clamp) {
    HONE_UNROLL
    for (int i = 0; i < pixels; i++)
      sum[i] = vf_clamp(sum[i], vf_set(tile->low), vf_set(tile->high));
  }
  HONE_UNROLL
  for (int i = 0; i < pixels; i++)
    store(tile->out, (size_t)(i * tile->out_stride) + c, sum[i], rest, tile->out_bf16);
}

HONE_INLINE void run_window(const hone_depthwise_tile *shared, const int pixels, const int width,
                            const int stride, const bool groups, const bool bf16) {
  const hone_depthwise_tile copy = *shared, *tile = &copy; /* which no store can change */
  const float *weights = tile->weights;
  size_t c = 0;
  for (; c + VF_LANES <= tile->channels; c += VF_LANES, weights += tile->weights_step)
    run_vector(tile, c, 0, weights, pixels, width, stride, groups, bf16);
  int rest = (int)(tile->channels - c);
  if (rest) run_vector(tile, c, rest, weights, pixels, width, stride, groups, bf16);
}

#define TILE(name, pixels, width, stride, groups, bf16)                               \
  static void name##_##pixels##_##width##_##stride(const hone_depthwise_tile *tile) { \
    run_window(tile, pixels, width, stride, groups, bf16);                            \
  }
#include "backend/cpu/products/depthwise_tiles.h"

TILES(window, 1, 1, false, false)
TILES(window, 3, 1, false, false)
TILES(window, 3, 2, false, false)
TILES(window, 5, 1, false, false)
TILES(window, 5, 2, false, false)
TILES(narrow, 1, 1, false, true)
TILES(narrow, 3, 1, false, true)
TILES(narrow, 3, 2, false, true)
TILES(narrow, 5, 1, false, true)
TILES(narrow, 5, 2, false, true)
TILES(groups, 1, 1, true, false)
TILES(groups, 3, 1, true, false)
TILES(groups, 3, 2, true, false)

const hone_depthwise_set DEPTHWISE = {
    .lanes = VF_LANES,
    .pixels = PIXELS,
    .narrow = narrow,
    .run = {ROW(window, 1, 1), ROW(window, 3, 1), ROW(window, 3, 2), ROW(window, 5, 1),
            ROW(window, 5, 2)},
    .run_bf16 = {ROW(narrow, 1, 1), ROW(narrow, 3, 1), ROW(narrow, 3, 2), ROW(narrow, 5, 1),
                 ROW(narrow, 5, 2)},
    .run_groups = {ROW(groups, 1, 1), ROW(groups, 3, 1), ROW(groups, 3, 2)}};
