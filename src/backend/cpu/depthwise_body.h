/* Depthwise tiles for one instruction set: included by depthwise_*.c with PIXELS defined.
 * Room: backend/cpu. The contract is in depthwise.h. */
#include "backend/cpu/depthwise.h"
#include "backend/cpu/simd.h"

HONE_INLINE vf load_pixel(const float *pixel, size_t from, const int rest) {
  return rest ? vf_load_n(pixel + from, rest) : vf_load(pixel + from);
}

/* One vector of channels from `c` on, or its first `rest` if that is not 0. */
HONE_INLINE void run_vector(const hone_depthwise_tile *tile, size_t c, const int rest,
                            const float *weights, const int pixels, const int width,
                            const int stride) {
  enum { MOST = (PIXELS - 1) * 2 + 5 };
  const int columns = (pixels - 1) * stride + width;
  vf sum[PIXELS];
  vf start = vf_set(0);
  if (tile->bias) start = rest ? vf_load_n(tile->bias + c, rest) : vf_load(tile->bias + c);
  HONE_UNROLL
  for (int i = 0; i < pixels; i++) sum[i] = start;
  const void *const *window = tile->window;
  size_t from = tile->window_offset + c;
  HONE_NO_UNROLL
  for (size_t line = tile->lines; line; line--, window += tile->window_step) {
    vf x[MOST];
    HONE_UNROLL
    for (int i = 0; i < columns; i++) x[i] = load_pixel(window[i], from, rest);
    HONE_UNROLL
    for (int k = 0; k < width; k++, weights += VF_LANES) {
      vf weight = vf_load(weights);
      HONE_UNROLL
      for (int i = 0; i < pixels; i++) sum[i] = vf_fma(weight, x[i * stride + k], sum[i]);
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
                            const int stride) {
  const hone_depthwise_tile copy = *shared, *tile = &copy; /* which no store can change */
  const float *weights = tile->weights;
  size_t c = 0;
  for (; c + VF_LANES <= tile->channels; c += VF_LANES, weights += tile->weights_step)
    run_vector(tile, c, 0, weights, pixels, width, stride);
  int rest = (int)(tile->channels - c);
  if (rest) run_vector(tile, c, rest, weights, pixels, width, stride);
}

#define WINDOW(pixels, width, stride)                                                 \
  static void window_##pixels##_##width##_##stride(const hone_depthwise_tile *tile) { \
    run_window(tile, pixels, width, stride);                                          \
  }
