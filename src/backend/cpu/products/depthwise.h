/* Convolution in small groups of as many inputs as outputs: depthwise, one filter a channel, and up
 * to a vector of channels. Room: backend/cpu/products. Two rows of the table in conv.h.
 * Depthwise takes and gives bfloat16 too, which it computes with as floats.
 *
 * Vectors run over channels. A tile is up to `pixels` neighbouring output pixels of one line; it
 * reads a window of input pixels through a table of pointers, lines of zeros included, so that
 * borders cost nothing extra. Windows of width 3 and 5 with stride 1 and 2 share loads between
 * neighbouring outputs; every other width, stride and dilation is a window of width 1 that has a
 * line for each tap. Packed weights: [channels / lanes][taps][lanes], zeros beyond the channels.
 *
 * With groups of several channels a vector of outputs needs a vector of inputs for each channel of
 * a group, which repeats that channel in all lanes of its group: one permutation serves all taps of
 * a line. Widths are 3 and 1. Packed weights: [channels / lanes][lines][in channel][width][lanes].
 */
#ifndef HONE_BACKEND_CPU_PRODUCTS_DEPTHWISE_H
#define HONE_BACKEND_CPU_PRODUCTS_DEPTHWISE_H

#include "backend/cpu/products/conv.h"

#define HONE_DEPTHWISE_MOST_PIXELS 7

typedef struct hone_depthwise_tile {
  const void *const *window; /* [lines], `window_step` pointers from line to line */
  size_t lines, window_step;
  size_t channels;      /* from the first of window, weights, bias, out, residual on */
  const float *weights; /* of the first channel's vector */
  size_t weights_step;  /* floats from a vector of channels to the next */
  int group;            /* channels of a group */
  size_t window_offset; /* elements added to each pointer of the window */
  const float *bias;    /* or NULL */
  const void *residual; /* or NULL */
  void *out;
  ptrdiff_t residual_stride, out_stride; /* elements */
  bool residual_bf16, out_bf16;          /* else f32 */
  bool clamp;
  float low, high;
} hone_depthwise_tile;

typedef void hone_depthwise_function(const hone_depthwise_tile *tile);

typedef enum hone_window_kind { /* width and stride */
                                HONE_WINDOW_1,
                                HONE_WINDOW_3_1,
                                HONE_WINDOW_3_2,
                                HONE_WINDOW_5_1,
                                HONE_WINDOW_5_2,
                                HONE_WINDOW_KINDS
} hone_window_kind;

typedef struct hone_depthwise_set {
  int lanes, pixels;
  bool pairs; /* of each `lanes` channels the packed weights have the even ones, then the odd ones */
  hone_narrow_function *narrow;
  hone_depthwise_function *run[HONE_WINDOW_KINDS][HONE_DEPTHWISE_MOST_PIXELS + 1];
  /* The same where the window's pixels are bfloat16. */
  hone_depthwise_function *run_bf16[HONE_WINDOW_KINDS][HONE_DEPTHWISE_MOST_PIXELS + 1];
  /* Groups of several channels: HONE_WINDOW_1 to HONE_WINDOW_3_2. */
  hone_depthwise_function *run_groups[HONE_WINDOW_3_2 + 1][HONE_DEPTHWISE_MOST_PIXELS + 1];
} hone_depthwise_set;

extern const hone_depthwise_set hone_depthwise_plain;
#if defined(__x86_64__)
extern const hone_depthwise_set hone_depthwise_avx512, hone_depthwise_avx2;
extern const hone_depthwise_set hone_depthwise_avx512bf16; /* only of bfloat16 pixels */
#endif

bool hone_depthwise_accepts(const hone_conv *conv);
bool hone_depthwise_bf16_accepts(const hone_conv *conv);
/* Groups of 2 to 4, 8 or 16 channels, powers of 2: as many as a vector of the set has lanes. */
bool hone_groups_accepts_plain(const hone_conv *conv);
bool hone_groups_accepts_avx2(const hone_conv *conv);
bool hone_groups_accepts_avx512(const hone_conv *conv);
size_t hone_depthwise_pack_size(const hone_conv_kernel *kernel, const hone_conv *conv);
void hone_depthwise_pack(const hone_conv_kernel *kernel, const hone_conv *conv,
                         hone_conv_weights weights, float *packed);
hone_status *hone_depthwise_plan(const hone_conv_kernel *kernel, const hone_conv *conv,
                                 const float *packed, hone_arena *arena, hone_kernel_plan *out);

#endif
