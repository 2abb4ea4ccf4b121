/* Transposed convolution by blocks of outputs. Room: backend/cpu/products. */
#include "backend/cpu/products/conv_transposed_blocks.h"

#include <string.h>

#include "backend/cpu/lines/pixel_line.h"
#include "base/pool.h"

enum { D = HONE_CONV_DEPTH, H = HONE_CONV_HEIGHT, W = HONE_CONV_WIDTH };

#define MOST_CHANNELS 8   /* from there on channels alone fill vectors well enough */
#define MOST_PIXELS   256 /* of a block */

/* Neighbouring columns of a panel that lie together in the output: whole pixels of one line, or a
 * part of one pixel. */
typedef struct piece {
  size_t panel, column, floats; /* the panel's first column; from there on */
  size_t d, h, w, channel; /* the first pixel in its block */
} piece;

typedef struct blocks {
  hone_conv conv;
  const hone_tile_set *tiles;
  const float *weights;              /* NULL: at the start of the scratch */
  const float *bias;                 /* one a column, or NULL */
  size_t columns, taps;              /* floats of a block; inputs that one reads */
  const size_t (*back)[HONE_CONV_DIMENSIONS]; /* of each input: how many blocks back */
  const piece *pieces;               /* of all panels, one after the other */
  size_t piece_count;
  size_t grid[HONE_CONV_DIMENSIONS]; /* blocks that cover the outputs, from -pad on */
  bool merge;                        /* pixels of a line of outputs are contiguous */
  size_t part_scratch;
} blocks;

static size_t ceil_divide(size_t a, size_t b) {
  return (a + b - 1) / b;
}
static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Inputs along axis i that a block reads: its own and those before it. */
static size_t reach_of(const hone_conv *conv, int i) {
  return (conv->kernel[i] - 1) * conv->dilation[i] / conv->stride[i] + 1;
}

/* Pixels of a block, and inputs that it reads; false where there are too many. */
static bool sizes_of(const hone_conv *conv, size_t *pixels, size_t *taps) {
  *pixels = *taps = 1;
  for (int i = 0; i < HONE_CONV_DIMENSIONS; i++)
    if (!hone_mul(*pixels, conv->stride[i], pixels) || !hone_mul(*taps, reach_of(conv, i), taps))
      return false;
  return *pixels <= MOST_PIXELS;
}

bool hone_transposed_blocks_accepts(const hone_conv *conv) {
  size_t pixels, taps;
  return conv->groups == 1 && conv->out_channels <= MOST_CHANNELS && !conv->x_planar &&
         hone_conv_is_f32(conv) && sizes_of(conv, &pixels, &taps) && pixels > 1;
}

size_t hone_transposed_blocks_pack_size(const hone_conv_kernel *kernel, const hone_conv *conv) {
  size_t pixels, taps;
  if (!sizes_of(conv, &pixels, &taps)) return 0;
  return hone_pack_size(kernel->tiles, 1, taps, conv->in_channels, pixels * conv->out_channels);
}

/* The coordinates of number `index`, the last axis being the fastest. */
static void position_of(size_t index, const size_t *size, size_t *at) {
  for (int i = HONE_CONV_DIMENSIONS - 1; i >= 0; i--) {
    at[i] = index % size[i];
    index /= size[i];
  }
}

/* The tap of the kernel by which the input `back` blocks back, along each axis, reaches pixel `pixel` of
 * a block; false where there is none. */
static bool kernel_tap(const hone_conv *conv, const size_t *back, const size_t *pixel,
                       size_t *tap) {
  *tap = 0;
  for (int i = 0; i < HONE_CONV_DIMENSIONS; i++) {
    size_t way = back[i] * conv->stride[i] + pixel[i], t = way / conv->dilation[i];
    if (way % conv->dilation[i] != 0 || t >= conv->kernel[i]) return false;
    *tap = *tap * conv->kernel[i] + t;
  }
  return true;
}

/* Column pixel * out_channels + m: found element by element, since two strides lead there. */
void hone_transposed_blocks_pack(const hone_conv_kernel *kernel, const hone_conv *conv,
                                 hone_conv_weights weights, float *packed) {
  size_t reach[HONE_CONV_DIMENSIONS], back[HONE_CONV_DIMENSIONS], at[HONE_CONV_DIMENSIONS];
  size_t lanes = (size_t)kernel->tiles->lanes, m = conv->out_channels, pixels, taps, tap;
  (void)sizes_of(conv, &pixels, &taps);
  for (int i = 0; i < HONE_CONV_DIMENSIONS; i++) reach[i] = reach_of(conv, i);
  size_t vectors = ceil_divide(pixels * m, lanes);
  for (size_t v = 0, wide; v < vectors; v += wide) {
    wide = hone_panel_vectors(kernel->tiles, vectors - v);
    for (size_t t = 0; t < taps; t++) {
      position_of(t, reach, back);
      for (size_t j = v * lanes; j < (v + wide) * lanes; j++) {
        position_of(j / m, conv->stride, at);
        bool there = j < pixels * m && kernel_tap(conv, back, at, &tap);
        const float *from = weights.data + (ptrdiff_t)(j % m) * weights.out_channel +
                            (there ? (ptrdiff_t)tap * weights.tap : 0);
        for (size_t c = 0; c < conv->in_channels; c++)
          packed[c * wide * lanes + j - v * lanes] =
              there ? from[(ptrdiff_t)c * weights.in_channel] : 0;
      }
      packed += conv->in_channels * wide * lanes;
    }
  }
}

/* Blocks first..first + count of one line of blocks. */
typedef struct span {
  size_t image, d, h, first, count;
} span;

static piece piece_at(const blocks *a, size_t panel, size_t column, size_t width) {
  const hone_conv *conv = &a->conv;
  size_t m = conv->out_channels, all = panel + column, at[HONE_CONV_DIMENSIONS];
  position_of(all / m, conv->stride, at);
  piece p = {.panel = panel, .column = column, .d = at[D], .h = at[H], .w = at[W], .channel = all % m};
  size_t left = width - column, pixels = a->merge ? conv->stride[W] - p.w : 1;
  if (p.channel || left < m)
    p.floats = smaller(m - p.channel, left);
  else
    p.floats = smaller(pixels, left / m) * m;
  return p;
}

/* The number of the first pixel of the output line that a piece lies on; false when there is no
 * such line. */
static bool piece_line(const blocks *a, const span *s, const piece *p, size_t *line) {
  const hone_conv *conv = &a->conv;
  size_t d = s->d * conv->stride[D] + p->d - (size_t)conv->pad[D];
  size_t h = s->h * conv->stride[H] + p->h - (size_t)conv->pad[H];
  *line = ((s->image * conv->out[D] + d) * conv->out[H] + h) * conv->out[W];
  return d < conv->out[D] && h < conv->out[H];
}

/* Of a piece of block `w`: the place on its line of the first pixel that exists, and which floats
 * of the piece do. */
typedef struct cut {
  size_t pixel, skip, floats; /* no floats: nothing exists, or all was cut off */
} cut;

static inline cut piece_cut(const blocks *a, const piece *p, size_t w) {
  const hone_conv *conv = &a->conv;
  ptrdiff_t first = (ptrdiff_t)(w * conv->stride[W] + p->w) - conv->pad[W];
  ptrdiff_t m = (ptrdiff_t)conv->out_channels, end = (ptrdiff_t)p->floats;
  ptrdiff_t lost = first < 0 ? -first : 0, room = ((ptrdiff_t)conv->out[W] - first) * m;
  if (end > room) end = room;
  if (lost * m >= end) return (cut){0};
  return (cut){(size_t)(first + lost), (size_t)(lost * m), (size_t)(end - lost * m)};
}

typedef struct worker {
  const blocks *a;
  const hone_kernel_io *io;
  const float *weights;
  int part;
  const void **table; /* [taps][HONE_TILE_ROWS] */
  const float *zeros;
  float *hot, *residual; /* [height][panel] each */
} worker;

static size_t hot_stride(const blocks *a) {
  return (size_t)a->tiles->panel * (size_t)a->tiles->lanes;
}

static void gather_residual(const worker *w, const span *s, const piece *p) {
  const blocks *a = w->a;
  const hone_finish *finish = &a->conv.finish;
  const float *from = w->io->in[finish->residual];
  size_t line;
  if (!piece_line(a, s, p, &line)) return;
  for (size_t i = 0; i < s->count; i++) {
    cut c = piece_cut(a, p, s->first + i);
    const float *at = from + (ptrdiff_t)(line + c.pixel) * finish->residual_stride + p->channel;
    memcpy(w->residual + i * hot_stride(a) + p->column + c.skip, at, c.floats * sizeof(float));
  }
}

/* `count` times `floats` elements. */
static inline void copy_runs(const float *from, size_t from_step, float *to, size_t to_step,
                             size_t count, const size_t floats) {
  for (size_t i = 0; i < count; i++, from += from_step, to += to_step)
    for (size_t j = 0; j < floats; j++) to[j] = from[j];
}

/* Lays out a piece of the blocks begin..end, which exists as a whole in each of them. */
static void lay_out_whole(const worker *w, const piece *p, const span *s, size_t line, size_t begin,
                          size_t end) {
  const hone_conv *conv = &w->a->conv;
  size_t from_step = hot_stride(w->a), to_step = conv->stride[W] * (size_t)conv->y_stride;
  size_t pixel = line + (s->first + begin) * conv->stride[W] + p->w - (size_t)conv->pad[W];
  const float *from = w->hot + begin * from_step + p->column;
  float *to = (float *)w->io->out[conv->y] + pixel * (size_t)conv->y_stride + p->channel;
  switch (p->floats) { /* lengths that compilers know take no loop */
    case 1: copy_runs(from, from_step, to, to_step, end - begin, 1); break;
    case 2: copy_runs(from, from_step, to, to_step, end - begin, 2); break;
    case 4: copy_runs(from, from_step, to, to_step, end - begin, 4); break;
    case 8: copy_runs(from, from_step, to, to_step, end - begin, 8); break;
    default: copy_runs(from, from_step, to, to_step, end - begin, p->floats);
  }
}

/* The blocks of a span in which a piece exists as a whole and no program looks at it: begin..end. */
static void whole_blocks(const worker *w, const piece *p, const span *s, size_t *begin,
                         size_t *end) {
  *begin = 0;
  *end = w->a->conv.finish.program ? 0 : s->count;
  while (*begin < *end && piece_cut(w->a, p, s->first + *begin).floats != p->floats) ++*begin;
  while (*begin < *end && piece_cut(w->a, p, s->first + *end - 1).floats != p->floats) --*end;
}

static void lay_out(const worker *w, const span *s, const piece *p) {
  const blocks *a = w->a;
  const hone_conv *conv = &a->conv;
  const hone_finish *finish = &conv->finish;
  float *y = w->io->out[conv->y];
  size_t line, begin, end;
  if (!piece_line(a, s, p, &line)) return;
  whole_blocks(w, p, s, &begin, &end);
  if (begin < end) lay_out_whole(w, p, s, line, begin, end);
  for (size_t i = 0; i < s->count; i++) {
    if (i >= begin && i < end) continue;
    cut c = piece_cut(a, p, s->first + i);
    const float *from = w->hot + i * hot_stride(a) + p->column + c.skip;
    float *to = y + (ptrdiff_t)(line + c.pixel) * conv->y_stride + p->channel;
    for (size_t j = 0; j < c.floats; j++) to[j] = from[j];
    size_t wide = smaller(c.floats, conv->out_channels);
    if (finish->program && wide)
      finish->program(finish->program_state, w->io, w->part, to, conv->y_stride, c.floats / wide,
                      wide, line + c.pixel, p->channel);
  }
}

static void run_span(const worker *w, const span *s) {
  const blocks *a = w->a;
  const hone_finish *finish = &a->conv.finish;
  size_t lanes = (size_t)a->tiles->lanes, vectors = ceil_divide(a->columns, lanes);
  hone_tile tile = {.rows = w->table,
                    .taps = a->taps,
                    .depth = a->conv.in_channels,
                    .out = w->hot,
                    .out_stride = (ptrdiff_t)hot_stride(a),
                    .residual_stride = (ptrdiff_t)hot_stride(a),
                    .clamp = finish->activation.kind == HONE_ACTIVATION_CLAMP,
                    .low = finish->activation.a,
                    .high = finish->activation.b};
  const piece *p = a->pieces, *end = p + a->piece_count;
  for (size_t v = 0, wide; v < vectors; v += wide) {
    wide = hone_panel_vectors(a->tiles, vectors - v);
    size_t panel = v * lanes, width = smaller(a->columns - panel, wide * lanes);
    tile.weights = w->weights + panel * a->taps * a->conv.in_channels;
    tile.bias = a->bias ? a->bias + panel : NULL;
    tile.tail = (int)(width - (wide - 1) * lanes);
    for (const piece *r = p; finish->residual >= 0 && r < end && r->panel == panel; r++)
      gather_residual(w, s, r);
    if (finish->residual >= 0) tile.residual = w->residual;
    a->tiles->run[wide][s->count](&tile);
    if (finish->activation.kind > HONE_ACTIVATION_CLAMP)
      hone_activate(a->tiles->isa, finish->activation, w->hot, tile.out_stride, s->count, width);
    for (; p < end && p->panel == panel; p++) lay_out(w, s, p);
  }
}

/* Points at the inputs of a span, tap by tap. */
static void fill(const worker *w, const span *s) {
  const hone_conv *conv = &w->a->conv;
  size_t bytes = (size_t)conv->x_stride * sizeof(float);
  for (size_t t = 0; t < w->a->taps; t++) {
    const size_t *back = w->a->back[t];
    size_t d = s->d - back[D], h = s->h - back[H];
    size_t number = (s->image * conv->in[D] + d) * conv->in[H] + h;
    hone_pixel_line line = {.width = conv->in[W], .pixel_bytes = bytes, .zeros = w->zeros};
    if (d < conv->in[D] && h < conv->in[H])
      line.first = (const char *)w->io->in[conv->x] + number * conv->in[W] * bytes;
    hone_point_at_pixels(&line, s->first - back[W], 1, s->count, w->table + t * HONE_TILE_ROWS);
  }
}

static size_t table_bytes(const blocks *a) {
  return hone_align_up(a->taps * HONE_TILE_ROWS * sizeof(void *), 64);
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const blocks *a = args;
  const hone_conv *conv = &a->conv;
  size_t height = (size_t)a->tiles->height, hot = height * hot_stride(a), begin, end;
  char *own = (char *)io->scratch + conv->scratch_weights + (size_t)part * a->part_scratch;
  memset(own, 0, a->part_scratch); /* zeros, and residuals that do not exist */
  float *scratch = (float *)(void *)(own + table_bytes(a));
  worker w = {.a = a,
              .io = io,
              .weights = a->weights ? a->weights : io->scratch,
              .part = part,
              .table = (const void **)(void *)own,
              .hot = scratch,
              .residual = scratch + hot,
              .zeros = scratch + 2 * hot};
  hone_split(conv->batch * a->grid[D] * a->grid[H], 1, part, parts, &begin, &end);
  size_t spans = ceil_divide(a->grid[W], height);
  for (size_t i = begin; i < end; i++) {
    span s = {.image = i / a->grid[H] / a->grid[D],
              .d = i / a->grid[H] % a->grid[D],
              .h = i % a->grid[H]};
    for (size_t t = 0; t < spans; t++) {
      s.first = a->grid[W] * t / spans;
      s.count = a->grid[W] * (t + 1) / spans - s.first;
      fill(&w, &s);
      run_span(&w, &s);
    }
  }
}

/* What does not depend on the place of a span. */
static hone_status *list_places(blocks *a, hone_arena *arena) {
  size_t reach[HONE_CONV_DIMENSIONS], lanes = (size_t)a->tiles->lanes;
  size_t vectors = ceil_divide(a->columns, lanes);
  size_t(*back)[HONE_CONV_DIMENSIONS] = hone_arena_array(arena, a->taps, sizeof *back);
  piece *pieces = HONE_NEW_ARRAY(arena, a->columns, piece);
  HONE_TRY_MEMORY(back);
  HONE_TRY_MEMORY(pieces);
  for (int i = 0; i < HONE_CONV_DIMENSIONS; i++) reach[i] = reach_of(&a->conv, i);
  for (size_t t = 0; t < a->taps; t++) position_of(t, reach, back[t]);
  for (size_t v = 0, wide; v < vectors; v += wide) {
    wide = hone_panel_vectors(a->tiles, vectors - v);
    size_t width = smaller(a->columns - v * lanes, wide * lanes);
    for (size_t column = 0; column < width; column += pieces[a->piece_count++].floats)
      pieces[a->piece_count] = piece_at(a, v * lanes, column, width);
  }
  a->back = (const size_t(*)[HONE_CONV_DIMENSIONS])back;
  a->pieces = pieces;
  return NULL;
}

hone_status *hone_transposed_blocks_plan(const hone_conv_kernel *kernel, const hone_conv *conv,
                                         const float *packed, hone_arena *arena,
                                         hone_kernel_plan *out) {
  blocks *a = HONE_NEW(arena, blocks);
  HONE_TRY_MEMORY(a);
  *a = (blocks){.conv = *conv, .tiles = kernel->tiles, .weights = packed};
  size_t m = conv->out_channels;
  (void)sizes_of(conv, &a->columns, &a->taps);
  a->columns *= m;
  a->merge = conv->y_stride == (ptrdiff_t)m &&
             (conv->finish.residual < 0 || conv->finish.residual_stride == (ptrdiff_t)m);
  for (int i = 0; i < HONE_CONV_DIMENSIONS; i++) {
    if (conv->pad[i] < 0)
      return hone_error(HONE_UNSUPPORTED, "a transposed convolution with negative padding");
    a->grid[i] = ceil_divide(conv->out[i] + (size_t)conv->pad[i], conv->stride[i]);
  }
  HONE_TRY(list_places(a, arena));
  if (conv->finish.bias) {
    float *bias = HONE_NEW_ARRAY(arena, a->columns, float);
    HONE_TRY_MEMORY(bias);
    for (size_t j = 0; j < a->columns; j++) bias[j] = conv->finish.bias[j % m];
    a->bias = bias;
  }
  size_t hot = (size_t)a->tiles->height * hot_stride(a);
  a->part_scratch =
      table_bytes(a) + hone_align_up((2 * hot + conv->in_channels) * sizeof(float), 64);
  *out = (hone_kernel_plan){.phases = {run},
                            .phase_count = 1,
                            .args = a,
                            .shared_scratch = conv->scratch_weights,
                            .part_scratch = a->part_scratch};
  return NULL;
}
