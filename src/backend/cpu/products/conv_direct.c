/* Convolution as matrix multiplication by row pointers. Room: backend/cpu/products. */
#include "backend/cpu/products/conv_direct.h"

#include <string.h>

#include "backend/cpu/lines/lanes.h"
#include "backend/cpu/lines/pixel_line.h"
#include "base/pool.h"

enum { D = HONE_CONV_DEPTH, H = HONE_CONV_HEIGHT, W = HONE_CONV_WIDTH };

/* Channels up to which copying the input into padded rows pays. */
#define ROWS_MOST_CHANNELS 8

typedef struct direct {
  hone_sweep sweep;
  hone_conv conv;
  bool copied;           /* operands are in the shared scratch */
  bool fresh_weights;   /* so are weights, which gates have scaled or only the run knows */
  size_t pixel_bytes;    /* from pixel to pixel of the operands */
  size_t padded_width;   /* conv_rows: pixels in a row of the copy */
  size_t shared_scratch; /* bytes of the copy */
  size_t part_scratch;   /* bytes of each part */
} direct;

static const char *operands(const direct *a, const hone_kernel_io *io) {
  return a->copied ? io->scratch : io->in[a->conv.x];
}

static bool is_gemm(const hone_conv *conv) {
  bool unit = hone_conv_taps(conv) == 1 && !conv->x_planar;
  for (int i = 0; i < HONE_CONV_DIMENSIONS; i++) unit = unit && conv->stride[i] == 1;
  return unit;
}

bool hone_conv_direct_accepts(const hone_conv *conv) {
  return !conv->x_planar && hone_conv_is_f32(conv);
}

bool hone_conv_gemm_accepts(const hone_conv *conv) {
  return is_gemm(conv) && hone_conv_is_f32(conv);
}

bool hone_conv_direct_bf16_accepts(const hone_conv *conv) {
  return !conv->x_planar && conv->bf16;
}

bool hone_conv_gemm_bf16_accepts(const hone_conv *conv) {
  return is_gemm(conv) && conv->bf16;
}

static bool has_rows(const hone_conv *conv) {
  return conv->groups == 1 && conv->in_channels <= ROWS_MOST_CHANNELS && conv->dilation[W] == 1;
}

bool hone_conv_rows_accepts(const hone_conv *conv) {
  return hone_conv_is_f32(conv) && has_rows(conv);
}

bool hone_conv_rows_bf16_accepts(const hone_conv *conv) {
  return conv->bf16 && has_rows(conv);
}

size_t hone_conv_direct_pack_size(const hone_conv_kernel *kernel, const hone_conv *conv) {
  return hone_pack_size(kernel->tiles, conv->groups, hone_conv_taps(conv),
                        conv->in_channels / conv->groups, conv->out_channels / conv->groups);
}

void hone_conv_direct_pack(const hone_conv_kernel *kernel, const hone_conv *conv,
                           hone_conv_weights weights, float *packed) {
  size_t columns = conv->out_channels / conv->groups;
  hone_weight_strides strides = {.group = (ptrdiff_t)columns * weights.out_channel,
                                 .tap = weights.tap,
                                 .depth = weights.in_channel,
                                 .column = weights.out_channel};
  hone_pack_weights(kernel->tiles, conv->groups, hone_conv_taps(conv),
                    conv->in_channels / conv->groups, columns, weights.data, strides, packed);
}

static hone_sweep sweep_of(const hone_conv_kernel *kernel, const hone_conv *conv,
                           const float *packed) {
  return (hone_sweep){.tiles = kernel->tiles,
                      .rows = hone_conv_pixels(conv),
                      .groups = conv->groups,
                      .columns = conv->out_channels / conv->groups,
                      .taps = hone_conv_taps(conv),
                      .depth = conv->in_channels / conv->groups,
                      .weights = packed,
                      .out = conv->y,
                      .out_stride = conv->y_stride,
                      .out_bf16 = conv->y_bf16,
                      .finish = conv->finish};
}

/* ---- the copy as bfloat16 ---- */

static void narrow_group(const direct *a, const void *x, size_t from, uint16_t *to) {
  size_t depth = a->sweep.depth, padded = hone_padded_depth(a->sweep.tiles, depth);
  if (a->conv.x_bf16)
    memcpy(to, (const uint16_t *)x + from, depth * sizeof(*to));
  else
    a->sweep.tiles->narrow((const float *)x + from, depth, to);
  memset(to + depth, 0, (padded - depth) * sizeof(*to));
}

static void copy_bf16(const void *args, const hone_kernel_io *io, int part, int parts) {
  const direct *a = args;
  const hone_conv *conv = &a->conv;
  size_t pixels = conv->batch * conv->in[D] * conv->in[H] * conv->in[W], begin, end;
  size_t padded = hone_padded_depth(a->sweep.tiles, a->sweep.depth);
  hone_split(pixels, 1, part, parts, &begin, &end);
  uint16_t *to = (uint16_t *)io->scratch + begin * conv->groups * padded;
  for (size_t pixel = begin; pixel < end; pixel++) {
    for (size_t group = 0; group < conv->groups; group++, to += padded)
      narrow_group(a, io->in[conv->x], pixel * (size_t)conv->x_stride + group * a->sweep.depth, to);
  }
}

/* Where the operands of `a` will be; its sweep and conv are set. */
static hone_status *place_operands(direct *a) {
  const hone_conv *conv = &a->conv;
  size_t padded = hone_padded_depth(a->sweep.tiles, a->sweep.depth), bytes;
  a->copied = conv->bf16 && (!conv->x_bf16 || padded != a->sweep.depth);
  a->pixel_bytes = (size_t)conv->x_stride * (conv->x_bf16 ? sizeof(uint16_t) : sizeof(float));
  if (!a->copied) return NULL;
  a->pixel_bytes = conv->groups * padded * sizeof(uint16_t);
  if (!hone_mul(conv->batch * conv->in[D] * conv->in[H] * conv->in[W], a->pixel_bytes, &bytes) ||
      bytes > SIZE_MAX / 2)
    return hone_error(HONE_LIMIT, "the rounded input of a convolution does not fit in memory");
  a->shared_scratch = hone_align_up(bytes, 64);
  return NULL;
}

static hone_status *plan_sweep(const hone_conv_kernel *kernel, const hone_conv *conv,
                               const float *packed, hone_kernel_phase *run, hone_arena *arena,
                               direct **made, hone_kernel_plan *out) {
  direct *a = *made = HONE_NEW(arena, direct);
  HONE_TRY_MEMORY(a);
  *a = (direct){.sweep = sweep_of(kernel, conv, packed), .conv = *conv};
  hone_sweep_plan(&a->sweep);
  HONE_TRY(place_operands(a));
  if (!packed) {
    a->fresh_weights = true;
    a->shared_scratch = conv->scratch_weights;
  }
  a->part_scratch = hone_sweep_scratch(&a->sweep);
  *out = (hone_kernel_plan){
      .args = a, .shared_scratch = a->shared_scratch, .part_scratch = a->part_scratch};
  if (a->copied) out->phases[out->phase_count++] = copy_bf16;
  out->phases[out->phase_count++] = run;
  return NULL;
}

static char *own_scratch(const direct *a, const hone_kernel_io *io, int part) {
  return (char *)io->scratch + a->shared_scratch + (size_t)part * a->part_scratch;
}

static void run_sweep(const direct *a, hone_sweep_fill *fill, const hone_kernel_io *io, int part,
                      int parts) {
  hone_sweep sweep = a->sweep;
  if (a->fresh_weights) sweep.weights = io->scratch;
  hone_sweep_run(&sweep, fill, a, io, own_scratch(a, io, part), part, parts);
}

/* ---- conv_gemm ---- */

static void fill_gemm(const void *args, const hone_kernel_io *io, size_t row, size_t count,
                      const void *zeros, const void **table) {
  (void)zeros;
  const direct *a = args;
  const char *x = operands(a, io) + row * a->pixel_bytes;
  for (size_t i = 0; i < count; i++) table[i] = x + i * a->pixel_bytes;
}

static void run_gemm(const void *args, const hone_kernel_io *io, int part, int parts) {
  run_sweep(args, fill_gemm, io, part, parts);
}

/* Gates scale the weights where those are fewer than the pixels, and there is one picture. */
static void scale_weights(const void *args, const hone_kernel_io *io, int part, int parts) {
  const direct *a = args;
  hone_scale_weights(a->sweep.tiles, a->sweep.depth, a->sweep.columns, a->sweep.weights,
                     io->in[a->conv.gate], io->scratch, part, parts);
}

static void scale_pixels(const void *args, const hone_kernel_io *io, int part, int parts) {
  const direct *a = args;
  const hone_conv *conv = &a->conv;
  size_t channels = conv->in_channels, of_picture = conv->out[D] * conv->out[H] * conv->out[W];
  size_t begin, end;
  hone_split(of_picture * conv->batch, 1, part, parts, &begin, &end);
  for (size_t pixel = begin; pixel < end; pixel++) {
    const float *x = (const float *)io->in[conv->x] + (ptrdiff_t)pixel * conv->x_stride;
    const float *gate =
        (const float *)io->in[conv->gate] + (ptrdiff_t)(pixel / of_picture) * conv->gate_stride;
    hone_lanes()[HONE_LANE_mul](channels, x, gate, gate, 0, 0,
                                (float *)io->scratch + pixel * channels);
  }
}

static hone_status *plan_gates(const hone_conv_kernel *kernel, direct *a, hone_kernel_plan *plan) {
  size_t bytes, pixels = hone_conv_pixels(&a->conv);
  a->fresh_weights = a->conv.batch == 1 && pixels > a->sweep.columns;
  a->copied = !a->fresh_weights;
  size_t floats = a->fresh_weights ? hone_conv_direct_pack_size(kernel, &a->conv) : pixels;
  if (!hone_mul(floats, a->copied ? a->sweep.depth : 1, &floats) ||
      !hone_mul(floats, sizeof(float), &bytes) || bytes > SIZE_MAX / 2)
    return hone_error(HONE_LIMIT, "what gates scale does not fit in memory");
  if (a->copied) a->pixel_bytes = a->sweep.depth * sizeof(float);
  plan->shared_scratch = a->shared_scratch = hone_align_up(bytes, 64);
  plan->phases[1] = plan->phases[0];
  plan->phases[0] = a->copied ? scale_pixels : scale_weights;
  plan->phase_count = 2;
  return NULL;
}

hone_status *hone_conv_gemm_plan(const hone_conv_kernel *kernel, const hone_conv *conv,
                                 const float *packed, hone_arena *arena, hone_kernel_plan *out) {
  for (int i = 0; i < HONE_CONV_DIMENSIONS; i++) {
    if (conv->pad[i] != 0 || conv->in[i] != conv->out[i])
      return hone_error(HONE_UNSUPPORTED, "conv_gemm takes no padding");
  }
  direct *a;
  HONE_TRY(plan_sweep(kernel, conv, packed, run_gemm, arena, &a, out));
  return conv->gate ? plan_gates(kernel, a, out) : NULL;
}

/* ---- conv_direct ---- */

/* Outputs that are neighbours on one line: the first, and how many. */
typedef struct line_run {
  size_t image, at[HONE_CONV_DIMENSIONS], count;
} line_run;

static line_run run_at(const hone_conv *conv, size_t row, size_t most) {
  line_run run;
  for (int i = HONE_CONV_DIMENSIONS - 1; i >= 0; i--) {
    run.at[i] = row % conv->out[i];
    row /= conv->out[i];
  }
  run.image = row;
  run.count = conv->out[W] - run.at[W] < most ? conv->out[W] - run.at[W] : most;
  return run;
}

/* The input coordinate of the first output's tap; at least in[i], as an unsigned number, when
 * outside. */
static inline size_t coordinate(const hone_conv *conv, const line_run *run, int i, size_t tap) {
  return run->at[i] * conv->stride[i] + tap * conv->dilation[i] - (size_t)conv->pad[i];
}

/* The number of the input line under taps kd and kh, of all images; false when it is outside. */
static bool input_line(const hone_conv *conv, const line_run *run, size_t kd, size_t kh,
                       size_t *line) {
  size_t d = coordinate(conv, run, D, kd), h = coordinate(conv, run, H, kh);
  *line = (run->image * conv->in[D] + d) * conv->in[H] + h;
  return d < conv->in[D] && h < conv->in[H];
}

/* table[tap * HONE_TILE_ROWS + i] for the outputs of a run. */
static void fill_run(const hone_conv *conv, size_t pixel_bytes, const char *x, const line_run *run,
                     const void *zeros, const void **table) {
  hone_pixel_line line = {.width = conv->in[W], .pixel_bytes = pixel_bytes, .zeros = zeros};
  for (size_t kd = 0; kd < conv->kernel[D]; kd++) {
    for (size_t kh = 0; kh < conv->kernel[H]; kh++) {
      size_t number, w = coordinate(conv, run, W, 0);
      bool inside = input_line(conv, run, kd, kh, &number);
      line.first = inside ? x + number * conv->in[W] * pixel_bytes : NULL;
      for (size_t kw = 0; kw < conv->kernel[W]; kw++, w += conv->dilation[W]) {
        hone_point_at_pixels(&line, w, conv->stride[W], run->count, table);
        table += HONE_TILE_ROWS;
      }
    }
  }
}

void hone_conv_point(const hone_conv *conv, size_t pixel_bytes, const char *x, size_t row,
                     size_t count, const void *zeros, const void **table) {
  for (size_t i = 0; i < count;) {
    line_run run = run_at(conv, row + i, count - i);
    fill_run(conv, pixel_bytes, x, &run, zeros, table + i);
    i += run.count;
  }
}

static void fill_direct(const void *args, const hone_kernel_io *io, size_t row, size_t count,
                        const void *zeros, const void **table) {
  const direct *a = args;
  hone_conv_point(&a->conv, a->pixel_bytes, operands(a, io), row, count, zeros, table);
}

static void run_direct(const void *args, const hone_kernel_io *io, int part, int parts) {
  run_sweep(args, fill_direct, io, part, parts);
}

hone_status *hone_conv_direct_plan(const hone_conv_kernel *kernel, const hone_conv *conv,
                                   const float *packed, hone_arena *arena, hone_kernel_plan *out) {
  direct *a;
  return plan_sweep(kernel, conv, packed, run_direct, arena, &a, out);
}

/* ---- conv_rows ---- */

/* Copies pixels first..last of a row of x; channel c of pixel w is at x[w * step + c * plane]. */
static void copy_pixels(const float *x, size_t count, size_t channels, ptrdiff_t step,
                        ptrdiff_t plane, float *to) {
  if (plane == 1 && step == (ptrdiff_t)channels) {
    memcpy(to, x, count * channels * sizeof(float));
    return;
  }
  if (channels == 3) { /* colour pictures */
    for (size_t w = 0; w < count; w++, x += step, to += 3) {
      to[0] = x[0], to[1] = x[plane], to[2] = x[2 * plane];
    }
    return;
  }
  for (size_t w = 0; w < count; w++, x += step) {
    for (size_t c = 0; c < channels; c++) *to++ = x[(ptrdiff_t)c * plane];
  }
}

/* How bfloat16 is copied: channels in pairs, the last beside a zero. */
static size_t copied_channels(const direct *a) {
  return hone_padded_depth(a->sweep.tiles, a->conv.in_channels);
}

/* `count` pixels as bfloat16, by way of `line`, which has room for them. */
static void narrow_pixels(const direct *a, const void *x, size_t count, ptrdiff_t step,
                          ptrdiff_t plane, uint16_t *line, uint16_t *to) {
  size_t channels = a->conv.in_channels, wide = copied_channels(a);
  size_t pixel = plane == 1 ? channels : 1, channel = plane == 1 ? 1 : count;
  size_t runs = plane != 1 ? channels : step == (ptrdiff_t)channels ? 1 : count;
  ptrdiff_t next = plane != 1 ? plane : step;
  for (size_t i = 0, each = count * channels / (runs ? runs : 1); i < runs; i++) {
    if (a->conv.x_bf16)
      memcpy(line + i * each, (const uint16_t *)x + (ptrdiff_t)i * next, each * sizeof(*line));
    else
      a->sweep.tiles->narrow((const float *)x + (ptrdiff_t)i * next, each, line + i * each);
  }
  if (channels == 3 && wide == 4) { /* colour pictures */
    for (size_t w = 0; w < count; w++, line += pixel, to += 4) {
      uint64_t quad = line[0] | (uint64_t)line[channel] << 16 | (uint64_t)line[2 * channel] << 32;
      memcpy(to, &quad, sizeof quad);
    }
    return;
  }
  for (size_t w = 0; w < count; w++, line += pixel, to += wide)
    for (size_t c = 0; c < wide; c++) to[c] = c < channels ? line[c * channel] : 0;
}

/* Phase 1: the lines of all images, with their padding left and right. */
static void copy_rows(const void *args, const hone_kernel_io *io, int part, int parts) {
  const direct *a = args;
  const hone_conv *conv = &a->conv;
  size_t channels = conv->in_channels, planes = conv->in[D] * conv->in[H], begin, end;
  size_t width = conv->in[W], left = conv->pad[W] > 0 ? (size_t)conv->pad[W] : 0;
  size_t crop = conv->pad[W] < 0 ? (size_t)-conv->pad[W] : 0;
  size_t element = conv->x_bf16 ? sizeof(uint16_t) : sizeof(float);
  if (left > a->padded_width) left = a->padded_width;
  size_t inside = width > crop ? width - crop : 0;
  if (inside > a->padded_width - left) inside = a->padded_width - left;
  hone_split(conv->batch * planes, 1, part, parts, &begin, &end);
  for (size_t line = begin; line < end; line++) {
    char *to = (char *)io->scratch + line * a->padded_width * a->pixel_bytes;
    char *first = to + left * a->pixel_bytes, *rest = first + inside * a->pixel_bytes;
    memset(to, 0, left * a->pixel_bytes);
    memset(rest, 0, (a->padded_width - left - inside) * a->pixel_bytes);
    ptrdiff_t step = conv->x_planar ? 1 : conv->x_stride, plane = 1;
    ptrdiff_t at = (ptrdiff_t)(line * width) * step;
    if (conv->x_planar) {
      plane = (ptrdiff_t)(planes * width);
      at = (ptrdiff_t)((line / planes * channels * planes + line % planes) * width);
    }
    const char *x = (const char *)io->in[conv->x] + (at + (ptrdiff_t)crop * step) * (ptrdiff_t)element;
    if (conv->bf16)
      narrow_pixels(a, x, inside, step, plane, (uint16_t *)(void *)own_scratch(a, io, part),
                    (uint16_t *)(void *)first);
    else
      copy_pixels((const float *)(const void *)x, inside, channels, step, plane,
                  (float *)(void *)first);
  }
}

static void fill_from_rows(const void *args, const hone_kernel_io *io, size_t row, size_t count,
                           const void *zeros, const void **table) {
  const direct *a = args;
  const hone_conv *conv = &a->conv;
  hone_pixel_line line = {.width = a->padded_width, .pixel_bytes = a->pixel_bytes, .zeros = zeros};
  for (size_t i = 0; i < count;) {
    line_run run = run_at(conv, row + i, count - i);
    const void **to = table + i;
    for (size_t kd = 0; kd < conv->kernel[D]; kd++) {
      for (size_t kh = 0; kh < conv->kernel[H]; kh++, to += HONE_TILE_ROWS) {
        size_t number;
        bool inside = input_line(conv, &run, kd, kh, &number);
        const char *copy = operands(a, io);
        line.first = inside ? copy + number * a->padded_width * a->pixel_bytes : NULL;
        hone_point_at_pixels(&line, run.at[W] * conv->stride[W], conv->stride[W], run.count, to);
      }
    }
    i += run.count;
  }
}

static void run_rows(const void *args, const hone_kernel_io *io, int part, int parts) {
  run_sweep(args, fill_from_rows, io, part, parts);
}

hone_status *hone_conv_rows_plan(const hone_conv_kernel *kernel, const hone_conv *conv,
                                 const float *packed, hone_arena *arena, hone_kernel_plan *out) {
  direct *a = HONE_NEW(arena, direct);
  HONE_TRY_MEMORY(a);
  *a = (direct){.sweep = sweep_of(kernel, conv, packed), .conv = *conv, .copied = true};
  size_t bytes, line, last = conv->out[W] ? conv->out[W] - 1 : 0;
  size_t channels = copied_channels(a);
  a->pixel_bytes = channels * (size_t)kernel->tiles->operand;
  if (!hone_mul(last, conv->stride[W], &a->padded_width) ||
      !hone_add(a->padded_width, conv->kernel[W], &a->padded_width) ||
      !hone_mul(a->padded_width, a->pixel_bytes, &bytes) ||
      !hone_mul(bytes, conv->batch * conv->in[D] * conv->in[H], &bytes) || bytes > SIZE_MAX / 2 ||
      !hone_mul(conv->in[W], conv->in_channels * sizeof(uint16_t), &line) || line > SIZE_MAX / 2)
    return hone_error(HONE_LIMIT, "the padded input of a convolution does not fit in memory");
  a->shared_scratch = hone_align_up(bytes, 64);
  a->sweep.taps = conv->kernel[D] * conv->kernel[H];
  a->sweep.depth = conv->kernel[W] * channels;
  hone_sweep_plan(&a->sweep);
  a->part_scratch = hone_sweep_scratch(&a->sweep);
  line = conv->bf16 ? hone_align_up(line, 64) : 0;
  if (a->part_scratch < line) a->part_scratch = line;
  *out = (hone_kernel_plan){.phases = {copy_rows, run_rows},
                            .phase_count = 2,
                            .args = a,
                            .shared_scratch = a->shared_scratch,
                            .part_scratch = a->part_scratch};
  return NULL;
}
