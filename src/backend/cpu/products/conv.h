/* Convolution of 1, 2 or 3 dimensions, channels last, fp32 and bfloat16.
 * Room: backend/cpu/products.
 *
 *   y[n][o][m] = finish(sum over taps t and channels c of m's group of
 *                       x[n][o * stride - pad + t * dilation][c] * w[m][c][t])
 *
 * with zeros outside of x. A pixel's channels are contiguous; pixels follow one another in the
 * order (n, depth, height, width) at a pixel stride, so that x and y may be slices of wider
 * tensors. Nothing beyond a pixel's channels is read or written.
 *
 * One row of hone_conv_kernels is one algorithm on one instruction set. Its life: accepts (at
 * build), pack_size and pack (at build), plan (when sizes are met), the phases (at run).
 */
#ifndef HONE_BACKEND_CPU_PRODUCTS_CONV_H
#define HONE_BACKEND_CPU_PRODUCTS_CONV_H

#include "backend/cpu/products/finish.h"
#include "backend/cpu/products/sweep.h"
#include "base/memory.h"
#include "base/status.h"

enum { HONE_CONV_DEPTH, HONE_CONV_HEIGHT, HONE_CONV_WIDTH, HONE_CONV_DIMENSIONS };

typedef struct hone_conv {
  /* Known at build. Dimensions that the convolution does not have come first: kernel, stride,
   * dilation and sizes 1, pad 0. Kernel, stride and dilation are at least 1; groups divides both
   * channel counts; channel counts are at least 1. */
  size_t kernel[HONE_CONV_DIMENSIONS], stride[HONE_CONV_DIMENSIONS];
  size_t dilation[HONE_CONV_DIMENSIONS];
  size_t groups, in_channels, out_channels; /* of all groups together */
  bool bf16;     /* products of bfloat16, weights rounded when packed, sums in float */
  bool x_bf16;   /* x is bfloat16, otherwise f32; few kernels of f32 products accept it */
  bool y_bf16;   /* the same of y, known at plan; of conv_transpose never */
  bool x_planar; /* x is [n][channel][depth][height][width], contiguous; few kernels accept it */
  /* Known at plan. */
  size_t batch, in[HONE_CONV_DIMENSIONS], out[HONE_CONV_DIMENSIONS];
  ptrdiff_t pad[HONE_CONV_DIMENSIONS]; /* before the first pixel; negative crops */
  int x, y;                            /* indices into io->in and io->out */
  int gate; /* of io->in: what scales x, a number a channel; 0: nothing. Few kernels take it */
  ptrdiff_t gate_stride; /* floats from picture to picture */
  ptrdiff_t x_stride, y_stride;        /* elements from pixel to pixel */
  int threads;                         /* most parts at run; only the blocking depends on it */
  size_t scratch_weights; /* bytes of packed weights at the start of the shared scratch, where plan
                             gets none: depthwise, gemm, direct and transposed kernels of f32 only */
  hone_finish finish;                  /* rows are output pixels */
} hone_conv;

/* Where element (out channel m of all, in channel c of the group, tap t) of the weights is; taps
 * are counted in the order depth, height, width. ONNX's [M][C/g][taps]: {C/g * taps, taps, 1}. */
typedef struct hone_conv_weights {
  const float *data;
  ptrdiff_t out_channel, in_channel, tap;
} hone_conv_weights;

typedef struct hone_conv_kernel hone_conv_kernel;
struct hone_conv_kernel {
  const char *name; /* algorithm_isa, unique */
  uint32_t isa;
  const hone_tile_set *tiles;             /* NULL where the algorithm has none */
  const void *functions;                  /* what else the algorithm's variants differ in */
  bool (*accepts)(const hone_conv *conv); /* looks only at what is known at build */
  /* Floats that the packed weights take; 0: too large. */
  size_t (*pack_size)(const hone_conv_kernel *kernel, const hone_conv *conv);
  void (*pack)(const hone_conv_kernel *kernel, const hone_conv *conv, hone_conv_weights weights,
               float *packed);
  /* `packed` (64-byte aligned; NULL: see scratch_weights) and what finish points to must outlive the
   * plan, whose args are in `arena`. */
  hone_status *(*plan)(const hone_conv_kernel *kernel, const hone_conv *conv, const float *packed,
                       hone_arena *arena, hone_kernel_plan *out);
};

/* Every kernel compiled in, in no order of preference; ends with a row that has no name. */
extern const hone_conv_kernel hone_conv_kernels[];

static inline size_t hone_conv_taps(const hone_conv *conv) {
  return conv->kernel[0] * conv->kernel[1] * conv->kernel[2];
}
static inline bool hone_conv_is_f32(const hone_conv *conv) {
  return !conv->bf16 && !conv->x_bf16;
}
static inline size_t hone_conv_pixels(const hone_conv *conv) {
  return conv->batch * conv->out[0] * conv->out[1] * conv->out[2];
}

#endif
