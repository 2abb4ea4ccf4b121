/* reduce nodes, f32, over any axes. Room: backend/cpu/nodes.
 *
 * Neighbouring axes that are both reduced or both kept are joined. If the last one is reduced,
 * rows are added up one by one; if it is kept, strips of columns are. Only outputs are split. */
#include <math.h>
#include <string.h>

#include "backend/cpu/lines/lanes.h"
#include "backend/cpu/nodes/reduce_axes.h"
#include "backend/cpu/lines/strips.h"
#include "base/pool.h"

#define WIDTH 256 /* columns in a strip */
#define FLUSH 64  /* rows that are added up in float before they are in double */

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

static void all_columns(const reduction *r, hone_reduce_kind what, const float *x,
                        const float *shift, size_t count, double *total) {
  float sum[WIDTH], space[WIDTH];
  hone_lane lane = what == HONE_REDUCE_MAX   ? HONE_LANE_max
                   : what == HONE_REDUCE_MIN ? HONE_LANE_min
                                             : HONE_LANE_add;
  for (size_t c = 0; c < count; c++) total[c] = start_of(what);
  for (size_t g = 0; g < r->axes.gone.count; g += FLUSH) {
    size_t end = r->axes.gone.count - g < FLUSH ? r->axes.gone.count : g + FLUSH;
    for (size_t c = 0; c < count; c++) sum[c] = (float)start_of(what);
    for (size_t i = g; i < end; i++) {
      const float *row = x + hone_reduce_offset(&r->axes.gone, i);
      if (what == HONE_REDUCE_PROD) {
        for (size_t c = 0; c < count; c++) total[c] *= (double)row[c];
      } else {
        const float *term = term_of(r, what, row, shift, count, space);
        r->lanes[lane](count, sum, term, term, 0, 0, sum);
      }
    }
    for (size_t c = 0; what != HONE_REDUCE_PROD && c < count; c++)
      total[c] = combine(what, total[c], (double)sum[c]);
  }
}

static void run_strip(const reduction *r, const float *x, size_t count, float *y) {
  double total[WIDTH], most[WIDTH] = {0};
  float shift[WIDTH] = {0};
  if (r->kind == HONE_REDUCE_LOG_SUM_EXP) {
    all_columns(r, HONE_REDUCE_MAX, x, shift, count, most);
    for (size_t c = 0; c < count; c++) shift[c] = (float)most[c];
  }
  all_columns(r, r->kind, x, shift, count, total);
  for (size_t c = 0; c < count; c++) {
    bool finite = fabs(most[c]) < INFINITY;
    y[c] = (float)(finite ? finished(r, total[c], most[c]) : most[c]);
  }
}

static void run_columns(const void *args, const hone_kernel_io *io, int part, int parts) {
  const reduction *r = args;
  size_t strips = (r->axes.run + WIDTH - 1) / WIDTH, begin, end;
  hone_split(r->axes.kept.count * strips, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t column = i % strips * WIDTH, left = r->axes.run - column, outer = i / strips;
    run_strip(r, (const float *)io->in[0] + hone_reduce_offset(&r->axes.kept, outer) + column,
              left < WIDTH ? left : WIDTH, (float *)io->out[0] + outer * r->axes.run + column);
  }
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
  out->kernel = hone_one_phase(r->axes.run_is_gone ? run_rows : run_columns, r);
  return NULL;
}

const hone_node_functions hone_node_reduce = {.accepts = accepts, .plan = plan};
