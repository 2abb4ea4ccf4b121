/* lrn nodes of floats: each pixel's squares are added up over neighbouring channels.
 * Room: backend/cpu/nodes. */
#include <math.h>
#include <string.h>

#include "backend/cpu/lines/lanes.h"
#include "backend/cpu/nodes/node.h"
#include "base/pool.h"

typedef struct lrn {
  size_t pixels, channels, before, size; /* channels before and in all that are added up */
  double scale, bias, beta;
  hone_lane_function *const *lanes;
  size_t part_scratch;
} lrn;

/* y = x * sum^-beta; three quarters, which nearly everybody takes, by roots. */
static void scale_pixel(const lrn *l, const float *x, float *sum, float *y) {
  size_t n = l->channels;
  if (l->beta == 0.75) {
    l->lanes[HONE_LANE_sqrt](n, sum, sum, sum, 0, 0, sum);
    l->lanes[HONE_LANE_sqrt](n, sum, sum, sum, 0, 0, y);
    l->lanes[HONE_LANE_mul](n, sum, y, y, 0, 0, sum);
    l->lanes[HONE_LANE_div](n, x, sum, sum, 0, 0, y);
    return;
  }
  l->lanes[HONE_LANE_log](n, sum, sum, sum, 0, 0, sum);
  for (size_t c = 0; c < n; c++) sum[c] *= -(float)l->beta;
  l->lanes[HONE_LANE_exp](n, sum, sum, sum, 0, 0, sum);
  l->lanes[HONE_LANE_mul](n, x, sum, sum, 0, 0, y);
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const lrn *l = args;
  const float bias = (float)l->bias, scale = (float)l->scale;
  float *squares = (float *)((char *)io->scratch + (size_t)part * l->part_scratch);
  size_t begin, end, n = l->channels, padded = n + l->size;
  float *sum = squares + hone_align_up(padded, 16);
  memset(squares, 0, padded * sizeof(float)); /* zeros stay before and after the channels */
  hone_split(l->pixels, 1, part, parts, &begin, &end);
  for (size_t p = begin; p < end; p++) {
    const float *x = (const float *)io->in[0] + p * n;
    float *own = squares + l->before;
    l->lanes[HONE_LANE_mul](n, x, x, x, 0, 0, own);
    memcpy(sum, squares, n * sizeof(float));
    for (size_t i = 1; i < l->size; i++)
      l->lanes[HONE_LANE_add](n, sum, squares + i, squares, 0, 0, sum);
    for (size_t c = 0; c < n; c++) sum[c] = bias + scale * sum[c];
    scale_pixel(l, x, sum, (float *)io->out[0] + p * n);
  }
}

static void run_f64(const void *args, const hone_kernel_io *io, int part, int parts) {
  const lrn *l = args;
  size_t begin, end, n = l->channels, after = l->size - l->before; /* the channel itself too */
  hone_split(l->pixels, 1, part, parts, &begin, &end);
  for (size_t p = begin; p < end; p++) {
    const double *x = (const double *)io->in[0] + p * n;
    double *y = (double *)io->out[0] + p * n;
    for (size_t c = 0; c < n; c++) {
      size_t first = c > l->before ? c - l->before : 0, last = after < n - c ? c + after : n;
      double sum = 0;
      for (size_t i = first; i < last; i++) sum += x[i] * x[i];
      y[c] = x[c] / pow(l->bias + l->scale * sum, l->beta);
    }
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  return dtype == HONE_F32 || dtype == HONE_F64;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape;
  int64_t size = hone_node_int(view->node, "size");
  int64_t channels = x->dim[x->rank - 1];
  lrn *l = HONE_NEW(arena, lrn);
  HONE_TRY_MEMORY(l);
  bool wide = view->in[0]->dtype == HONE_F64;
  *l = (lrn){.pixels = hone_shape_span(x, 0, x->rank - 1),
             .channels = (size_t)channels,
             .scale = hone_node_real(view->node, "alpha") / (double)size,
             .bias = hone_node_real(view->node, "bias"),
             .beta = hone_node_real(view->node, "beta"),
             .lanes = hone_lanes()};
  if (size > 2 * channels + 1) size = 2 * channels + 1; /* all channels, for each of them */
  l->size = (size_t)size;
  l->before = (size_t)(size - 1) / 2;
  l->part_scratch =
      hone_align_up((hone_align_up(l->channels + l->size, 16) + l->channels) * sizeof(float), 64);
  double each = wide ? (double)l->size + 20 : 0.1 * (double)l->size + 0.5;
  out->work = (double)l->pixels * (double)l->channels * each;
  out->kernel = hone_one_phase(wide ? run_f64 : run, l);
  out->kernel.part_scratch = l->part_scratch;
  return NULL;
}

const hone_node_functions hone_node_lrn = {.accepts = accepts, .plan = plan};
