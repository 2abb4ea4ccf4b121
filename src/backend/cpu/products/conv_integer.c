/* Convolution and matrix products of bytes. Room: backend/cpu/products. */
#include "backend/cpu/products/conv_integer.h"

#include <string.h>

#include "backend/cpu/products/conv_direct.h"
#include "base/pool.h"

enum { D = HONE_CONV_DEPTH, H = HONE_CONV_HEIGHT, W = HONE_CONV_WIDTH };

/* Channels up to which lines of x are copied with their padding. */
#define LINES_MOST_CHANNELS 8

typedef struct plan {
  hone_conv_integer c;
  hone_conv seen; /* the convolution over the copy, or over x itself */
  bool lines;
  size_t pixel_bytes, padded_width, shared_scratch;
} plan;

bool hone_conv_integer_copies_lines(const hone_conv *conv) {
  return conv->groups == 1 && conv->in_channels <= LINES_MOST_CHANNELS && conv->kernel[W] > 1 &&
         conv->dilation[W] == 1;
}

static size_t padded(size_t depth) {
  return hone_align_up(depth, HONE_INTEGER_STEP);
}

hone_integer_weights hone_conv_integer_shape(const hone_conv *conv) {
  size_t columns = conv->out_channels / conv->groups, depth = conv->in_channels / conv->groups;
  hone_integer_weights w = {
      .groups = conv->groups, .taps = hone_conv_taps(conv), .depth = depth, .columns = columns};
  ptrdiff_t row = (ptrdiff_t)conv->out_channels;
  if (hone_conv_integer_copies_lines(conv)) {
    w.taps = conv->kernel[D] * conv->kernel[H];
    w.depth = conv->kernel[W] * padded(depth);
  }
  w.strides = (hone_weight_strides){
      .group = (ptrdiff_t)columns, .tap = (ptrdiff_t)w.depth * row, .depth = row, .column = 1};
  return w;
}

hone_status *hone_conv_integer_weights(const hone_conv *conv, const int16_t *data,
                                       hone_arena *arena, hone_integer_weights *out) {
  *out = hone_conv_integer_shape(conv);
  out->data = data;
  size_t depth = conv->in_channels, row = conv->out_channels, count;
  if (!hone_conv_integer_copies_lines(conv) || padded(depth) == depth) return NULL;
  if (!hone_mul(out->taps * out->depth, row, &count))
    return hone_error(HONE_LIMIT, "the weights of a convolution are too large");
  int16_t *wide = HONE_NEW_ARRAY(arena, count + 1, int16_t);
  HONE_TRY_MEMORY(wide);
  for (size_t t = 0; t < hone_conv_taps(conv); t++)
    memcpy(wide + t * padded(depth) * row, data + t * depth * row, depth * row * sizeof *data);
  out->data = wide;
  return NULL;
}

/* ---- Copies ---------------------------------------------------------------------------------- */

static uint8_t zero_byte(const plan *a, const hone_kernel_io *io) {
  return (uint8_t)(hone_integer_zero(&a->c.sweep, io) ^ (a->c.sweep.is_signed ? 0x80 : 0));
}

/* `count` pixels of 3 bytes as quads: all but the last are read as four bytes. */
static void copy_colours(const uint8_t *x, size_t count, uint8_t zero, uint8_t *to) {
  uint32_t last = (uint32_t)zero << 24, quad;
  size_t i = 0;
  for (; i + 1 < count; i++) {
    memcpy(&quad, x + i * 3, sizeof quad);
    quad = (quad & 0xffffff) | last;
    memcpy(to + i * 4, &quad, sizeof quad);
  }
  for (; i < count; i++) {
    memcpy(to + i * 4, x + i * 3, 3);
    to[i * 4 + 3] = zero;
  }
}

static void copy_pixels(const uint8_t *x, size_t count, size_t channels, size_t stride,
                        uint8_t zero, uint8_t *to) {
  if (channels == 3 && stride == 3) {
    copy_colours(x, count, zero, to);
    return;
  }
  for (size_t i = 0; i < count; i++, x += stride, to += padded(channels)) {
    memcpy(to, x, channels);
    memset(to + channels, zero, padded(channels) - channels);
  }
}

/* The same from planes. */
static void copy_planes(const uint8_t *x, size_t count, size_t channels, size_t plane, uint8_t zero,
                        uint8_t *to) {
  if (channels == 3) {
    for (size_t i = 0; i < count; i++) {
      uint32_t quad = x[i] | (uint32_t)x[i + plane] << 8 | (uint32_t)x[i + 2 * plane] << 16 |
                      (uint32_t)zero << 24;
      memcpy(to + i * 4, &quad, sizeof quad);
    }
    return;
  }
  for (size_t i = 0; i < count; i++, to += padded(channels))
    for (size_t c = 0; c < padded(channels); c++) to[c] = c < channels ? x[i + c * plane] : zero;
}

/* The lines of all images with their padding left and right. */
static void copy_lines(const void *args, const hone_kernel_io *io, int part, int parts) {
  const plan *a = args;
  const hone_conv *conv = &a->c.conv;
  size_t lines = conv->batch * conv->in[D] * conv->in[H], width = conv->in[W], begin, end;
  size_t left = conv->pad[W] > 0 ? (size_t)conv->pad[W] : 0, wide = a->padded_width;
  size_t crop = conv->pad[W] < 0 ? (size_t)-conv->pad[W] : 0, pixel = padded(conv->in_channels);
  size_t inside = width > crop ? width - crop : 0;
  uint8_t zero = zero_byte(a, io);
  if (left > wide) left = wide;
  if (inside > wide - left) inside = wide - left;
  hone_split(lines, 1, part, parts, &begin, &end);
  for (size_t line = begin; line < end; line++) {
    uint8_t *to = (uint8_t *)io->scratch + line * wide * pixel;
    const uint8_t *x = io->in[conv->x];
    memset(to, zero, left * pixel);
    if (conv->x_planar) {
      size_t planes = conv->in[D] * conv->in[H], image = line / planes * conv->in_channels * planes;
      copy_planes(x + (image + line % planes) * width + crop, inside, conv->in_channels,
                  planes * width, zero, to + left * pixel);
    } else {
      x += (line * width + crop) * (size_t)conv->x_stride;
      copy_pixels(x, inside, conv->in_channels, (size_t)conv->x_stride, zero, to + left * pixel);
    }
    memset(to + (left + inside) * pixel, zero, (wide - left - inside) * pixel);
  }
}

/* Pixels with each group padded to quads. */
static void copy_groups(const void *args, const hone_kernel_io *io, int part, int parts) {
  const plan *a = args;
  const hone_conv *conv = &a->c.conv;
  size_t pixels = conv->batch * conv->in[D] * conv->in[H] * conv->in[W], begin, end;
  size_t depth = conv->in_channels / conv->groups;
  hone_split(pixels, 1, part, parts, &begin, &end);
  for (size_t pixel = begin; pixel < end; pixel++)
    copy_pixels((const uint8_t *)io->in[conv->x] + pixel * (size_t)conv->x_stride, conv->groups,
                depth, depth, zero_byte(a, io), (uint8_t *)io->scratch + pixel * a->pixel_bytes);
}

/* ---- Running --------------------------------------------------------------------------------- */

static void fill(const void *args, const hone_kernel_io *io, size_t row, size_t count,
                 const void *zeros, const void **table) {
  const plan *a = args;
  const char *x = a->shared_scratch ? io->scratch : io->in[a->c.conv.x];
  hone_conv_point(&a->seen, a->pixel_bytes, x, row, count, zeros, table);
}

/* A single tap that never leaves x. */
static void fill_rows(const void *args, const hone_kernel_io *io, size_t row, size_t count,
                      const void *zeros, const void **table) {
  const plan *a = args;
  const char *x = a->shared_scratch ? io->scratch : io->in[a->c.conv.x];
  (void)zeros;
  for (size_t i = 0; i < count; i++) table[i] = x + (row + i) * a->pixel_bytes;
}

static bool is_product(const hone_conv *conv) {
  bool product = hone_conv_taps(conv) == 1;
  for (int i = 0; i < HONE_CONV_DIMENSIONS; i++)
    product = product && conv->stride[i] == 1 && conv->pad[i] == 0 && conv->in[i] == conv->out[i];
  return product;
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const plan *a = args;
  size_t bytes = hone_integer_sweep_scratch(&a->c.sweep);
  char *scratch = (char *)io->scratch + a->shared_scratch + (size_t)part * bytes;
  hone_integer_sweep_run(&a->c.sweep, is_product(&a->seen) ? fill_rows : fill, a, io, scratch, part,
                         parts);
}

/* Where the rows of x will be; false when a copy would not fit in memory. */
static bool place_rows(plan *a) {
  const hone_conv *conv = &a->c.conv;
  size_t depth = conv->in_channels / conv->groups, lines = conv->batch * conv->in[D] * conv->in[H];
  size_t pixels = conv->in[W], bytes;
  a->lines = hone_conv_integer_copies_lines(conv);
  a->pixel_bytes = (size_t)conv->x_stride;
  if (!a->lines && depth % HONE_INTEGER_STEP == 0) return true;
  a->pixel_bytes = conv->groups * padded(depth);
  if (a->lines) {
    size_t last = conv->out[W] ? conv->out[W] - 1 : 0;
    if (!hone_mul(last, conv->stride[W], &pixels) || !hone_add(pixels, conv->kernel[W], &pixels))
      return false;
    a->padded_width = a->seen.in[W] = pixels;
    a->seen.kernel[W] = 1; /* the other taps follow the first in memory */
    a->seen.pad[W] = 0;
  }
  if (!hone_mul(pixels, a->pixel_bytes, &bytes) || !hone_mul(bytes, lines, &bytes) ||
      bytes > SIZE_MAX / 2)
    return false;
  a->shared_scratch = hone_align_up(bytes + 1, 64);
  return true;
}

hone_status *hone_conv_integer_plan(const hone_conv_integer *in, hone_arena *arena,
                                    hone_kernel_plan *out) {
  plan *a = HONE_NEW(arena, plan);
  HONE_TRY_MEMORY(a);
  *a = (plan){.c = *in, .seen = in->conv};
  if (!place_rows(a))
    return hone_error(HONE_LIMIT, "the padded input of a convolution does not fit in memory");
  hone_integer_sweep *sweep = &a->c.sweep;
  hone_integer_weights shape = hone_conv_integer_shape(&in->conv);
  sweep->rows = hone_conv_pixels(&in->conv);
  sweep->groups = shape.groups;
  sweep->columns = shape.columns;
  sweep->taps = shape.taps;
  sweep->depth = shape.depth;
  sweep->out_stride = in->conv.y_stride;
  hone_integer_sweep_plan(sweep);
  *out = (hone_kernel_plan){.args = a,
                            .shared_scratch = a->shared_scratch,
                            .part_scratch = hone_integer_sweep_scratch(sweep)};
  if (a->shared_scratch) out->phases[out->phase_count++] = a->lines ? copy_lines : copy_groups;
  out->phases[out->phase_count++] = run;
  return NULL;
}
