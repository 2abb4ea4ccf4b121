/* Depthwise tiles for one instruction set: included by depthwise_*.c with PIXELS (4 or 7) and
 * DEPTHWISE, the set's name, defined. Room: backend/cpu/products. The contract is in depthwise.h.
 */
#include "backend/cpu/products/depthwise.h"
#include "backend/cpu/simd/simd.h"

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

HONE_INLINE vf load_pixel(const float *pixel, size_t from, const int rest) {
  return rest ? vf_load_n(pixel + from, rest) : vf_load(pixel + from);
}

/* One vector of channels from `c` on, or its first `rest` if that is not 0. */
HONE_INLINE void run_vector(const hone_depthwise_tile *tile, size_t c, const int rest,
                            const float *weights, const int pixels, const int width,
                            const int stride, const bool groups) {
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
    for (int i = 0; i < columns; i++) x[i] = load_pixel(window[i], from, rest);
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
      const float *residual = tile->residual + i * tile->residual_stride + c;
      sum[i] = vf_add(sum[i], rest ? vf_load_n(residual, rest) : vf_load(residual));
    }
  }
  if (tile->clamp) {
    HONE_UNROLL
    for (int i = 0; i < pixels; i++)
      sum[i] = vf_clamp(sum[i], vf_set(tile->low), vf_set(tile->high));
  }
  float *out = tile->out + c;
  HONE_UNROLL
  for (int i = 0; i < pixels; i++, out += tile->out_stride) {
    if (rest)
      vf_store_n(out, sum[i], rest);
    else
      vf_store(out, sum[i]);
  }
}

HONE_INLINE void run_window(const hone_depthwise_tile *shared, const int pixels, const int width,
                            const int stride, const bool groups) {
  const hone_depthwise_tile copy = *shared, *tile = &copy; /* which no store can change */
  const float *weights = tile->weights;
  size_t c = 0;
  for (; c + VF_LANES <= tile->channels; c += VF_LANES, weights += tile->weights_step)
    run_vector(tile, c, 0, weights, pixels, width, stride, groups);
  int rest = (int)(tile->channels - c);
  if (rest) run_vector(tile, c, rest, weights, pixels, width, stride, groups);
}

#define TILE(name, pixels, width, stride, groups)                                     \
  static void name##_##pixels##_##width##_##stride(const hone_depthwise_tile *tile) { \
    run_window(tile, pixels, width, stride, groups);                                  \
  }
#if PIXELS == 4
#define TILES(name, width, stride, groups) \
  TILE(name, 1, width, stride, groups)     \
  TILE(name, 2, width, stride, groups)     \
  TILE(name, 3, width, stride, groups) TILE(name, 4, width, stride, groups)
#define ROW(name, width, stride)                                                                 \
  {                                                                                              \
    NULL, name##_1_##width##_##stride, name##_2_##width##_##stride, name##_3_##width##_##stride, \
        name##_4_##width##_##stride                                                              \
  }
#else
#define TILES(name, width, stride, groups)                                  \
  TILE(name, 1, width, stride, groups)                                      \
  TILE(name, 2, width, stride, groups)                                      \
  TILE(name, 3, width, stride, groups)                                      \
  TILE(name, 4, width, stride, groups)                                      \
  TILE(name, 5, width, stride, groups) TILE(name, 6, width, stride, groups) \
      TILE(name, 7, width, stride, groups)
#define ROW(name, width, stride)                                                                 \
  {                                                                                              \
    NULL, name##_1_##width##_##stride, name##_2_##width##_##stride, name##_3_##width##_##stride, \
        name##_4_##width##_##stride, name##_5_##width##_##stride, name##_6_##width##_##stride,   \
        name##_7_##width##_##stride                                                              \
  }
#endif

TILES(window, 1, 1, false)
TILES(window, 3, 1, false)
TILES(window, 3, 2, false)
TILES(window, 5, 1, false)
TILES(window, 5, 2, false)
TILES(groups, 1, 1, true)
TILES(groups, 3, 1, true)
TILES(groups, 3, 2, true)

const hone_depthwise_set DEPTHWISE = {
    .lanes = VF_LANES,
    .pixels = PIXELS,
    .run = {ROW(window, 1, 1), ROW(window, 3, 1), ROW(window, 3, 2), ROW(window, 5, 1),
            ROW(window, 5, 2)},
    .run_groups = {ROW(groups, 1, 1), ROW(groups, 3, 1), ROW(groups, 3, 2)}};
