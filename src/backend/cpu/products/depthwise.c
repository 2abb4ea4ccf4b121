/* Convolution in small groups: packing, windows, splitting. Room: backend/cpu/products. */
#include "backend/cpu/products/depthwise.h"

#include <string.h>

#include "backend/cpu/lines/pixel_line.h"
#include "backend/cpu/share.h"

enum { D = HONE_CONV_DEPTH, H = HONE_CONV_HEIGHT, W = HONE_CONV_WIDTH };

#define RUN_TILES      8
#define PROGRAM_FLOATS 2048 /* results that a program takes together: still in the cache */

typedef struct depthwise {
  hone_conv conv;
  const hone_depthwise_set *set;
  uint32_t isa;
  const float *weights; /* NULL: at the start of the scratch */
  hone_window_kind kind;
  size_t window_width; /* taps that one line of the window serves: 1 for HONE_WINDOW_1 */
  size_t part_scratch;
} depthwise;

bool hone_depthwise_accepts(const hone_conv *conv) {
  return conv->groups == conv->in_channels && conv->in_channels == conv->out_channels &&
         !conv->x_planar && !conv->bf16;
}

bool hone_depthwise_bf16_accepts(const hone_conv *conv) {
  return hone_depthwise_accepts(conv) && conv->x_bf16;
}

static size_t group_of(const hone_conv *conv) {
  return conv->in_channels / conv->groups;
}

static bool accepts_groups(const hone_conv *conv, size_t most) {
  size_t group = group_of(conv);
  return conv->groups > 1 && conv->in_channels == conv->out_channels && group >= 2 &&
         group <= most && (group & (group - 1)) == 0 && !conv->x_planar && hone_conv_is_f32(conv);
}

bool hone_groups_accepts_plain(const hone_conv *conv) {
  return accepts_groups(conv, 4);
}
bool hone_groups_accepts_avx2(const hone_conv *conv) {
  return accepts_groups(conv, 8);
}
bool hone_groups_accepts_avx512(const hone_conv *conv) {
  return accepts_groups(conv, 16);
}

static hone_window_kind kind_of(const hone_conv *conv) {
  size_t width = conv->kernel[W], stride = conv->stride[W];
  if (conv->dilation[W] != 1 || stride > 2) return HONE_WINDOW_1;
  if (width == 3) return stride == 1 ? HONE_WINDOW_3_1 : HONE_WINDOW_3_2;
  if (width == 5 && group_of(conv) == 1) return stride == 1 ? HONE_WINDOW_5_1 : HONE_WINDOW_5_2;
  return HONE_WINDOW_1;
}

/* Taps that one line of the window serves. */
static size_t width_of(const hone_conv *conv) {
  return kind_of(conv) == HONE_WINDOW_1 ? 1 : conv->kernel[W];
}

size_t hone_depthwise_pack_size(const hone_conv_kernel *kernel, const hone_conv *conv) {
  const hone_depthwise_set *set = kernel->functions;
  size_t size, lanes = (size_t)set->lanes;
  if (!hone_add(conv->in_channels, lanes - 1, &size) ||
      !hone_mul(size - size % lanes, group_of(conv), &size))
    return 0;
  return hone_mul(size, hone_conv_taps(conv), &size) ? size : 0;
}

void hone_depthwise_pack(const hone_conv_kernel *kernel, const hone_conv *conv,
                         hone_conv_weights weights, float *packed) {
  const hone_depthwise_set *set = kernel->functions;
  size_t lanes = (size_t)set->lanes, group = group_of(conv), width = width_of(conv);
  size_t steps = hone_conv_taps(conv) * group;
  for (size_t first = 0; first < conv->in_channels; first += lanes) {
    for (size_t step = 0; step < steps; step++) { /* line, channel of the group, tap of the line */
      size_t tap = step / width / group * width + step % width, in = step / width % group;
      for (size_t i = 0, half = lanes / 2; i < lanes; i++) {
        size_t c = first + (set->pairs ? i % half * 2 + i / half : i);
        ptrdiff_t at = (ptrdiff_t)c * weights.out_channel + (ptrdiff_t)tap * weights.tap +
                       (ptrdiff_t)in * weights.in_channel;
        *packed++ = c < conv->in_channels ? weights.data[at] : 0;
      }
    }
  }
}

/* Input pixels that `pixels` neighbouring outputs read in one line of their window. */
static size_t window_columns(const depthwise *a, size_t pixels) {
  return a->kind == HONE_WINDOW_1 ? pixels : (pixels - 1) * a->conv.stride[W] + a->window_width;
}

static size_t window_lines(const depthwise *a) {
  return hone_conv_taps(&a->conv) / a->window_width;
}

/* Pixels whose pointers are found at once: some tiles of one line. */
static size_t run_pixels(const depthwise *a) {
  return RUN_TILES * (size_t)a->set->pixels;
}

static size_t window_bytes(const depthwise *a) {
  size_t pointers = window_lines(a) * window_columns(a, run_pixels(a));
  return hone_align_up(pointers * sizeof(void *), 64);
}

static ptrdiff_t element(bool bf16) {
  return bf16 ? sizeof(uint16_t) : sizeof(float);
}

/* A tile's first pixel: where it is in the output, and its number. */
typedef struct place {
  size_t image, d, h, w, pixel;
} place;

static void fill_window(const depthwise *a, const char *x, place p, size_t pixels,
                        const float *zeros, const void **window) {
  const hone_conv *conv = &a->conv;
  bool shared = a->kind != HONE_WINDOW_1; /* one line serves all taps of the width */
  size_t columns = window_columns(a, pixels), runs = shared ? 1 : conv->kernel[W];
  size_t step = shared ? 1 : conv->stride[W],
         bytes = (size_t)(conv->x_stride * element(conv->x_bf16));
  size_t w = p.w * conv->stride[W] - (size_t)conv->pad[W];
  hone_pixel_line line = {.width = conv->in[W], .pixel_bytes = bytes, .zeros = zeros};
  for (size_t kd = 0; kd < conv->kernel[D]; kd++) {
    size_t d = p.d * conv->stride[D] + kd * conv->dilation[D] - (size_t)conv->pad[D];
    for (size_t kh = 0; kh < conv->kernel[H]; kh++) {
      size_t h = p.h * conv->stride[H] + kh * conv->dilation[H] - (size_t)conv->pad[H];
      size_t number = (p.image * conv->in[D] + d) * conv->in[H] + h;
      bool inside = d < conv->in[D] && h < conv->in[H];
      line.first = inside ? x + number * conv->in[W] * bytes : NULL;
      for (size_t run = 0; run < runs; run++, window += columns)
        hone_point_at_pixels(&line, w + run * conv->dilation[W], step, columns, window);
    }
  }
}

static size_t tiles_of_line(const depthwise *a) {
  size_t pixels = (size_t)a->set->pixels;
  return (a->conv.out[W] + pixels - 1) / pixels;
}

/* Tile `number` of all: its place, and its pixels, nearly equal along the line. */
static place tile_place(const depthwise *a, size_t number, size_t *pixels) {
  const hone_conv *conv = &a->conv;
  size_t of_line = tiles_of_line(a), line = number / of_line, i = number % of_line;
  place p = {.w = conv->out[W] * i / of_line};
  *pixels = conv->out[W] * (i + 1) / of_line - p.w;
  p.pixel = line * conv->out[W] + p.w;
  p.h = line % conv->out[H];
  p.d = line / conv->out[H] % conv->out[D];
  p.image = line / conv->out[H] / conv->out[D];
  return p;
}

/* Pixels wait as floats, `channels` wide, where registers do not hold all that is done to them and
 * they become bfloat16. */
static bool waits(const hone_conv *conv) {
  const hone_finish *finish = &conv->finish;
  return conv->y_bf16 && (finish->program || finish->activation.kind > HONE_ACTIVATION_CLAMP);
}

static size_t waiting_pixels(const depthwise *a) {
  return waits(&a->conv) ? (size_t)a->set->pixels : 0;
}

static void run_tile(const depthwise *a, const hone_kernel_io *io, hone_depthwise_tile *tile,
                     size_t channel, size_t pixel, size_t pixels) {
  const hone_conv *conv = &a->conv;
  const hone_finish *finish = &conv->finish;
  if (!waits(conv))
    tile->out = (char *)io->out[conv->y] +
                ((ptrdiff_t)pixel * conv->y_stride + (ptrdiff_t)channel) * element(conv->y_bf16);
  if (finish->residual >= 0)
    tile->residual = (const char *)io->in[finish->residual] +
                     ((ptrdiff_t)pixel * finish->residual_stride + (ptrdiff_t)channel) *
                         element(finish->residual_bf16);
  if (tile->group > 1)
    a->set->run_groups[a->kind][pixels](tile);
  else if (conv->x_bf16)
    a->set->run_bf16[a->kind][pixels](tile);
  else
    a->set->run[a->kind][pixels](tile);
  hone_finish_activation(finish, a->isa, tile->out, tile->out_stride, pixels, tile->channels);
}

/* The program on `pixels` neighbouring pixels that were just computed, at x. */
static void run_program(const depthwise *a, const hone_kernel_io *io, float *x, ptrdiff_t stride,
                        size_t channel, size_t channels, size_t pixel, size_t pixels, int part) {
  const hone_finish *finish = &a->conv.finish;
  finish->program(finish->program_state, io, part, x, stride, pixels, channels, pixel, channel);
}

/* The pixels that wait. */
static void store_waiting(const depthwise *a, const hone_kernel_io *io,
                          const hone_depthwise_tile *tile, size_t channel, size_t pixel,
                          size_t pixels, int part) {
  const hone_conv *conv = &a->conv;
  float *x = tile->out;
  uint16_t *to = (uint16_t *)io->out[conv->y] + (ptrdiff_t)pixel * conv->y_stride + channel;
  if (conv->finish.program)
    run_program(a, io, x, tile->out_stride, channel, tile->channels, pixel, pixels, part);
  for (size_t i = 0; i < pixels; i++)
    a->set->narrow(x + (ptrdiff_t)i * tile->out_stride, tile->channels,
                   to + (ptrdiff_t)i * conv->y_stride);
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const depthwise *a = args;
  const hone_conv *conv = &a->conv;
  const hone_finish *finish = &conv->finish;
  size_t lanes = (size_t)a->set->lanes, steps = hone_conv_taps(conv) * group_of(conv);
  size_t lines = conv->batch * conv->out[D] * conv->out[H];
  hone_work work = {.rows = lines * tiles_of_line(a),
                    .height = 1,
                    .columns = (conv->in_channels + lanes - 1) / lanes,
                    .grain = 1,
                    .row_weight = (double)lines * (double)conv->out[W] * (double)conv->in_channels,
                    .column_weight = (double)conv->in_channels};
  hone_share mine = hone_share_of(&work, part, parts);
  const float *weights = a->weights ? a->weights : io->scratch;
  char *scratch = (char *)io->scratch + conv->scratch_weights + (size_t)part * a->part_scratch;
  const void **window = (const void **)(void *)scratch;
  float *zeros = (float *)(void *)(scratch + window_bytes(a));
  memset(zeros, 0, conv->in_channels * sizeof(float));

  size_t channel = mine.column * lanes, end = mine.column_end * lanes;
  if (channel >= end) return;
  if (end > conv->in_channels) end = conv->in_channels;
  hone_depthwise_tile tile = {.lines = window_lines(a),
                              .channels = end - channel,
                              .weights = weights + channel * steps,
                              .weights_step = steps * lanes,
                              .group = (int)group_of(conv),
                              .window_offset = channel,
                              .bias = finish->bias ? finish->bias + channel : NULL,
                              .residual_stride = finish->residual_stride,
                              .out_stride = conv->y_stride,
                              .residual_bf16 = finish->residual_bf16,
                              .out_bf16 = conv->y_bf16 && !waits(conv),
                              .clamp = finish->activation.kind == HONE_ACTIVATION_CLAMP,
                              .low = finish->activation.a,
                              .high = finish->activation.b};
  if (waits(conv)) {
    tile.out = zeros + hone_align_up(conv->in_channels, 16);
    tile.out_stride = (ptrdiff_t)tile.channels;
  }
  size_t step = a->kind == HONE_WINDOW_1 ? 1 : conv->stride[W]; /* pointers from output to output */
  for (size_t i = mine.row, tiles; i < mine.row_end; i += tiles) {
    tiles = tiles_of_line(a) - i % tiles_of_line(a);
    if (tiles > RUN_TILES) tiles = RUN_TILES;
    if (tiles > mine.row_end - i) tiles = mine.row_end - i;
    size_t pixels;
    place first = tile_place(a, i, &pixels), last = tile_place(a, i + tiles - 1, &pixels);
    size_t all = last.w + pixels - first.w;
    fill_window(a, io->in[conv->x], first, all, zeros, window);
    tile.window_step = window_columns(a, all);
    for (size_t t = 0, fresh = 0; t < tiles; t++) {
      place p = tile_place(a, i + t, &pixels);
      tile.window = window + (p.w - first.w) * step;
      run_tile(a, io, &tile, channel, p.pixel, pixels);
      if (waits(conv)) {
        store_waiting(a, io, &tile, channel, p.pixel, pixels, part);
        continue;
      }
      fresh += pixels;
      if (finish->program && (fresh * tile.channels >= PROGRAM_FLOATS || t == tiles - 1)) {
        size_t from = p.pixel + pixels - fresh;
        float *out = (float *)io->out[conv->y] + (ptrdiff_t)from * conv->y_stride + channel;
        run_program(a, io, out, conv->y_stride, channel, tile.channels, from, fresh, part);
        fresh = 0;
      }
    }
  }
}

hone_status *hone_depthwise_plan(const hone_conv_kernel *kernel, const hone_conv *conv,
                                 const float *packed, hone_arena *arena, hone_kernel_plan *out) {
  depthwise *a = HONE_NEW(arena, depthwise);
  HONE_TRY_MEMORY(a);
  *a = (depthwise){.conv = *conv,
                   .set = kernel->functions,
                   .isa = kernel->isa,
                   .weights = packed,
                   .kind = kind_of(conv)};
  a->window_width = width_of(conv);
  size_t line = hone_align_up(conv->in_channels * sizeof(float), 64);
  a->part_scratch = window_bytes(a) + line * (1 + waiting_pixels(a));
  *out = (hone_kernel_plan){.phases = {run},
                            .phase_count = 1,
                            .args = a,
                            .shared_scratch = conv->scratch_weights,
                            .part_scratch = a->part_scratch};
  return NULL;
}
