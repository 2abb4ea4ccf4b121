/* The table of transposed convolutions; that by remainders of the stride on the tiles of tile.h.
 * Room: backend/cpu/products. */
#include "backend/cpu/products/conv_transposed.h"

#include "backend/cpu/products/conv_transposed_blocks.h"
#include "backend/cpu/products/conv_transposed_depthwise.h"
#include "backend/cpu/products/conv_transposed_lines.h"

enum { W = HONE_CONV_WIDTH };

static size_t ceil_divide(size_t a, size_t b) {
  return (a + b - 1) / b;
}
static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

static bool accepts(const hone_conv *conv) {
  return !conv->x_planar && hone_conv_is_f32(conv);
}

static size_t pack_size(const hone_conv_kernel *kernel, const hone_conv *conv) {
  return hone_pack_size(kernel->tiles, conv->groups, hone_conv_taps(conv),
                        conv->in_channels / conv->groups, conv->out_channels / conv->groups);
}

/* One remainder's weights: [group][panel][tap of the remainder][channel][column]. */
static float *pack_one(const hone_conv_kernel *kernel, const hone_conv *conv, hone_conv_weights w,
                       const size_t *r, float *packed) {
  const hone_tile_set *tiles = kernel->tiles;
  size_t depth = conv->in_channels / conv->groups, columns = conv->out_channels / conv->groups;
  size_t lanes = (size_t)tiles->lanes, vectors = ceil_divide(columns, lanes);
  for (size_t group = 0; group < conv->groups; group++) {
    for (size_t v = 0, wide; v < vectors; v += wide) {
      wide = hone_panel_vectors(tiles, vectors - v);
      size_t real = smaller(columns - v * lanes, wide * lanes);
      const float *from = w.data + (ptrdiff_t)(group * depth) * w.in_channel +
                          (ptrdiff_t)(v * lanes) * w.out_channel;
      for (size_t t = 0; t < hone_conv_taps(conv); t++) {
        if (!hone_transposed_serves(conv, t, r)) continue;
        tiles->pack(from + (ptrdiff_t)t * w.tap, w.in_channel, w.out_channel, depth, real,
                    wide * lanes, packed);
        packed += depth * wide * lanes;
      }
    }
  }
  return packed;
}

static void pack(const hone_conv_kernel *kernel, const hone_conv *conv, hone_conv_weights weights,
                 float *packed) {
  hone_transposed_pack(kernel, conv, weights, pack_one, packed);
}

/* Outputs first..first + count of a run, all panels of the share. */
static void make(const hone_transposed_worker *w, const hone_transposed_run *run, size_t first,
                 size_t count) {
  const hone_transposed *a = w->a;
  const hone_conv *conv = &a->conv;
  const hone_tile_set *tiles = a->kernel->tiles;
  const hone_finish *finish = &conv->finish;
  size_t depth = conv->in_channels / conv->groups, columns = conv->out_channels / conv->groups;
  size_t lanes = (size_t)tiles->lanes, vectors = ceil_divide(columns, lanes);
  size_t pixel = hone_transposed_pixel(conv, run, first);
  ptrdiff_t step = (ptrdiff_t)conv->stride[W];
  hone_tile tile = {.rows = w->table,
                    .taps = run->taps,
                    .depth = depth,
                    .weights = run->weights,
                    .out_stride = step * conv->y_stride,
                    .residual_stride = step * finish->residual_stride,
                    .clamp = finish->activation.kind == HONE_ACTIVATION_CLAMP,
                    .low = finish->activation.a,
                    .high = finish->activation.b};
  for (size_t group = 0; group < conv->groups; group++) {
    tile.rows_offset = group * depth * sizeof(float);
    for (size_t v = 0, wide; v < vectors; v += wide) {
      wide = hone_panel_vectors(tiles, vectors - v);
      size_t begin = group * vectors + v;
      const float *weights = tile.weights;
      tile.weights = weights + run->taps * depth * wide * lanes; /* for the next */
      if (begin < w->share.column || begin >= w->share.column_end) continue;
      size_t column = group * columns + v * lanes;
      size_t width = smaller(columns - v * lanes, wide * lanes);
      hone_tile now = tile;
      now.weights = weights;
      now.tail = (int)(width - (wide - 1) * lanes);
      now.out = (float *)w->io->out[conv->y] + (ptrdiff_t)pixel * conv->y_stride + column;
      now.bias = finish->bias ? finish->bias + column : NULL;
      if (finish->residual >= 0)
        now.residual = (const float *)w->io->in[finish->residual] +
                       (ptrdiff_t)pixel * finish->residual_stride + column;
      tiles->run[wide][count](&now);
      bool after = finish->program || finish->activation.kind > HONE_ACTIVATION_CLAMP;
      for (size_t i = 0; after && i < count; i++) /* pixels are not neighbours */
        hone_finish_after(finish, tiles->isa, w->io, w->part,
                          now.out + (ptrdiff_t)i * now.out_stride, conv->y_stride, 1, width,
                          pixel + i * conv->stride[W], column);
    }
  }
}

static hone_status *plan(const hone_conv_kernel *kernel, const hone_conv *conv, const float *packed,
                         hone_arena *arena, hone_kernel_plan *out) {
  size_t columns = conv->out_channels / conv->groups, lanes = (size_t)kernel->tiles->lanes;
  size_t vectors = ceil_divide(columns, lanes);
  hone_transposed form = {.conv = *conv,
                          .kernel = kernel,
                          .weights = packed,
                          .height = (size_t)kernel->tiles->height,
                          .columns = vectors * conv->groups,
                          .grain = smaller(vectors, (size_t)kernel->tiles->panel),
                          .tap_floats = conv->in_channels * vectors * lanes,
                          .make = make};
  return hone_transposed_plan(&form, arena, out);
}

#define ROWS(suffix, ISA)                                               \
  {"conv_transposed_blocks_" #suffix, HONE_ISA_##ISA,                   \
   &hone_tiles_f32_##suffix,          NULL,                             \
   hone_transposed_blocks_accepts,    hone_transposed_blocks_pack_size, \
   hone_transposed_blocks_pack,       hone_transposed_blocks_plan},     \
      {"conv_transposed_depthwise_" #suffix,                            \
       HONE_ISA_##ISA,                                                  \
       NULL,                                                            \
       &hone_depthwise_##suffix,                                        \
       hone_transposed_depthwise_accepts,                               \
       hone_depthwise_pack_size,                                        \
       hone_transposed_depthwise_pack,                                  \
       hone_transposed_depthwise_plan},                                 \
      {"conv_transposed_" #suffix,                                      \
       HONE_ISA_##ISA,                                                  \
       &hone_tiles_f32_##suffix,                                        \
       NULL,                                                            \
       accepts,                                                         \
       pack_size,                                                       \
       pack,                                                            \
       plan},
const hone_conv_kernel hone_conv_transposed_kernels[] = {
#if defined(__x86_64__)
    ROWS(avx512, AVX512) ROWS(avx2, AVX2)
#endif
        ROWS(plain, PLAIN){.name = NULL}};
