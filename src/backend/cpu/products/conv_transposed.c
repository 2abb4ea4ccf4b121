/* Transposed convolution by remainders of the stride. Room: backend/cpu/products. */
#include "backend/cpu/products/conv_transposed.h"

#include <string.h>

#include "backend/cpu/products/conv_transposed_blocks.h"
#include "backend/cpu/lines/pixel_line.h"
#include "backend/cpu/share.h"

enum { D = HONE_CONV_DEPTH, H = HONE_CONV_HEIGHT, W = HONE_CONV_WIDTH };

typedef struct transposed {
  hone_conv conv;
  const hone_tile_set *tiles;
  const float *weights;
  size_t part_scratch;
} transposed;

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

/* Whether tap `t` of dimension i serves outputs of remainder `r`. */
static bool serves(const hone_conv *conv, int i, size_t t, size_t r) {
  return t * conv->dilation[i] % conv->stride[i] == r;
}

static size_t taps_of(const hone_conv *conv, int i, size_t r) {
  size_t count = 0;
  for (size_t t = 0; t < conv->kernel[i]; t++) count += serves(conv, i, t, r);
  return count;
}

/* One remainder's weights: [group][panel][tap of the remainder][channel][column]. */
static float *pack_remainder(const hone_tile_set *tiles, const hone_conv *conv, hone_conv_weights w,
                             const size_t *r, float *packed) {
  size_t depth = conv->in_channels / conv->groups, columns = conv->out_channels / conv->groups;
  size_t lanes = (size_t)tiles->lanes, vectors = ceil_divide(columns, lanes);
  for (size_t group = 0; group < conv->groups; group++) {
    for (size_t v = 0, wide; v < vectors; v += wide) {
      wide = hone_panel_vectors(tiles, vectors - v);
      size_t real = smaller(columns - v * lanes, wide * lanes);
      const float *from = w.data + (ptrdiff_t)(group * depth) * w.in_channel +
                          (ptrdiff_t)(v * lanes) * w.out_channel;
      for (size_t t = 0; t < hone_conv_taps(conv); t++) {
        size_t kw = t % conv->kernel[W], kh = t / conv->kernel[W] % conv->kernel[H];
        size_t kd = t / conv->kernel[W] / conv->kernel[H];
        if (!serves(conv, D, kd, r[D]) || !serves(conv, H, kh, r[H]) || !serves(conv, W, kw, r[W]))
          continue;
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
  size_t r[HONE_CONV_DIMENSIONS];
  for (r[D] = 0; r[D] < conv->stride[D]; r[D]++) {
    for (r[H] = 0; r[H] < conv->stride[H]; r[H]++) {
      for (r[W] = 0; r[W] < conv->stride[W]; r[W]++)
        packed = pack_remainder(kernel->tiles, conv, weights, r, packed);
    }
  }
}

/* The first of a line's outputs with one remainder: where it is, what serves it. */
typedef struct run_of_line {
  size_t image, at[HONE_CONV_DIMENSIONS], r[HONE_CONV_DIMENSIONS];
  size_t taps;
  const float *weights; /* of the remainder */
} run_of_line;

/* Floats of packed weights before the remainder r, in the order in which pack writes. */
static size_t weights_before(const transposed *a, const size_t *r) {
  const hone_conv *conv = &a->conv;
  size_t all_h = conv->kernel[H], all_w = conv->kernel[W], before = 0;
  for (size_t i = 0; i < r[D]; i++) before += taps_of(conv, D, i) * all_h * all_w;
  size_t of_d = taps_of(conv, D, r[D]), of_h = taps_of(conv, H, r[H]);
  for (size_t i = 0; i < r[H]; i++) before += of_d * taps_of(conv, H, i) * all_w;
  for (size_t i = 0; i < r[W]; i++) before += of_d * of_h * taps_of(conv, W, i);
  size_t columns = hone_align_up(conv->out_channels / conv->groups, (size_t)a->tiles->lanes);
  return before * conv->in_channels * columns;
}

/* The input coordinate under tap t of output `at`, which it serves; at least in[i], as an unsigned
 * number, when outside. */
static size_t coordinate(const hone_conv *conv, int i, size_t at, size_t t) {
  ptrdiff_t up = (ptrdiff_t)at + conv->pad[i] - (ptrdiff_t)(t * conv->dilation[i]);
  return (size_t)(up / (ptrdiff_t)conv->stride[i]);
}

/* table[tap][i] for outputs at[W] + (first + i) * stride, i < count: their inputs are neighbours.
 */
static void fill(const transposed *a, const float *x, const run_of_line *run, size_t first,
                 size_t count, const float *zeros, const void **table) {
  const hone_conv *conv = &a->conv;
  size_t bytes = (size_t)conv->x_stride * sizeof(float);
  hone_pixel_line line = {.width = conv->in[W], .pixel_bytes = bytes, .zeros = zeros};
  for (size_t kd = 0; kd < conv->kernel[D]; kd++) {
    if (!serves(conv, D, kd, run->r[D])) continue;
    size_t d = coordinate(conv, D, run->at[D], kd);
    for (size_t kh = 0; kh < conv->kernel[H]; kh++) {
      if (!serves(conv, H, kh, run->r[H])) continue;
      size_t h = coordinate(conv, H, run->at[H], kh);
      size_t number = (run->image * conv->in[D] + d) * conv->in[H] + h;
      bool inside = d < conv->in[D] && h < conv->in[H];
      line.first = inside ? (const char *)x + number * conv->in[W] * bytes : NULL;
      for (size_t kw = 0; kw < conv->kernel[W]; kw++) {
        if (!serves(conv, W, kw, run->r[W])) continue;
        hone_point_at_pixels(&line, first + coordinate(conv, W, run->at[W], kw), 1, count, table);
        table += HONE_TILE_ROWS;
      }
    }
  }
}

typedef struct worker {
  const transposed *a;
  const hone_kernel_io *io;
  int part;
  const void **table;
  const float *zeros;
  hone_share share;
} worker;

/* Outputs first..first + count of a run, all panels of the share. */
static void run_tiles(const worker *w, const run_of_line *run, size_t first, size_t count) {
  const transposed *a = w->a;
  const hone_conv *conv = &a->conv;
  const hone_finish *finish = &conv->finish;
  size_t depth = conv->in_channels / conv->groups, columns = conv->out_channels / conv->groups;
  size_t lanes = (size_t)a->tiles->lanes, vectors = ceil_divide(columns, lanes);
  size_t line = (run->image * conv->out[D] + run->at[D]) * conv->out[H] + run->at[H];
  size_t pixel = line * conv->out[W] + run->at[W] + first * conv->stride[W];
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
      wide = hone_panel_vectors(a->tiles, vectors - v);
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
      a->tiles->run[wide][count](&now);
      bool after = finish->program || finish->activation.kind > HONE_ACTIVATION_CLAMP;
      for (size_t i = 0; after && i < count; i++) /* pixels are not neighbours */
        hone_finish_after(finish, a->tiles->isa, w->io, w->part,
                          now.out + (ptrdiff_t)i * now.out_stride, conv->y_stride, 1, width,
                          pixel + i * conv->stride[W], column);
    }
  }
}

/* One line of outputs: each remainder of the width in turn. */
static void run_line(const worker *w, size_t line) {
  const transposed *a = w->a;
  const hone_conv *conv = &a->conv;
  size_t height = (size_t)a->tiles->height;
  run_of_line run = {.image = line / conv->out[H] / conv->out[D]};
  run.at[D] = line / conv->out[H] % conv->out[D];
  run.at[H] = line % conv->out[H];
  for (size_t from = 0; from < conv->stride[W] && from < conv->out[W]; from++) {
    run.at[W] = from;
    run.taps = 1;
    for (int i = 0; i < HONE_CONV_DIMENSIONS; i++) {
      ptrdiff_t up = (ptrdiff_t)run.at[i] + conv->pad[i], stride = (ptrdiff_t)conv->stride[i];
      run.r[i] = (size_t)((up % stride + stride) % stride);
      run.taps *= taps_of(conv, i, run.r[i]);
    }
    run.weights = a->weights + weights_before(a, run.r);
    size_t count = ceil_divide(conv->out[W] - from, conv->stride[W]);
    size_t tiles = ceil_divide(count, height);
    for (size_t t = 0; t < tiles; t++) {
      size_t first = count * t / tiles, end = count * (t + 1) / tiles;
      fill(a, w->io->in[conv->x], &run, first, end - first, w->zeros, w->table);
      run_tiles(w, &run, first, end - first);
    }
  }
}

static size_t table_bytes(const hone_conv *conv) {
  return hone_conv_taps(conv) * HONE_TILE_ROWS * sizeof(void *);
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const transposed *a = args;
  const hone_conv *conv = &a->conv;
  size_t lines = conv->batch * conv->out[D] * conv->out[H];
  size_t vectors = ceil_divide(conv->out_channels / conv->groups, (size_t)a->tiles->lanes);
  hone_work work = {.rows = lines,
                    .height = 1,
                    .columns = vectors * conv->groups,
                    .grain = smaller(vectors, (size_t)a->tiles->panel),
                    .row_weight = (double)lines * (double)conv->out[W],
                    .column_weight = (double)conv->out_channels};
  worker w = {.a = a, .io = io, .part = part, .share = hone_share_of(&work, part, parts)};
  char *scratch = (char *)io->scratch + (size_t)part * a->part_scratch;
  float *zeros = (float *)(void *)(scratch + table_bytes(conv));
  memset(zeros, 0, conv->in_channels * sizeof(float));
  w.table = (const void **)(void *)scratch;
  w.zeros = zeros;
  if (w.share.column == w.share.column_end) return;
  for (size_t line = w.share.row; line < w.share.row_end; line++) run_line(&w, line);
}

static hone_status *plan(const hone_conv_kernel *kernel, const hone_conv *conv, const float *packed,
                         hone_arena *arena, hone_kernel_plan *out) {
  transposed *a = HONE_NEW(arena, transposed);
  HONE_TRY_MEMORY(a);
  *a = (transposed){.conv = *conv, .tiles = kernel->tiles, .weights = packed};
  a->part_scratch = hone_align_up(table_bytes(conv) + conv->in_channels * sizeof(float), 64);
  *out = (hone_kernel_plan){
      .phases = {run}, .phase_count = 1, .args = a, .part_scratch = a->part_scratch};
  return NULL;
}

#define ROWS(suffix, ISA)                                               \
  {"conv_transposed_blocks_" #suffix, HONE_ISA_##ISA,                   \
   &hone_tiles_f32_##suffix,          NULL,                             \
   hone_transposed_blocks_accepts,    hone_transposed_blocks_pack_size, \
   hone_transposed_blocks_pack,       hone_transposed_blocks_plan},     \
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
