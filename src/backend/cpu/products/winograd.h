/* Winograd's minimal filtering for 3x3 kernels with stride 1 and 2.
 * Room: backend/cpu/products. Rows of the table
 * in conv.h: conv_winograd2 makes 2x2 outputs of 4x4 inputs by 16 products, conv_winograd4 makes
 * 4x4 of 6x6 by 36, for each pair of channels. Lavin and Gray, "Fast algorithms for convolutional
 * neural networks", 2015; points 0, 1, -1 (, 2, -2) and infinity.
 *
 * With stride 2 a line's even pixels meet the filter's first and last weight, at stride 1, its odd ones
 * only the middle weight: minimal filtering of 2 taps (points 0, 1 (, -1, 2) and infinity) beside
 * plain products. conv_winograd2_strided makes 2x2 outputs of 5x5 inputs by 25 products instead of 36,
 * conv_winograd4_strided 4x4 of 9x9 by 81 instead of 144. All odd points share the middle weight.
 *
 * Input tiles are transformed into `points` matrices [tile][channel], each is multiplied by its
 * matrix of transformed weights, and the products are transformed back. Packed weights: the
 * matrices one after the other, each as hone_pack_weights packs it; transformed in f64.
 * Tensors of bfloat16 are taken and given too; the arithmetic is in f32 all the same. But for
 * conv_winograd2_bf16, which rounds the points of both operands and multiplies those.
 */
#ifndef HONE_BACKEND_CPU_PRODUCTS_WINOGRAD_H
#define HONE_BACKEND_CPU_PRODUCTS_WINOGRAD_H

#include "backend/cpu/products/conv.h"

#define HONE_WINOGRAD_MOST_SIDE   9
#define HONE_WINOGRAD_MOST_POINTS 81

/* One output tile on its way out: `rows` x `columns` pixels of it exist. */
typedef struct hone_winograd_output {
  const float *products; /* of matrix 0; `step` floats to the next */
  size_t step;
  size_t channels;
  float *out;
  ptrdiff_t out_line, out_stride; /* floats to the next line and pixel */
  const float *bias;              /* or NULL */
  const float *residual;          /* or NULL */
  ptrdiff_t residual_line, residual_stride;
  size_t rows, columns;
  bool clamp;
  float low, high;
} hone_winograd_output;

/* One input tile: pixels[row * side + column] each `channels` of them, into v + matrix * step, floats
 * or bfloat16. */
typedef void hone_winograd_in(const void *const *pixels, size_t channels, void *v, size_t step);
typedef void hone_winograd_out(const hone_winograd_output *output);

typedef struct hone_winograd_set {
  size_t outputs, side; /* pixels along a tile's edge: m, and what they are made of */
  size_t stride;
  size_t kinds; /* along an edge, points of weights of their own; those after them have the last's */
  int lanes;
  hone_winograd_in *in, *in_bf16; /* of pixels that are floats, and bfloat16 */
  hone_winograd_out *out;
  hone_narrow_function *narrow;
  hone_widen_function *widen;
} hone_winograd_set;

extern const hone_winograd_set hone_winograd2_plain, hone_winograd4_plain;
extern const hone_winograd_set hone_winograd2_strided_plain, hone_winograd4_strided_plain;
extern const hone_winograd_set hone_winograd2_bf16_plain;
#if defined(__x86_64__)
extern const hone_winograd_set hone_winograd2_avx512, hone_winograd4_avx512;
extern const hone_winograd_set hone_winograd2_avx2, hone_winograd4_avx2;
extern const hone_winograd_set hone_winograd2_strided_avx512, hone_winograd4_strided_avx512;
extern const hone_winograd_set hone_winograd2_strided_avx2, hone_winograd4_strided_avx2;
extern const hone_winograd_set hone_winograd2_bf16_avx512bf16;
#endif

bool hone_winograd_accepts(const hone_conv *conv);
bool hone_winograd_strided_accepts(const hone_conv *conv);
bool hone_winograd_bf16_accepts(const hone_conv *conv);
size_t hone_winograd_pack_size(const hone_conv_kernel *kernel, const hone_conv *conv);
void hone_winograd_pack(const hone_conv_kernel *kernel, const hone_conv *conv,
                        hone_conv_weights weights, float *packed);
/* The largest error of an output channel, max|y - exact| / max|exact|, on these weights and numbers
 * of -1..1: what says whether the algorithm is used for them (docs/numerics.md). */
double hone_winograd_error(const hone_conv_kernel *kernel, const hone_conv *conv,
                           hone_conv_weights weights);
#define HONE_WINOGRAD_ERROR      3e-5
#define HONE_WINOGRAD_ERROR_BF16 1e-2
hone_status *hone_winograd_plan(const hone_conv_kernel *kernel, const hone_conv *conv,
                                const float *packed, hone_arena *arena, hone_kernel_plan *out);

#endif
