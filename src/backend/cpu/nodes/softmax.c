/* softmax and log_softmax nodes, f32. Room: backend/cpu/nodes.
 *
 * Along the last axis a row at a time, short ones many; along another in strips of neighbouring
 * lines. */
#include <math.h>
#include <string.h>

#include "backend/cpu/lines/lanes.h"
#include "backend/cpu/lines/short.h"
#include "backend/cpu/nodes/node.h"
#include "backend/cpu/lines/strips.h"
#include "base/pool.h"
#include "ops/axes.h"

#define WIDTH 256 /* lines in a strip */
#define ROWS  128 /* elements of each that are added up by themselves: rounding errors stay small */

typedef struct softmax {
  hone_line line;
  bool log;
  const hone_strips *strips;
  hone_lane_function *const *lanes;
} softmax;

static void run_row(const softmax *s, const float *x, float *y) {
  size_t n = s->line.size;
  float most = s->strips->max(x, n);
  if (s->log) {
    double sum = s->strips->exp(x, n, most);
    s->strips->less(x, n, most, (float)log(sum), y);
    return;
  }
  double sum = s->strips->exponentials(x, n, most, y);
  s->strips->normalise(y, n, 0, (float)(1 / sum), NULL, NULL, y);
}

static void run_rows(const void *args, const hone_kernel_io *io, int part, int parts) {
  const softmax *s = args;
  size_t begin, end;
  hone_split(s->line.outer, 1, part, parts, &begin, &end);
  for (size_t o = begin; o < end; o++) {
    size_t at = o * s->line.size;
    run_row(s, (const float *)io->in[0] + at, (float *)io->out[0] + at);
  }
}

static void run_short(const void *args, const hone_kernel_io *io, int part, int parts) {
  const softmax *s = args;
  size_t begin, end, size = s->line.size;
  hone_split(s->line.outer, 1, part, parts, &begin, &end);
  hone_short_here()->softmax((const float *)io->in[0] + begin * size, size, end - begin, s->log,
                             (float *)io->out[0] + begin * size);
}

/* `count` neighbouring lines; both tensors step by `inner` from element to element of a line. */
static void run_strip(const softmax *s, const float *x, float *y, size_t count) {
  float most[WIDTH], sum[WIDTH], sums[WIDTH], term[WIDTH];
  size_t inner = s->line.inner;
  for (size_t c = 0; c < count; c++) {
    most[c] = -INFINITY;
    sum[c] = sums[c] = 0;
  }
  for (size_t i = 0; i < s->line.size; i++)
    s->lanes[HONE_LANE_max](count, most, x + i * inner, most, 0, 0, most);
  for (size_t i = 0; i < s->line.size; i++) {
    float *out = s->log ? term : y + i * inner;
    s->lanes[HONE_LANE_sub](count, x + i * inner, most, most, 0, 0, out);
    s->lanes[HONE_LANE_exp](count, out, out, out, 0, 0, out);
    s->lanes[HONE_LANE_add](count, sums, out, out, 0, 0, sums);
    if ((i + 1) % ROWS != 0 && i + 1 != s->line.size) continue;
    s->lanes[HONE_LANE_add](count, sum, sums, sums, 0, 0, sum);
    memset(sums, 0, count * sizeof(float));
  }
  if (s->log) s->lanes[HONE_LANE_log](count, sum, sum, sum, 0, 0, sum);
  for (size_t i = 0; i < s->line.size; i++) {
    float *out = y + i * inner;
    if (s->log) {
      s->lanes[HONE_LANE_sub](count, x + i * inner, most, most, 0, 0, out);
      s->lanes[HONE_LANE_sub](count, out, sum, sum, 0, 0, out);
    } else {
      s->lanes[HONE_LANE_div](count, out, sum, sum, 0, 0, out);
    }
  }
}

static void run_strips(const void *args, const hone_kernel_io *io, int part, int parts) {
  const softmax *s = args;
  size_t inner = s->line.inner, strips = (inner + WIDTH - 1) / WIDTH, begin, end;
  hone_split(s->line.outer * strips, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t column = i % strips * WIDTH, left = inner - column;
    size_t at = i / strips * s->line.size * inner + column;
    run_strip(s, (const float *)io->in[0] + at, (float *)io->out[0] + at,
              left < WIDTH ? left : WIDTH);
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return node->inputs[0].value->type.dtype == HONE_F32;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape;
  softmax *s = HONE_NEW(arena, softmax);
  HONE_TRY_MEMORY(s);
  int axis = 0;
  (void)hone_axis(hone_node_int(view->node, "axis"), x->rank, &axis);
  s->line = hone_line_of(x, axis);
  s->log = view->node->op == &hone_op_log_softmax;
  s->strips = hone_strips_here();
  s->lanes = hone_lanes();
  out->work = (double)(s->line.outer * s->line.size * s->line.inner) * 0.4;
  bool is_short = s->line.size > 0 && s->line.size <= hone_short_here()->most;
  out->kernel = hone_one_phase(s->line.inner != 1 ? run_strips : is_short ? run_short : run_rows, s);
  return NULL;
}

const hone_node_functions hone_node_softmax = {.accepts = accepts, .plan = plan};
