/* group_norm, instance_norm and batch_norm nodes, f32: statistics or their absence, then one
 * factor and one summand a channel. Room: backend/cpu/nodes. */
#include <math.h>

#include "backend/cpu/lines/lanes.h"
#include "backend/cpu/nodes/node.h"
#include "backend/cpu/lines/strips.h"
#include "base/pool.h"
#include "ops/axes.h"

enum { X, SCALE, BIAS, MEAN, VARIANCE };

#define WIDTH 256 /* channels taken at once */

typedef struct channels {
  size_t batch, pixels, count, groups; /* pixels around each channel; channels; groups of them */
  bool last;                           /* channels are the last axis, else pixels are */
  double epsilon;
  const hone_strips *strips;
  hone_lane_function *const *lanes;
} channels;

static float element(const hone_kernel_io *io, int input, size_t c, float missing) {
  return io->in[input] ? ((const float *)io->in[input])[c] : missing;
}

/* ---- Channels last -------------------------------------------------------------------------- */

/* total[c] = the sum over pixels of x, or of (x - mean[c])^2. */
static void column_sums(const channels *g, const float *x, const float *mean, size_t count,
                        double *total) {
  float sum[WIDTH], term[WIDTH];
  for (size_t c = 0; c < count; c++) total[c] = 0;
  for (size_t p = 0; p < g->pixels; p += 64) {
    size_t end = g->pixels - p < 64 ? g->pixels : p + 64;
    for (size_t c = 0; c < count; c++) sum[c] = 0;
    for (size_t i = p; i < end; i++) {
      const float *row = x + i * g->count;
      if (mean) {
        g->lanes[HONE_LANE_sub](count, row, mean, mean, 0, 0, term);
        g->lanes[HONE_LANE_mul](count, term, term, term, 0, 0, term);
        row = term;
      }
      g->lanes[HONE_LANE_add](count, sum, row, row, 0, 0, sum);
    }
    for (size_t c = 0; c < count; c++) total[c] += (double)sum[c];
  }
}

/* The sum over a group, whose channels may take several strips. */
static double group_sum(const channels *g, const float *x, size_t width, const float *mean) {
  double total[WIDTH], all = 0;
  for (size_t c = 0; c < width; c += WIDTH) {
    size_t count = width - c < WIDTH ? width - c : WIDTH;
    column_sums(g, x + c, mean, count, total);
    for (size_t i = 0; i < count; i++) all += total[i];
  }
  return all;
}

static void normalise_columns(const channels *g, const hone_kernel_io *io, const float *x, float *y,
                              size_t first, size_t count, const float *mean, const float *inverse) {
  float factor[WIDTH], bias[WIDTH];
  for (size_t c = 0; c < count; c++) {
    factor[c] = inverse[c] * element(io, SCALE, first + c, 1);
    bias[c] = element(io, BIAS, first + c, 0);
  }
  for (size_t p = 0; p < g->pixels; p++) {
    const float *from = x + p * g->count;
    float *to = y + p * g->count;
    g->lanes[HONE_LANE_sub](count, from, mean, mean, 0, 0, to);
    g->strips->normalise(to, count, 0, 1, factor, bias, to);
  }
}

/* Groups of one channel each: statistics of a strip of them together. */
static void run_single(const channels *g, const hone_kernel_io *io, size_t at, size_t first,
                       size_t count) {
  const float *x = (const float *)io->in[X] + at;
  double total[WIDTH], pixels = (double)g->pixels;
  float mean[WIDTH], inverse[WIDTH];
  column_sums(g, x, NULL, count, total);
  for (size_t c = 0; c < count; c++) mean[c] = (float)(total[c] / pixels);
  column_sums(g, x, mean, count, total);
  for (size_t c = 0; c < count; c++) inverse[c] = (float)(1 / sqrt(total[c] / pixels + g->epsilon));
  normalise_columns(g, io, x, (float *)io->out[0] + at, first, count, mean, inverse);
}

static void run_group(const channels *g, const hone_kernel_io *io, size_t at, size_t first,
                      size_t width) {
  const float *x = (const float *)io->in[X] + at;
  float mean[WIDTH], inverse[WIDTH];
  double terms = (double)g->pixels * (double)width;
  double centre = group_sum(g, x, width, NULL) / terms;
  for (size_t c = 0; c < WIDTH; c++) mean[c] = (float)centre;
  double variance = group_sum(g, x, width, mean) / terms;
  for (size_t c = 0; c < WIDTH; c++) inverse[c] = (float)(1 / sqrt(variance + g->epsilon));
  for (size_t c = 0; c < width; c += WIDTH)
    normalise_columns(g, io, x + c, (float *)io->out[0] + at + c, first + c,
                      width - c < WIDTH ? width - c : WIDTH, mean, inverse);
}

static void run_last(const void *args, const hone_kernel_io *io, int part, int parts) {
  const channels *g = args;
  size_t width = g->count / g->groups, step = width == 1 ? WIDTH : width;
  size_t strips = (g->count + step - 1) / step, begin, end;
  hone_split(g->batch * strips, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t first = i % strips * step, left = g->count - first;
    size_t at = i / strips * g->pixels * g->count + first;
    if (width == 1)
      run_single(g, io, at, first, left < WIDTH ? left : WIDTH);
    else
      run_group(g, io, at, first, width);
  }
}

/* ---- Channels before the pixels ------------------------------------------------------------- */

static void normalise_row(const channels *g, const float *x, float mean, float factor, float bias,
                          float *y) {
  g->strips->normalise(x, g->pixels, mean, factor, NULL, NULL, y);
  if (bias != 0) g->strips->normalise(y, g->pixels, -bias, 1, NULL, NULL, y);
}

static void run_first(const void *args, const hone_kernel_io *io, int part, int parts) {
  const channels *g = args;
  size_t width = g->count / g->groups, run = width * g->pixels, begin, end;
  hone_split(g->batch * g->groups, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    const float *x = (const float *)io->in[X] + i * run;
    float mean = (float)(g->strips->sum(x, run, 0) / (double)run);
    double variance = g->strips->deviation(x, run, mean) / (double)run;
    float inverse = (float)(1 / sqrt(variance + g->epsilon));
    for (size_t c = 0; c < width; c++) {
      size_t channel = i % g->groups * width + c;
      normalise_row(g, x + c * g->pixels, mean, inverse * element(io, SCALE, channel, 1),
                    element(io, BIAS, channel, 0), (float *)io->out[0] + i * run + c * g->pixels);
    }
  }
}

/* ---- Given statistics ----------------------------------------------------------------------- */

static float factor_of(const channels *g, const hone_kernel_io *io, size_t c) {
  return (float)((double)element(io, SCALE, c, 1) /
                 sqrt((double)element(io, VARIANCE, c, 1) + g->epsilon));
}

static void run_batch_last(const void *args, const hone_kernel_io *io, int part, int parts) {
  const channels *g = args;
  const float *mean = io->in[MEAN], *bias = io->in[BIAS];
  size_t begin, end;
  hone_split(g->batch, 1, part, parts, &begin, &end);
  for (size_t first = 0; first < g->count; first += WIDTH) {
    float factor[WIDTH];
    size_t count = g->count - first < WIDTH ? g->count - first : WIDTH;
    for (size_t c = 0; c < count; c++) factor[c] = factor_of(g, io, first + c);
    for (size_t p = begin; p < end; p++) {
      const float *x = (const float *)io->in[X] + p * g->count + first;
      float *y = (float *)io->out[0] + p * g->count + first;
      g->lanes[HONE_LANE_sub](count, x, mean + first, mean + first, 0, 0, y);
      g->strips->normalise(y, count, 0, 1, factor, bias + first, y);
    }
  }
}

static void run_batch_first(const void *args, const hone_kernel_io *io, int part, int parts) {
  const channels *g = args;
  size_t begin, end;
  hone_split(g->batch * g->count, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t c = i % g->count;
    normalise_row(g, (const float *)io->in[X] + i * g->pixels, element(io, MEAN, c, 0),
                  factor_of(g, io, c), element(io, BIAS, c, 0),
                  (float *)io->out[0] + i * g->pixels);
  }
}

/* ---- Planning ------------------------------------------------------------------------------- */

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    if (in && in->type.dtype != HONE_F32) return false;
  }
  return true;
}

static hone_status *new_channels(const hone_node_view *view, hone_arena *arena, hone_line *line,
                                 channels **out) {
  const hone_shape *x = &view->in[X]->shape;
  channels *g = HONE_NEW(arena, channels);
  HONE_TRY_MEMORY(g);
  int axis = 0;
  (void)hone_axis(hone_node_int(view->node, "axis"), x->rank, &axis);
  *line = hone_line_of(x, axis);
  g->count = line->size;
  g->epsilon = hone_node_real(view->node, "epsilon");
  g->last = line->inner == 1;
  g->strips = hone_strips_here();
  g->lanes = hone_lanes();
  *out = g;
  return NULL;
}

static hone_status *plan_group(const hone_cpu_kernel *row, const hone_node_view *view,
                               hone_arena *arena, hone_node_plan *out) {
  channels *g;
  hone_line line;
  HONE_TRY(new_channels(view, arena, &line, &g));
  bool instance = row->op == &hone_op_instance_norm;
  g->groups = instance ? g->count : (size_t)hone_node_int(view->node, "groups");
  g->batch = (size_t)view->in[X]->shape.dim[0];
  size_t around = g->batch ? line.outer / g->batch : 0;
  if (!g->last && around != 1)
    return hone_error(HONE_UNSUPPORTED, "channels in the middle of the pixels");
  g->pixels = g->last ? around : line.inner;
  if (g->count == 0 || g->pixels == 0) g->batch = 0;
  if (g->count == 0) g->groups = g->count = 1;
  out->work = (double)g->batch * (double)g->pixels * (double)g->count * 0.3;
  out->kernel = hone_one_phase(g->last ? run_last : run_first, g);
  return NULL;
}

static hone_status *plan_batch(const hone_cpu_kernel *row, const hone_node_view *view,
                               hone_arena *arena, hone_node_plan *out) {
  (void)row;
  channels *g;
  hone_line line;
  HONE_TRY(new_channels(view, arena, &line, &g));
  g->batch = line.outer;
  g->pixels = line.inner;
  out->work = (double)g->batch * (double)g->pixels * (double)g->count * 0.1;
  out->kernel = hone_one_phase(g->last ? run_batch_last : run_batch_first, g);
  return NULL;
}

const hone_node_functions hone_node_group_norm = {.accepts = accepts, .plan = plan_group};
const hone_node_functions hone_node_batch_norm = {.accepts = accepts, .plan = plan_batch};
