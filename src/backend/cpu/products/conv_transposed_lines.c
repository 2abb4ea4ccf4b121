/* Transposed convolution: lines of outputs by remainders of the stride. Room: backend/cpu/products. */
#include "backend/cpu/products/conv_transposed_lines.h"

#include <string.h>

#include "backend/cpu/lines/pixel_line.h"

enum { D = HONE_CONV_DEPTH, H = HONE_CONV_HEIGHT, W = HONE_CONV_WIDTH };

static size_t ceil_divide(size_t a, size_t b) {
  return (a + b - 1) / b;
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

bool hone_transposed_serves(const hone_conv *conv, size_t t, const size_t *r) {
  size_t kw = t % conv->kernel[W], kh = t / conv->kernel[W] % conv->kernel[H];
  size_t kd = t / conv->kernel[W] / conv->kernel[H];
  return serves(conv, D, kd, r[D]) && serves(conv, H, kh, r[H]) && serves(conv, W, kw, r[W]);
}

void hone_transposed_pack(const hone_conv_kernel *kernel, const hone_conv *conv,
                          hone_conv_weights weights, hone_transposed_pack_one *pack,
                          float *packed) {
  size_t r[HONE_CONV_DIMENSIONS];
  for (r[D] = 0; r[D] < conv->stride[D]; r[D]++) {
    for (r[H] = 0; r[H] < conv->stride[H]; r[H]++) {
      for (r[W] = 0; r[W] < conv->stride[W]; r[W]++)
        packed = pack(kernel, conv, weights, r, packed);
    }
  }
}

/* Floats of packed weights before the remainder r, in the order in which pack writes. */
static size_t weights_before(const hone_transposed *a, const size_t *r) {
  const hone_conv *conv = &a->conv;
  size_t all_h = conv->kernel[H], all_w = conv->kernel[W], before = 0;
  for (size_t i = 0; i < r[D]; i++) before += taps_of(conv, D, i) * all_h * all_w;
  size_t of_d = taps_of(conv, D, r[D]), of_h = taps_of(conv, H, r[H]);
  for (size_t i = 0; i < r[H]; i++) before += of_d * taps_of(conv, H, i) * all_w;
  for (size_t i = 0; i < r[W]; i++) before += of_d * of_h * taps_of(conv, W, i);
  return before * a->tap_floats;
}

/* The input coordinate under tap t of output `at`, which it serves; at least in[i], as an unsigned
 * number, when outside. */
static size_t coordinate(const hone_conv *conv, int i, size_t at, size_t t) {
  ptrdiff_t up = (ptrdiff_t)at + conv->pad[i] - (ptrdiff_t)(t * conv->dilation[i]);
  return (size_t)(up / (ptrdiff_t)conv->stride[i]);
}

/* table[tap][i] for outputs at[W] + (first + i) * stride, i < count: their inputs are neighbours.
 */
static void fill(const hone_transposed *a, const float *x, const hone_transposed_run *run, size_t first,
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

size_t hone_transposed_pixel(const hone_conv *conv, const hone_transposed_run *run, size_t first) {
  size_t line = (run->image * conv->out[D] + run->at[D]) * conv->out[H] + run->at[H];
  return line * conv->out[W] + run->at[W] + first * conv->stride[W];
}

/* One line of outputs: each remainder of the width in turn. */
static void run_line(const hone_transposed_worker *w, size_t line) {
  const hone_transposed *a = w->a;
  const hone_conv *conv = &a->conv;
  hone_transposed_run run = {.image = line / conv->out[H] / conv->out[D]};
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
    run.weights = w->weights + weights_before(a, run.r);
    size_t count = ceil_divide(conv->out[W] - from, conv->stride[W]);
    size_t tiles = ceil_divide(count, a->height);
    for (size_t t = 0; t < tiles; t++) {
      size_t first = count * t / tiles, end = count * (t + 1) / tiles;
      fill(a, w->io->in[conv->x], &run, first, end - first, w->zeros, w->table);
      a->make(w, &run, first, end - first);
    }
  }
}

static size_t table_bytes(const hone_conv *conv) {
  return hone_conv_taps(conv) * HONE_TILE_ROWS * sizeof(void *);
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const hone_transposed *a = args;
  const hone_conv *conv = &a->conv;
  size_t lines = conv->batch * conv->out[D] * conv->out[H];
  hone_work work = {.rows = lines,
                    .height = 1,
                    .columns = a->columns,
                    .grain = a->grain,
                    .row_weight = (double)lines * (double)conv->out[W],
                    .column_weight = (double)conv->out_channels};
  hone_transposed_worker w = {.a = a,
              .io = io,
              .weights = a->weights ? a->weights : io->scratch,
              .part = part,
              .share = hone_share_of(&work, part, parts)};
  char *scratch = (char *)io->scratch + conv->scratch_weights + (size_t)part * a->part_scratch;
  float *zeros = (float *)(void *)(scratch + table_bytes(conv));
  memset(zeros, 0, conv->in_channels * sizeof(float));
  w.table = (const void **)(void *)scratch;
  w.zeros = zeros;
  if (w.share.column == w.share.column_end) return;
  for (size_t line = w.share.row; line < w.share.row_end; line++) run_line(&w, line);
}

hone_status *hone_transposed_plan(const hone_transposed *form, hone_arena *arena,
                                  hone_kernel_plan *out) {
  hone_transposed *a = HONE_NEW(arena, hone_transposed);
  HONE_TRY_MEMORY(a);
  *a = *form;
  const hone_conv *conv = &a->conv;
  a->part_scratch = hone_align_up(table_bytes(conv) + conv->in_channels * sizeof(float), 64);
  *out = (hone_kernel_plan){.phases = {run},
                            .phase_count = 1,
                            .args = a,
                            .shared_scratch = conv->scratch_weights,
                            .part_scratch = a->part_scratch};
  return NULL;
}
