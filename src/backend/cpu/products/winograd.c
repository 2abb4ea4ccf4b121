/* Winograd convolution: packing, blocking, phases. Room: backend/cpu/products.
 *
 * Two ways of running. Many tiles: each part takes blocks of tiles through all three stages, in
 * scratch of its own that stays in the second-level cache. Few tiles: three phases over all tiles,
 * split by channels, by matrices and panels, by output channels. Both do the same arithmetic. */
#include "backend/cpu/products/winograd.h"

#include <string.h>

#include "backend/cpu/share.h"
#include "backend/cpu/simd/simd_bf16.h"
#include "base/pool.h"

enum { D = HONE_CONV_DEPTH, H = HONE_CONV_HEIGHT, W = HONE_CONV_WIDTH };

#define BLOCK_TILES  28 /* most tiles of a block */
#define BLOCK_POINTS 36 /* of a tile; of more, half as many tiles */
#define BLOCK_STEP   7  /* rows of the micro-kernel */
#define PHASES_BELOW 49 /* tiles for each thread */
#define LINE         64 /* bytes added between matrices, or all fall into one set of the cache */

typedef struct winograd {
  hone_conv conv;
  const hone_winograd_set *set;
  const hone_tile_set *tiles;
  const float *weights;
  size_t down, across, count;          /* tiles of a picture, and of all */
  size_t block;                        /* tiles that V and M hold */
  size_t v_row, v_step, m_row, m_step; /* elements from tile to tile and from matrix to matrix */
  size_t shared_scratch, part_scratch;
} winograd;

static size_t points(const hone_winograd_set *set) {
  return set->side * set->side;
}
static size_t operand(const winograd *a) {
  return (size_t)a->tiles->operand;
}
static size_t v_bytes(const winograd *a) {
  return points(a->set) * a->v_step * operand(a);
}

static bool fits_window(const hone_conv *conv, size_t stride) {
  bool fits = conv->groups == 1 && !conv->x_planar && conv->kernel[D] == 1;
  fits = fits && conv->kernel[H] == 3 && conv->kernel[W] == 3;
  for (int i = 0; i < HONE_CONV_DIMENSIONS; i++)
    fits = fits && conv->stride[i] == (i == D ? 1 : stride) && conv->dilation[i] == 1;
  return fits;
}

bool hone_winograd_accepts(const hone_conv *conv) {
  return !conv->bf16 && fits_window(conv, 1);
}

bool hone_winograd_strided_accepts(const hone_conv *conv) {
  return !conv->bf16 && fits_window(conv, 2);
}

/* Channels in pairs, so that no point is padded. */
bool hone_winograd_bf16_accepts(const hone_conv *conv) {
  return conv->bf16 && conv->in_channels % 2 == 0 && fits_window(conv, 1);
}

/* ---- packing ---- */

size_t hone_winograd_pack_size(const hone_conv_kernel *kernel, const hone_conv *conv) {
  const hone_winograd_set *set = kernel->functions;
  return hone_pack_size(kernel->tiles, set->kinds * set->kinds, 1, conv->in_channels,
                        conv->out_channels);
}

/* The filter's transform, g: [kinds][3], in f64: exact to the last bit that counts. */
static const double filter_4[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
static const double filter_6[6][3] = {{1.0 / 4, 0, 0},
                                      {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                      {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                      {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                      {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                      {0, 0, 1}};

static const double strided_4[4][3] = {{1, 0, 0}, {1, 0, 1}, {0, 0, 1}, {0, 1, 0}};
static const double strided_6[6][3] = {{1.0 / 2, 0, 0},
                                       {-1.0 / 2, 0, -1.0 / 2},
                                       {-1.0 / 6, 0, 1.0 / 6},
                                       {1.0 / 6, 0, 1.0 / 3},
                                       {0, 0, 1},
                                       {0, 1, 0}};

/* One filter w[3 * row + column] as operand `at` of each matrix, `step` floats from one to the
 * next.
 */
static void pack_filter(const double (*g)[3], size_t kinds, const double *w, bool low, float *to,
                        size_t at, size_t step) {
  for (size_t i = 0; i < kinds; i++) {
    for (size_t j = 0; j < kinds; j++) {
      double sum = 0;
      for (int y = 0; y < 3; y++) {
        for (int x = 0; x < 3; x++) sum += g[i][y] * g[j][x] * w[3 * y + x];
      }
      float *matrix = to + (i * kinds + j) * step;
      if (low)
        ((uint16_t *)(void *)matrix)[at] = to_bf16((float)sum);
      else
        matrix[at] = (float)sum;
    }
  }
}

/* Of a panel's operand: bfloat16 lie in pairs of channels. */
static size_t place_of(size_t channel, size_t column, size_t width, bool low) {
  return low ? (channel / 2 * width + column) * 2 + channel % 2 : channel * width + column;
}

void hone_winograd_pack(const hone_conv_kernel *kernel, const hone_conv *conv,
                        hone_conv_weights weights, float *packed) {
  const hone_winograd_set *set = kernel->functions;
  const double(*one)[3] = set->kinds == 4 ? filter_4 : filter_6;
  const double(*two)[3] = set->kinds == 4 ? strided_4 : strided_6;
  const double(*g)[3] = set->stride == 1 ? one : two;
  size_t lanes = (size_t)kernel->tiles->lanes, vectors = (conv->out_channels + lanes - 1) / lanes;
  size_t step = hone_pack_size(kernel->tiles, 1, 1, conv->in_channels, conv->out_channels), at = 0;
  bool low = conv->bf16;
  for (size_t v = 0, wide; v < vectors; v += wide) {
    wide = hone_panel_vectors(kernel->tiles, vectors - v);
    for (size_t c = 0; c < conv->in_channels; c++) {
      for (size_t m = v * lanes; m < (v + wide) * lanes; m++) {
        double w[9] = {0};
        const float *from =
            weights.data + (ptrdiff_t)m * weights.out_channel + (ptrdiff_t)c * weights.in_channel;
        for (int t = 0; t < 9 && m < conv->out_channels; t++) w[t] = (double)from[t * weights.tap];
        pack_filter(g, set->kinds, w, low, packed,
                    at + place_of(c, m - v * lanes, wide * lanes, low), step);
      }
    }
    at += wide * lanes * conv->in_channels;
  }
}

/* Floats of one tile of all output channels, where its results do not leave as they are. */
static size_t hot_floats(const winograd *a) {
  if (!a->conv.y_bf16 && !a->conv.finish.residual_bf16) return 0;
  return a->set->outputs * a->set->outputs * a->m_row;
}

/* ---- stages: tiles first..last, V and M beginning at tile `base` ---- */

typedef struct stage {
  const winograd *a;
  const hone_kernel_io *io;
  int part;
  char *v; /* operands of the tiles */
  float *m;
  float *zeros; /* in_channels of them */
  float *hot;   /* where results wait to become bfloat16: hot_floats of them */
  size_t base;
} stage;

/* The first output pixel of a tile. */
typedef struct corner {
  size_t image, h, w;
} corner;

static corner corner_of(const winograd *a, size_t tile) {
  size_t in_picture = tile % (a->down * a->across);
  return (corner){.image = tile / (a->down * a->across),
                  .h = in_picture / a->across * a->set->outputs,
                  .w = in_picture % a->across * a->set->outputs};
}

static void transform_input(const stage *s, size_t first, size_t last, size_t channel,
                            size_t channel_end) {
  const winograd *a = s->a;
  const hone_conv *conv = &a->conv;
  size_t side = a->set->side, stride = a->set->stride;
  size_t element = conv->x_bf16 ? sizeof(uint16_t) : sizeof(float);
  const char *x = s->io->in[conv->x], *zeros = (const char *)s->zeros;
  const void *pixels[HONE_WINOGRAD_MOST_POINTS];
  for (size_t tile = first; tile < last; tile++) {
    corner at = corner_of(a, tile);
    for (size_t i = 0; i < side; i++) {
      size_t h = at.h * stride + i - (size_t)conv->pad[H];
      size_t w = at.w * stride - (size_t)conv->pad[W];
      size_t line = (at.image * conv->in[H] + h) * conv->in[W];
      for (size_t j = 0; j < side; j++, w++) {
        bool inside = h < conv->in[H] && w < conv->in[W];
        size_t first_channel = (line + w) * (size_t)conv->x_stride;
        const char *pixel = inside ? x + first_channel * element : zeros;
        pixels[i * side + j] = pixel + channel * element;
      }
    }
    char *v = s->v + ((tile - s->base) * a->v_row + channel) * operand(a);
    hone_winograd_in *in = conv->x_bf16 ? a->set->in_bf16 : a->set->in;
    in(pixels, channel_end - channel, v, a->v_step);
  }
}

/* Lines of a tile of bfloat16 residuals, widened into `hot`. */
static void widen_residual(const stage *s, const hone_winograd_output *o, size_t pixel,
                           size_t channel) {
  const hone_conv *conv = &s->a->conv;
  const hone_finish *finish = &conv->finish;
  const uint16_t *from = (const uint16_t *)s->io->in[finish->residual] + channel;
  float *to = s->hot;
  for (size_t i = 0; i < o->rows; i++, pixel += conv->out[W], to += o->residual_line) {
    for (size_t j = 0; j < o->columns; j++)
      s->a->set->widen(from + (ptrdiff_t)(pixel + j) * finish->residual_stride, o->channels,
                       to + (ptrdiff_t)j * o->residual_stride);
  }
}

/* What follows the registers on each line of a tile, and its way out where it waits in `hot`. */
static void finish_tile(const stage *s, const hone_winograd_output *o, size_t pixel,
                        size_t channel) {
  const winograd *a = s->a;
  const hone_conv *conv = &a->conv;
  float *line = o->out;
  for (size_t i = 0; i < o->rows; i++, line += o->out_line, pixel += conv->out[W]) {
    hone_finish_after(&conv->finish, a->tiles->isa, s->io, s->part, line, o->out_stride, o->columns,
                      o->channels, pixel, channel);
    if (!conv->y_bf16) continue;
    uint16_t *to = (uint16_t *)s->io->out[conv->y] + (ptrdiff_t)pixel * conv->y_stride + channel;
    for (size_t j = 0; j < o->columns; j++)
      a->set->narrow(line + (ptrdiff_t)j * o->out_stride, o->channels,
                     to + (ptrdiff_t)j * conv->y_stride);
  }
}

static void transform_output(const stage *s, size_t first, size_t last, size_t channel,
                             size_t channel_end) {
  const winograd *a = s->a;
  const hone_conv *conv = &a->conv;
  const hone_finish *finish = &conv->finish;
  size_t outputs = a->set->outputs, channels = channel_end - channel;
  ptrdiff_t out_pitch = conv->y_bf16 ? (ptrdiff_t)a->m_row : conv->y_stride;
  ptrdiff_t out_line = conv->y_bf16 ? (ptrdiff_t)outputs : (ptrdiff_t)conv->out[W];
  bool wide = !finish->residual_bf16;
  ptrdiff_t residual_pitch = wide ? finish->residual_stride : (ptrdiff_t)a->m_row;
  ptrdiff_t residual_line = wide ? (ptrdiff_t)conv->out[W] : (ptrdiff_t)outputs;
  hone_winograd_output o = {.step = a->m_step,
                            .channels = channels,
                            .out_line = out_line * out_pitch,
                            .out_stride = out_pitch,
                            .bias = finish->bias ? finish->bias + channel : NULL,
                            .residual_line = residual_line * residual_pitch,
                            .residual_stride = residual_pitch,
                            .clamp = finish->activation.kind == HONE_ACTIVATION_CLAMP,
                            .low = finish->activation.a,
                            .high = finish->activation.b};
  for (size_t tile = first; tile < last; tile++) {
    corner at = corner_of(a, tile);
    size_t pixel = (at.image * conv->out[H] + at.h) * conv->out[W] + at.w;
    o.rows = conv->out[H] - at.h < outputs ? conv->out[H] - at.h : outputs;
    o.columns = conv->out[W] - at.w < outputs ? conv->out[W] - at.w : outputs;
    o.products = s->m + (tile - s->base) * a->m_row + channel;
    o.out = s->hot;
    if (!conv->y_bf16)
      o.out = (float *)s->io->out[conv->y] + (ptrdiff_t)pixel * conv->y_stride + channel;
    if (finish->residual >= 0 && wide) {
      o.residual = (const float *)s->io->in[finish->residual] +
                   (ptrdiff_t)pixel * finish->residual_stride + channel;
    } else if (finish->residual >= 0) {
      widen_residual(s, &o, pixel, channel);
      o.residual = s->hot;
    }
    a->set->out(&o);
    finish_tile(s, &o, pixel, channel);
  }
}

/* Point (i, j)'s of the panel that begins at column `first`. */
static const void *matrix_weights(const winograd *a, size_t point, size_t first) {
  size_t step = hone_pack_size(a->tiles, 1, 1, a->conv.in_channels, a->conv.out_channels);
  size_t kinds = a->set->kinds, i = point / a->set->side, j = point % a->set->side;
  size_t matrix = (i < kinds ? i : kinds - 1) * kinds + (j < kinds ? j : kinds - 1);
  return (const char *)(a->weights + matrix * step) + first * a->conv.in_channels * operand(a);
}

/* ---- many tiles: one phase ---- */

static void run_blocks(const void *args, const hone_kernel_io *io, int part, int parts) {
  const winograd *a = args;
  const hone_conv *conv = &a->conv;
  size_t begin, end, n = points(a->set);
  hone_split(a->count, a->block, part, parts, &begin, &end);
  if (begin == end) return;
  char *v = (char *)io->scratch + (size_t)part * a->part_scratch;
  float *m = (float *)(void *)(v + v_bytes(a));
  float *hot = m + n * a->m_step, *zeros = hot + hot_floats(a);
  memset(zeros, 0, conv->in_channels * sizeof(float));
  for (size_t first = begin, last; first < end; first = last) {
    last = end - first < a->block ? end : first + a->block;
    stage s = {
        .a = a, .io = io, .part = part, .v = v, .m = m, .zeros = zeros, .hot = hot, .base = first};
    transform_input(&s, first, last, 0, conv->in_channels);
    for (size_t i = 0; i < n; i++)
      hone_multiply(a->tiles, last - first, conv->in_channels, conv->out_channels,
                    v + i * a->v_step * operand(a), (ptrdiff_t)a->v_row, matrix_weights(a, i, 0),
                    m + i * a->m_step, (ptrdiff_t)a->m_row, false);
    transform_output(&s, first, last, 0, conv->out_channels);
  }
}

/* ---- few tiles: three phases ---- */

static stage shared_stage(const winograd *a, const hone_kernel_io *io, int part) {
  char *v = io->scratch;
  float *m = (float *)(void *)(v + v_bytes(a));
  float *own =
      (float *)(void *)((char *)io->scratch + a->shared_scratch + (size_t)part * a->part_scratch);
  return (stage){
      .a = a, .io = io, .part = part, .v = v, .m = m, .hot = own, .zeros = own + hot_floats(a)};
}

/* A part's tiles and channels, in vectors. */
static hone_share share_of(const winograd *a, size_t channels, int part, int parts) {
  size_t lanes = (size_t)a->set->lanes;
  hone_work work = {.rows = a->count,
                    .height = 1,
                    .columns = (channels + lanes - 1) / lanes,
                    .grain = 1,
                    .row_weight = (double)a->count,
                    .column_weight = (double)channels};
  hone_share share = hone_share_of(&work, part, parts);
  share.column *= lanes;
  share.column_end = share.column_end * lanes < channels ? share.column_end * lanes : channels;
  return share;
}

static void run_input(const void *args, const hone_kernel_io *io, int part, int parts) {
  const winograd *a = args;
  stage s = shared_stage(a, io, part);
  memset(s.zeros, 0, a->conv.in_channels * sizeof(float));
  hone_share mine = share_of(a, a->conv.in_channels, part, parts);
  if (mine.column < mine.column_end)
    transform_input(&s, mine.row, mine.row_end, mine.column, mine.column_end);
}

static void run_products(const void *args, const hone_kernel_io *io, int part, int parts) {
  const winograd *a = args;
  stage s = shared_stage(a, io, part);
  size_t lanes = (size_t)a->tiles->lanes, columns = a->conv.out_channels;
  size_t vectors = (columns + lanes - 1) / lanes, n = points(a->set), begin, end;
  hone_split(n * vectors, 1, part, parts, &begin, &end);
  for (size_t i = 0; i < n; i++) {
    for (size_t v = 0, wide; v < vectors; v += wide) {
      wide = hone_panel_vectors(a->tiles, vectors - v);
      if (i * vectors + v < begin || i * vectors + v >= end) continue;
      size_t first = v * lanes, last = first + wide * lanes;
      hone_multiply(a->tiles, a->count, a->conv.in_channels,
                    (last < columns ? last : columns) - first, s.v + i * a->v_step * operand(a),
                    (ptrdiff_t)a->v_row, matrix_weights(a, i, first), s.m + i * a->m_step + first,
                    (ptrdiff_t)a->m_row, false);
    }
  }
}

static void run_output(const void *args, const hone_kernel_io *io, int part, int parts) {
  const winograd *a = args;
  stage s = shared_stage(a, io, part);
  hone_share mine = share_of(a, a->conv.out_channels, part, parts);
  if (mine.column < mine.column_end)
    transform_output(&s, mine.row, mine.row_end, mine.column, mine.column_end);
}

/* ---- planning ---- */

/* Tiles of a block: a multiple of the micro-kernel's rows that keeps threads evenly busy. */
static size_t block_tiles(const hone_winograd_set *set, size_t count, int threads) {
  size_t most = points(set) > BLOCK_POINTS ? BLOCK_TILES / 2 : BLOCK_TILES;
  size_t best = most, least = SIZE_MAX, parts = threads > 1 ? (size_t)threads : 1;
  for (size_t block = most; block >= most / 2; block -= BLOCK_STEP) {
    size_t blocks = (count + block - 1) / block, span = (blocks + parts - 1) / parts * block;
    if (span < least) best = block, least = span;
  }
  return best < count ? best : count;
}

/* Rows and steps of V and M; false when they do not fit in memory. */
static bool lay_out(winograd *a, size_t *bytes) {
  size_t n = points(a->set), v, m;
  a->v_row = hone_align_up(a->conv.in_channels, LINE / operand(a));
  a->m_row = hone_align_up(a->conv.out_channels, LINE / sizeof(float));
  if (!hone_mul(a->v_row, a->block, &v) || !hone_mul(a->m_row, a->block, &m) ||
      !hone_add(v, m + 2 * LINE, bytes) || !hone_mul(*bytes, n * sizeof(float), bytes))
    return false;
  a->v_step = v + LINE / operand(a);
  a->m_step = m + LINE / sizeof(float);
  return *bytes < SIZE_MAX / 2;
}

hone_status *hone_winograd_plan(const hone_conv_kernel *kernel, const hone_conv *conv,
                                const float *packed, hone_arena *arena, hone_kernel_plan *out) {
  if (conv->pad[D] != 0 || conv->in[D] != conv->out[D])
    return hone_error(HONE_UNSUPPORTED, "Winograd convolution takes no padding in depth");
  winograd *a = HONE_NEW(arena, winograd);
  HONE_TRY_MEMORY(a);
  const hone_winograd_set *set = kernel->functions;
  *a = (winograd){.conv = *conv, .set = set, .tiles = kernel->tiles, .weights = packed};
  a->down = (conv->out[H] + set->outputs - 1) / set->outputs;
  a->across = (conv->out[W] + set->outputs - 1) / set->outputs;
  a->count = conv->batch * conv->in[D] * a->down * a->across;
  bool phases = conv->threads > 1 && a->count < PHASES_BELOW * (size_t)conv->threads;
  a->block = phases ? a->count : block_tiles(set, a->count, conv->threads);
  size_t bytes, own = hone_align_up(conv->in_channels * sizeof(float), 64);
  if (!lay_out(a, &bytes))
    return hone_error(HONE_LIMIT, "Winograd's matrices do not fit in memory");
  own += hot_floats(a) * sizeof(float);
  *out = (hone_kernel_plan){.args = a};
  if (phases) {
    a->shared_scratch = bytes, a->part_scratch = own;
    out->phases[0] = run_input, out->phases[1] = run_products, out->phases[2] = run_output;
    out->phase_count = 3;
  } else {
    a->part_scratch = bytes + own;
    out->phases[0] = run_blocks;
    out->phase_count = 1;
  }
  out->shared_scratch = a->shared_scratch;
  out->part_scratch = a->part_scratch;
  return NULL;
}
