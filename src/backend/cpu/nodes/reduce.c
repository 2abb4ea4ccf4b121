/* reduce nodes, f32, over any axes. Room: backend/cpu/nodes.
 *
 * Neighbouring axes that are both reduced or both kept are joined. If the last one is reduced,
 * rows are added up one by one; if it is kept, strips of columns are. Outputs are split, or what a
 * fixed number of rows comes to: the bits do not depend on the parts. */
#include <math.h>
#include <string.h>

#include "backend/cpu/lines/lanes.h"
#include "backend/cpu/nodes/reduce_axes.h"
#include "backend/cpu/lines/short.h"
#include "backend/cpu/lines/strips.h"
#include "base/pool.h"

#define WIDTH 256 /* columns in a strip */
#define FLUSH 64  /* rows that are added up in float before they are in double */
#define SHORT 32  /* lines of no more exponentials are turned around first */
#define LINE  256 /* lines of no more elements are added up many at a time */

enum { TURNED = 4096 }; /* elements at a time, in the first-level cache */

typedef struct reduction {
  hone_reduce_kind kind;
  hone_reduce_axes axes;
  const hone_strips *strips;
  hone_lane_function *const *lanes;
} reduction;

/* ---- One output from rows ------------------------------------------------------------------- */

static double product(const float *x, size_t count) {
  double result = 1;
  for (size_t i = 0; i < count; i++) result *= (double)x[i];
  return result;
}

static double row_of(const reduction *r, hone_reduce_kind what, const float *x, float shift) {
  const hone_strips *s = r->strips;
  switch (what) {
    case HONE_REDUCE_MAX:
      return (double)s->max(x, r->axes.run);
    case HONE_REDUCE_MIN:
      return (double)s->min(x, r->axes.run);
    case HONE_REDUCE_PROD:
      return product(x, r->axes.run);
    case HONE_REDUCE_L1:
      return s->abs(x, r->axes.run, 0);
    case HONE_REDUCE_L2:
    case HONE_REDUCE_SUM_SQUARE:
      return s->square(x, r->axes.run, 0);
    case HONE_REDUCE_LOG_SUM_EXP:
      return s->exp(x, r->axes.run, shift);
    default:
      return s->sum(x, r->axes.run, 0);
  }
}

static double start_of(hone_reduce_kind what) {
  if (what == HONE_REDUCE_MAX) return -INFINITY;
  return what == HONE_REDUCE_MIN ? INFINITY : what == HONE_REDUCE_PROD ? 1 : 0;
}

static double combine(hone_reduce_kind what, double a, double b) {
  if (what == HONE_REDUCE_MAX) return a != a || b <= a ? a : b;
  if (what == HONE_REDUCE_MIN) return a != a || b >= a ? a : b;
  return what == HONE_REDUCE_PROD ? a * b : a + b;
}

static double finished(const reduction *r, double value, double shift) {
  switch (r->kind) {
    case HONE_REDUCE_MEAN:
      return value / r->axes.terms;
    case HONE_REDUCE_L2:
      return sqrt(value);
    case HONE_REDUCE_LOG_SUM:
      return log(value);
    case HONE_REDUCE_LOG_SUM_EXP:
      return shift + log(value);
    default:
      return value;
  }
}

static double all_rows(const reduction *r, hone_reduce_kind what, const float *x, float shift) {
  double value = start_of(what);
  for (size_t g = 0; g < r->axes.gone.count; g++)
    value = combine(what, value, row_of(r, what, x + hone_reduce_offset(&r->axes.gone, g), shift));
  return value;
}

static void run_rows(const void *args, const hone_kernel_io *io, int part, int parts) {
  const reduction *r = args;
  float *y = io->out[0];
  size_t begin, end;
  hone_split(r->axes.kept.count, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    const float *x = (const float *)io->in[0] + hone_reduce_offset(&r->axes.kept, i);
    double shift = r->kind == HONE_REDUCE_LOG_SUM_EXP ? all_rows(r, HONE_REDUCE_MAX, x, 0) : 0;
    if (!(fabs(shift) < INFINITY))
      y[i] = (float)shift;
    else
      y[i] = (float)finished(r, all_rows(r, r->kind, x, (float)shift), shift);
  }
}

/* ---- A strip of outputs from columns -------------------------------------------------------- */

/* term[] = what one row adds; the row itself where it is that. */
static const float *term_of(const reduction *r, hone_reduce_kind what, const float *x,
                            const float *shift, size_t count, float *term) {
  if (what == HONE_REDUCE_L1)
    r->lanes[HONE_LANE_abs](count, x, x, x, 0, 0, term);
  else if (what == HONE_REDUCE_L2 || what == HONE_REDUCE_SUM_SQUARE)
    r->lanes[HONE_LANE_mul](count, x, x, x, 0, 0, term);
  else if (what == HONE_REDUCE_LOG_SUM_EXP) {
    r->lanes[HONE_LANE_sub](count, x, shift, shift, 0, 0, term);
    r->lanes[HONE_LANE_exp](count, term, term, term, 0, 0, term);
  } else
    return x;
  return term;
}

/* total[] with what some rows came to. */
static void add_up(hone_reduce_kind what, const float *some, size_t count, double *total) {
  bool extreme = what == HONE_REDUCE_MAX || what == HONE_REDUCE_MIN;
  for (size_t c = 0; !extreme && c < count; c++) total[c] += (double)some[c];
  for (size_t c = 0; extreme && c < count; c++) total[c] = combine(what, total[c], (double)some[c]);
}

/* sum[] = what rows begin..end, at most FLUSH, come to in float. */
static void few_rows(const reduction *r, hone_reduce_kind what, const float *x, const float *shift,
                     size_t begin, size_t end, size_t count, float *sum) {
  float space[WIDTH];
  hone_lane lane = what == HONE_REDUCE_MAX   ? HONE_LANE_max
                   : what == HONE_REDUCE_MIN ? HONE_LANE_min
                                             : HONE_LANE_add;
  for (size_t c = 0; c < count; c++) sum[c] = (float)start_of(what);
  for (size_t i = begin; i < end; i++) {
    const float *row = x + hone_reduce_offset(&r->axes.gone, i);
    const float *term = term_of(r, what, row, shift, count, space);
    r->lanes[lane](count, sum, term, term, 0, 0, sum);
  }
}

static void all_columns(const reduction *r, hone_reduce_kind what, const float *x,
                        const float *shift, size_t count, double *total) {
  size_t rows = r->axes.gone.count;
  float sum[WIDTH];
  for (size_t c = 0; c < count; c++) total[c] = start_of(what);
  for (size_t i = 0; what == HONE_REDUCE_PROD && i < rows; i++) {
    const float *row = x + hone_reduce_offset(&r->axes.gone, i);
    for (size_t c = 0; c < count; c++) total[c] *= (double)row[c];
  }
  for (size_t g = 0; what != HONE_REDUCE_PROD && g < rows; g += FLUSH) {
    few_rows(r, what, x, shift, g, rows - g < FLUSH ? rows : g + FLUSH, count, sum);
    add_up(what, sum, count, total);
  }
}

/* y[] becomes what is made of the totals that it holds. */
static void finish_strip(const reduction *r, size_t count, const float *shift, float *y) {
  const float terms = (float)r->axes.terms;
  if (r->kind == HONE_REDUCE_MEAN)
    for (size_t c = 0; c < count; c++) y[c] /= terms;
  if (r->kind == HONE_REDUCE_L2) r->lanes[HONE_LANE_sqrt](count, y, y, y, 0, 0, y);
  if (r->kind == HONE_REDUCE_LOG_SUM || r->kind == HONE_REDUCE_LOG_SUM_EXP)
    r->lanes[HONE_LANE_log](count, y, y, y, 0, 0, y);
  if (r->kind != HONE_REDUCE_LOG_SUM_EXP) return;
  for (size_t c = 0; c < count; c++) y[c] = fabsf(shift[c]) < INFINITY ? shift[c] + y[c] : shift[c];
}

/* The totals of few rows need no doubles, and a float holds the count of them. */
static void run_few_rows(const reduction *r, const float *x, size_t count, float *y) {
  float shift[WIDTH] = {0};
  size_t rows = r->axes.gone.count;
  if (r->kind == HONE_REDUCE_LOG_SUM_EXP)
    few_rows(r, HONE_REDUCE_MAX, x, NULL, 0, rows, count, shift);
  few_rows(r, r->kind, x, shift, 0, rows, count, y);
  finish_strip(r, count, shift, y);
}

static void run_strip(const reduction *r, const float *x, size_t count, float *y) {
  double total[WIDTH];
  float shift[WIDTH] = {0};
  bool shifted = r->kind == HONE_REDUCE_LOG_SUM_EXP;
  if (r->axes.gone.count <= FLUSH && r->kind != HONE_REDUCE_PROD) {
    run_few_rows(r, x, count, y);
    return;
  }
  if (shifted) all_columns(r, HONE_REDUCE_MAX, x, NULL, count, total);
  for (size_t c = 0; shifted && c < count; c++) shift[c] = (float)total[c];
  all_columns(r, r->kind, x, shift, count, total);
  for (size_t c = 0; c < count; c++) y[c] = (float)(shifted ? total[c] : finished(r, total[c], 0));
  if (shifted) finish_strip(r, count, shift, y);
}

typedef void fold_lines(const float *x, size_t size, size_t lines, float *y);

static fold_lines *fold_of(hone_reduce_kind kind) {
  const hone_short *s = hone_short_here();
  switch (kind) {
    case HONE_REDUCE_MAX:
      return s->max;
    case HONE_REDUCE_MIN:
      return s->min;
    case HONE_REDUCE_PROD:
      return s->prod;
    case HONE_REDUCE_L1:
      return s->abs;
    case HONE_REDUCE_L2:
    case HONE_REDUCE_SUM_SQUARE:
      return s->square;
    default:
      return s->sum;
  }
}

/* Lines one after the other, of which a sum needs no doubles. */
static void run_lines(const void *args, const hone_kernel_io *io, int part, int parts) {
  const reduction *r = args;
  size_t begin, end, run = r->axes.run;
  float *y = io->out[0];
  hone_split(r->axes.kept.count, 1, part, parts, &begin, &end);
  fold_of(r->kind)((const float *)io->in[0] + begin * run, run, end - begin, y + begin);
  finish_strip(r, end - begin, NULL, y + begin);
}

/* Short lines of exponentials: turned around, they are columns. */
static void run_short(const void *args, const hone_kernel_io *io, int part, int parts) {
  const reduction *r = args;
  float turned[TURNED];
  size_t begin, end, run = r->axes.run, most = TURNED / run < WIDTH ? TURNED / run : WIDTH;
  reduction columns = *r;
  columns.axes.gone = (hone_reduce_walk){.rank = 1, .size = {run}, .count = run};
  hone_split(r->axes.kept.count, 1, part, parts, &begin, &end);
  for (size_t i = begin, count; i < end; i += count) {
    const float *x = (const float *)io->in[0] + i * run;
    count = end - i < most ? end - i : most;
    hone_short_here()->turn(x, run, count, turned, count);
    columns.axes.gone.stride[0] = count;
    run_strip(&columns, turned, count, (float *)io->out[0] + i);
  }
}

static size_t strips_of(const reduction *r) {
  return (r->axes.run + WIDTH - 1) / WIDTH;
}

static void run_columns(const void *args, const hone_kernel_io *io, int part, int parts) {
  const reduction *r = args;
  size_t strips = strips_of(r), begin, end;
  hone_split(r->axes.kept.count * strips, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t column = i % strips * WIDTH, left = r->axes.run - column, outer = i / strips;
    run_strip(r, (const float *)io->in[0] + hone_reduce_offset(&r->axes.kept, outer) + column,
              left < WIDTH ? left : WIDTH, (float *)io->out[0] + outer * r->axes.run + column);
  }
}

static hone_kernel_phase *phase_of(const reduction *r) {
  const hone_reduce_axes *a = &r->axes;
  bool together = a->gone.rank == 0 && a->run > 0, exp = r->kind == HONE_REDUCE_LOG_SUM_EXP;
  if (!a->run_is_gone) return run_columns;
  if (together && exp && a->run <= SHORT) return run_short;
  return together && !exp && a->run <= LINE ? run_lines : run_rows;
}

/* ---- Few outputs from many rows: what each FLUSH of them come to, then all of these together. The
 * same sums as above, and more of them at a time. ---------------------------------------------- */

static size_t chunks_of(const reduction *r) {
  return (r->axes.gone.count + FLUSH - 1) / FLUSH;
}

static void run_chunks(const void *args, const hone_kernel_io *io, int part, int parts) {
  const reduction *r = args;
  size_t chunks = chunks_of(r), rows = r->axes.gone.count, run = r->axes.run, begin, end;
  float *sums = io->scratch;
  hone_split(r->axes.kept.count * chunks, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    const float *x = (const float *)io->in[0] + hone_reduce_offset(&r->axes.kept, i / chunks);
    size_t first = i % chunks * FLUSH, last = rows - first < FLUSH ? rows : first + FLUSH;
    for (size_t c = 0; c < run; c += WIDTH)
      few_rows(r, r->kind, x + c, NULL, first, last, run - c < WIDTH ? run - c : WIDTH,
               sums + i * run + c);
  }
}

static void join_chunks(const void *args, const hone_kernel_io *io, int part, int parts) {
  const reduction *r = args;
  size_t strips = strips_of(r), chunks = chunks_of(r), run = r->axes.run, begin, end;
  hone_split(r->axes.kept.count * strips, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t column = i % strips * WIDTH, outer = i / strips;
    size_t count = run - column < WIDTH ? run - column : WIDTH;
    const float *sums = (const float *)io->scratch + outer * chunks * run + column;
    float *y = (float *)io->out[0] + outer * run + column;
    double total[WIDTH];
    for (size_t c = 0; c < count; c++) total[c] = start_of(r->kind);
    for (size_t g = 0; g < chunks; g++) add_up(r->kind, sums + g * run, count, total);
    for (size_t c = 0; c < count; c++) y[c] = (float)finished(r, total[c], 0);
  }
}

/* Whether the columns alone leave threads without work. */
static bool few_columns(const reduction *r, int threads) {
  bool chunked = r->kind != HONE_REDUCE_PROD && r->kind != HONE_REDUCE_LOG_SUM_EXP;
  size_t strips = r->axes.kept.count * strips_of(r);
  return chunked && threads > 1 && strips < 4 * (size_t)threads && chunks_of(r) > 1;
}

/* ---- Planning ------------------------------------------------------------------------------- */

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return node->inputs[0].value->type.dtype == HONE_F32;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  size_t elements = 0;
  reduction *r = HONE_NEW(arena, reduction);
  HONE_TRY_MEMORY(r);
  if (!hone_reduce_read(view, &r->axes))
    return hone_error(HONE_UNSUPPORTED, "axes that are not known");
  r->kind = hone_reduce_kind_of(view->node);
  r->strips = hone_strips_here();
  r->lanes = hone_lanes();
  hone_shape_count(&view->in[0]->shape, &elements);
  out->work = (double)elements * (r->kind == HONE_REDUCE_LOG_SUM_EXP ? 0.5 : 0.1);
  out->kernel = hone_one_phase(phase_of(r), r);
  if (!r->axes.run_is_gone && few_columns(r, view->threads))
    out->kernel = (hone_kernel_plan){
        .phases = {run_chunks, join_chunks},
        .phase_count = 2,
        .args = r,
        .shared_scratch = hone_align_up(
            r->axes.kept.count * chunks_of(r) * r->axes.run * sizeof(float), 64)};
  return NULL;
}

const hone_node_functions hone_node_reduce = {.accepts = accepts, .plan = plan};
