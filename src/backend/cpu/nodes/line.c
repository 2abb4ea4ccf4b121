/* hardmax, lp_norm and, in doubles, softmax and log_softmax: line by line along an axis.
 * Room: backend/cpu/nodes.
 *
 * A line is gathered into doubles, computed, and put back; lp_norm of f32 goes by vectors instead,
 * strips of neighbouring lines where the axis is not the last. */
#include <math.h>
#include <string.h>

#include "backend/cpu/lines/lanes.h"
#include "backend/cpu/lines/short.h"
#include "backend/cpu/nodes/node.h"
#include "backend/cpu/lines/strips.h"
#include "base/pool.h"
#include "ops/axes.h"

enum {
  WIDTH = 256,        /* lines in a strip */
  SHORT = 32,         /* elements of a line that is turned */
  COUNTABLE = 1 << 24 /* hone_short's extreme counts so far */
};

typedef struct lines lines;
/* `count` elements become the result, in place. */
typedef void line_function(const lines *l, double *x, size_t count);

struct lines {
  hone_line line;
  hone_dtype dtype;
  line_function *function;
  bool squares;          /* lp_norm: of 2, else of 1 */
  double floor, epsilon; /* of its sum */
  const hone_strips *strips;
  hone_lane_function *const *lanes;
  size_t part_scratch;
};

/* ---- One line in doubles -------------------------------------------------------------------- */

static double greatest(const double *x, size_t count) {
  double most = x[0];
  for (size_t i = 1; i < count; i++)
    if (x[i] > most || x[i] != x[i]) most = x[i];
  return most;
}

static void softmax_line(const lines *l, double *x, size_t count) {
  (void)l;
  double most = greatest(x, count), sum = 0;
  for (size_t i = 0; i < count; i++) sum += x[i] = exp(x[i] - most);
  for (size_t i = 0; i < count; i++) x[i] /= sum;
}

static void log_softmax_line(const lines *l, double *x, size_t count) {
  (void)l;
  double most = greatest(x, count), sum = 0;
  for (size_t i = 0; i < count; i++) sum += exp(x[i] - most);
  sum = log(sum);
  for (size_t i = 0; i < count; i++) x[i] = x[i] - most - sum;
}

static void hardmax_line(const lines *l, double *x, size_t count) {
  (void)l;
  size_t best = 0;
  for (size_t i = 1; i < count; i++)
    if (x[i] > x[best] || (x[i] != x[i] && x[best] == x[best])) best = i;
  for (size_t i = 0; i < count; i++) x[i] = i == best;
}

/* The norm of a line of which that is the sum. */
static double norm_of(const lines *l, double sum) {
  double norm = (sum < l->floor ? l->floor : sum) + l->epsilon;
  return l->squares ? sqrt(norm) : norm;
}

static void norm_line(const lines *l, double *x, size_t count) {
  double sum = 0, norm;
  for (size_t i = 0; i < count; i++) sum += l->squares ? x[i] * x[i] : fabs(x[i]);
  norm = norm_of(l, sum);
  for (size_t i = 0; norm != 0 && i < count; i++) x[i] /= norm;
}

static void run_lines(const void *args, const hone_kernel_io *io, int part, int parts) {
  const lines *l = args;
  double *x = (double *)((char *)io->scratch + (size_t)part * l->part_scratch);
  size_t begin, end, size = l->line.size, inner = l->line.inner;
  hone_split(size ? l->line.outer * inner : 0, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t at = i / inner * size * inner + i % inner;
    if (inner == 1)
      hone_load_reals(l->dtype, io->in[0], at, size, x);
    else
      for (size_t k = 0; k < size; k++) x[k] = hone_load_real(l->dtype, io->in[0], at + k * inner);
    l->function(l, x, size);
    if (inner == 1)
      hone_store_reals(l->dtype, io->out[0], at, size, x);
    else
      for (size_t k = 0; k < size; k++) hone_store_real(l->dtype, io->out[0], at + k * inner, x[k]);
  }
}

/* ---- hardmax of f32 ------------------------------------------------------------------------- */

/* Long lines along the last axis. */
static void run_hardmax_rows(const void *args, const hone_kernel_io *io, int part, int parts) {
  const lines *l = args;
  size_t begin, end, size = l->line.size;
  hone_split(size ? l->line.outer : 0, 1, part, parts, &begin, &end);
  for (size_t o = begin; o < end; o++) {
    const float *x = (const float *)io->in[0] + o * size;
    float *y = (float *)io->out[0] + o * size, most = l->strips->max(x, size);
    size_t best = 0;
    if (most == most)
      while (x[best] != most) best++;
    else
      while (x[best] == x[best]) best++;
    memset(y, 0, size * sizeof *y);
    y[best] = 1;
  }
}

/* Short ones, turned into columns. */
static void run_hardmax_short(const void *args, const hone_kernel_io *io, int part, int parts) {
  const lines *l = args;
  const hone_short *columns = hone_short_here();
  float turned[SHORT * WIDTH];
  int64_t best[WIDTH];
  size_t begin, end, size = l->line.size;
  hone_split(l->line.outer, 1, part, parts, &begin, &end);
  for (size_t i = begin, count; i < end; i += count) {
    float *y = (float *)io->out[0] + i * size;
    count = end - i < WIDTH ? end - i : WIDTH;
    columns->turn((const float *)io->in[0] + i * size, size, count, turned, WIDTH);
    columns->extreme(turned, WIDTH, size, count, false, false, best);
    memset(y, 0, count * size * sizeof *y);
    for (size_t k = 0; k < count; k++) y[k * size + (size_t)best[k]] = 1;
  }
}

/* Lines that lie side by side. */
static void run_hardmax_strips(const void *args, const hone_kernel_io *io, int part, int parts) {
  const lines *l = args;
  const hone_short *columns = hone_short_here();
  int64_t best[WIDTH];
  size_t inner = l->line.inner, strips = (inner + WIDTH - 1) / WIDTH, begin, end;
  hone_split(l->line.outer * strips, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t column = i % strips * WIDTH, left = inner - column, count = left < WIDTH ? left : WIDTH;
    size_t at = i / strips * l->line.size * inner + column;
    float *y = (float *)io->out[0] + at;
    columns->extreme((const float *)io->in[0] + at, inner, l->line.size, count, false, false, best);
    for (size_t k = 0; k < l->line.size; k++) memset(y + k * inner, 0, count * sizeof *y);
    for (size_t k = 0; k < count; k++) y[(size_t)best[k] * inner + k] = 1;
  }
}

static hone_kernel_phase *hardmax_phase(const lines *l) {
  if (l->dtype != HONE_F32 || l->line.size == 0 || l->line.size >= COUNTABLE) return NULL;
  if (l->line.inner > 1) return run_hardmax_strips;
  return l->line.size <= SHORT ? run_hardmax_short : run_hardmax_rows;
}

/* ---- lp_norm of f32 ------------------------------------------------------------------------- */

static float factor_of(const lines *l, double sum) {
  double norm = norm_of(l, sum);
  return norm != 0 ? (float)(1 / norm) : 1;
}

static void run_norm_rows(const void *args, const hone_kernel_io *io, int part, int parts) {
  const lines *l = args;
  size_t begin, end, size = l->line.size;
  hone_split(l->line.outer, 1, part, parts, &begin, &end);
  for (size_t o = begin; o < end; o++) {
    const float *x = (const float *)io->in[0] + o * size;
    double sum = (l->squares ? l->strips->square : l->strips->abs)(x, size, 0);
    l->strips->normalise(x, size, 0, factor_of(l, sum), NULL, NULL, (float *)io->out[0] + o * size);
  }
}

/* `count` neighbouring lines. */
static void norm_strip(const lines *l, const float *x, float *y, size_t count) {
  float sum[WIDTH] = {0}, term[WIDTH];
  size_t inner = l->line.inner;
  hone_lane lane = l->squares ? HONE_LANE_mul : HONE_LANE_abs;
  for (size_t i = 0; i < l->line.size; i++) {
    const float *row = x + i * inner;
    l->lanes[lane](count, row, row, row, 0, 0, term);
    l->lanes[HONE_LANE_add](count, sum, term, term, 0, 0, sum);
  }
  for (size_t c = 0; c < count; c++) sum[c] = factor_of(l, (double)sum[c]);
  for (size_t i = 0; i < l->line.size; i++)
    l->lanes[HONE_LANE_mul](count, x + i * inner, sum, sum, 0, 0, y + i * inner);
}

static void run_norm_strips(const void *args, const hone_kernel_io *io, int part, int parts) {
  const lines *l = args;
  size_t inner = l->line.inner, strips = (inner + WIDTH - 1) / WIDTH, begin, end;
  hone_split(l->line.outer * strips, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t column = i % strips * WIDTH, left = inner - column;
    size_t at = i / strips * l->line.size * inner + column;
    norm_strip(l, (const float *)io->in[0] + at, (float *)io->out[0] + at,
               left < WIDTH ? left : WIDTH);
  }
}

/* ---- Planning ------------------------------------------------------------------------------- */

static line_function *function_of(const hone_node *node) {
  if (node->op == &hone_op_softmax) return softmax_line;
  if (node->op == &hone_op_log_softmax) return log_softmax_line;
  if (node->op == &hone_op_hardmax) return hardmax_line;
  return norm_line;
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  bool soft = row->op == &hone_op_softmax || row->op == &hone_op_log_softmax;
  return dtype == HONE_F64 || (dtype == HONE_F32 && !soft);
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  const hone_shape *x = &view->in[0]->shape;
  lines *l = HONE_NEW(arena, lines);
  HONE_TRY_MEMORY(l);
  int axis = 0;
  (void)hone_axis(hone_node_int(view->node, "axis"), x->rank, &axis);
  *l = (lines){.line = hone_line_of(x, axis),
               .dtype = view->in[0]->dtype,
               .function = function_of(view->node),
               .strips = hone_strips_here(),
               .lanes = hone_lanes()};
  if (row->op == &hone_op_lp_norm) {
    l->squares = hone_node_int(view->node, "p") == 2;
    l->floor = hone_node_real(view->node, "floor");
    l->epsilon = hone_node_real(view->node, "epsilon");
  }
  bool vectors = row->op == &hone_op_lp_norm && l->dtype == HONE_F32;
  double count = (double)l->line.outer * (double)l->line.size * (double)l->line.inner;
  out->work = count * (vectors ? 0.2 : 4);
  if (vectors) {
    out->kernel = hone_one_phase(l->line.inner == 1 ? run_norm_rows : run_norm_strips, l);
    return NULL;
  }
  if (row->op == &hone_op_hardmax && hardmax_phase(l)) {
    out->kernel = hone_one_phase(hardmax_phase(l), l);
    return NULL;
  }
  if (!hone_mul(l->line.size, sizeof(double), &l->part_scratch))
    return hone_error(HONE_LIMIT, "lines of too many elements");
  l->part_scratch = hone_align_up(l->part_scratch, 64);
  out->kernel = hone_one_phase(run_lines, l);
  out->kernel.part_scratch = l->part_scratch;
  return NULL;
}

const hone_node_functions hone_node_line = {.accepts = accepts, .plan = plan};
