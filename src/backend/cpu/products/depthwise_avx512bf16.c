/* Depthwise tiles of bfloat16 for AVX-512: two vectors of channels at a time.
 * Room: backend/cpu/products.
 *
 * 32 channels are one load, of which a shift makes floats of the even ones and a mask of the odd ones;
 * the sums are rounded and put in order again together. Packed weights: [channels / 32][taps][16 even,
 * 16 odd]. Each output is the same sum, in the same order, as in depthwise_body.h. */
#include "backend/cpu/products/depthwise.h"
#include "backend/cpu/products/round_body.h"

#define PIXELS 7

enum { PAIRS = 2 * VF_LANES };

typedef struct pair {
  vf even, odd;
} pair;

HONE_INLINE __mmask32 first_of(int count) {
  return (__mmask32)(UINT32_MAX >> (PAIRS - count));
}

HONE_INLINE pair load_low(const uint16_t *from, const bool part, __mmask32 mask) {
  __m512i x = part ? _mm512_maskz_loadu_epi16(mask, from) : _mm512_loadu_si512(from);
  return (pair){_mm512_castsi512_ps(_mm512_slli_epi32(x, 16)),
                _mm512_castsi512_ps(_mm512_and_si512(x, _mm512_set1_epi32((int)0xffff0000)))};
}

/* Channels 2 i, or 2 i + 1, of two vectors; and back: lane i is channel i / 2 of one of the two. */
HONE_INLINE __m512i every_other(int first) {
  int32_t from[VF_LANES];
  for (int i = 0; i < VF_LANES; i++) from[i] = 2 * i + first;
  return _mm512_loadu_si512(from);
}
HONE_INLINE __m512i one_of_each(int first) {
  int32_t from[VF_LANES];
  for (int i = 0; i < VF_LANES; i++) from[i] = i % 2 * VF_LANES + i / 2 + first;
  return _mm512_loadu_si512(from);
}

HONE_INLINE vf load_part(const float *from, const bool part, __mmask16 mask) {
  return part ? _mm512_maskz_loadu_ps(mask, from) : vf_load(from);
}

HONE_INLINE pair load_wide(const float *from, const bool part, __mmask32 mask) {
  vf a = load_part(from, part, (__mmask16)mask);
  vf b = load_part(from + VF_LANES, part, (__mmask16)(mask >> VF_LANES));
  return (pair){_mm512_permutex2var_ps(a, every_other(0), b),
                _mm512_permutex2var_ps(a, every_other(1), b)};
}

HONE_INLINE void store_low(uint16_t *to, pair x, const bool part, __mmask32 mask) {
  uint16_t from[PAIRS];
  for (int i = 0; i < PAIRS; i++) from[i] = (uint16_t)(i % 2 * VF_LANES + i / 2);
  __m512i y = (__m512i)_mm512_cvtne2ps_pbh(x.odd, x.even);
  y = _mm512_permutexvar_epi16(_mm512_loadu_si512(from), y);
  if (part)
    _mm512_mask_storeu_epi16(to, mask, y);
  else
    _mm512_storeu_si512(to, y);
}

HONE_INLINE void store_wide(float *to, pair x, __mmask32 mask) {
  vf a = _mm512_permutex2var_ps(x.even, one_of_each(0), x.odd);
  vf b = _mm512_permutex2var_ps(x.even, one_of_each(VF_LANES / 2), x.odd);
  _mm512_mask_storeu_ps(to, (__mmask16)mask, a);
  _mm512_mask_storeu_ps(to + VF_LANES, (__mmask16)(mask >> VF_LANES), b);
}

HONE_INLINE pair add(pair a, pair b) {
  return (pair){vf_add(a.even, b.even), vf_add(a.odd, b.odd)};
}

/* 32 channels from `c` on, or with `part` those in the mask. */
HONE_INLINE void run_pairs(const hone_depthwise_tile *tile, size_t c, const bool part,
                           __mmask32 mask, const float *weights, const int pixels, const int width,
                           const int stride) {
  const int columns = (pixels - 1) * stride + width;
  pair sum[PIXELS], start = {vf_set(0), vf_set(0)};
  if (tile->bias) start = load_wide(tile->bias + c, part, mask);
  HONE_UNROLL
  for (int i = 0; i < pixels; i++) sum[i] = start;
  const void *const *window = tile->window;
  size_t from = tile->window_offset + c;
  HONE_NO_UNROLL
  for (size_t line = tile->lines; line; line--, window += tile->window_step, weights += width * PAIRS) {
    pair weight[5];
    HONE_UNROLL
    for (int k = 0; k < width; k++)
      weight[k] = (pair){vf_load(weights + k * PAIRS), vf_load(weights + k * PAIRS + VF_LANES)};
    HONE_UNROLL
    for (int column = 0; column < columns; column++) {
      pair x = load_low((const uint16_t *)window[column] + from, part, mask);
      HONE_UNROLL
      for (int k = 0; k < width; k++) {
        const int i = (column - k) / stride;
        if (column < k || (column - k) % stride || i >= pixels) continue;
        sum[i] = (pair){vf_fma(weight[k].even, x.even, sum[i].even),
                        vf_fma(weight[k].odd, x.odd, sum[i].odd)};
      }
    }
  }
  if (tile->residual) {
    HONE_UNROLL
    for (int i = 0; i < pixels; i++) {
      size_t at = (size_t)(i * tile->residual_stride) + c;
      if (tile->residual_bf16)
        sum[i] = add(sum[i], load_low((const uint16_t *)tile->residual + at, part, mask));
      else
        sum[i] = add(sum[i], load_wide((const float *)tile->residual + at, part, mask));
    }
  }
  if (tile->clamp) {
    vf low = vf_set(tile->low), high = vf_set(tile->high);
    HONE_UNROLL
    for (int i = 0; i < pixels; i++)
      sum[i] = (pair){vf_clamp(sum[i].even, low, high), vf_clamp(sum[i].odd, low, high)};
  }
  HONE_UNROLL
  for (int i = 0; i < pixels; i++) {
    size_t at = (size_t)(i * tile->out_stride) + c;
    if (tile->out_bf16)
      store_low((uint16_t *)tile->out + at, sum[i], part, mask);
    else
      store_wide((float *)tile->out + at, sum[i], mask);
  }
}

HONE_INLINE void run_window(const hone_depthwise_tile *shared, const int pixels, const int width,
                            const int stride) {
  const hone_depthwise_tile copy = *shared, *tile = &copy; /* which no store can change */
  const float *weights = tile->weights;
  size_t c = 0;
  for (; c + PAIRS <= tile->channels; c += PAIRS, weights += tile->weights_step)
    run_pairs(tile, c, false, UINT32_MAX, weights, pixels, width, stride);
  int rest = (int)(tile->channels - c);
  if (rest) run_pairs(tile, c, true, first_of(rest), weights, pixels, width, stride);
}

#define TILE(name, pixels, width, stride)                                             \
  static void name##_##pixels##_##width##_##stride(const hone_depthwise_tile *tile) { \
    run_window(tile, pixels, width, stride);                                          \
  }
#include "backend/cpu/products/depthwise_tiles.h"

TILES(pairs, 1, 1)
TILES(pairs, 3, 1)
TILES(pairs, 3, 2)
TILES(pairs, 5, 1)
TILES(pairs, 5, 2)

const hone_depthwise_set hone_depthwise_avx512bf16 = {
    .lanes = PAIRS,
    .pixels = PIXELS,
    .pairs = true,
    .narrow = narrow,
    .run_bf16 = {ROW(pairs, 1, 1), ROW(pairs, 3, 1), ROW(pairs, 3, 2), ROW(pairs, 5, 1),
                 ROW(pairs, 5, 2)}};
