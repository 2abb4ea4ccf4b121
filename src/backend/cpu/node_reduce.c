/* reduce nodes, f32, over any axes. Room: backend/cpu.
 *
 * Neighbouring axes that are both reduced or both kept are joined. If the last one is reduced,
 * rows are added up one by one; if it is kept, strips of columns are. Only outputs are split. */
#include <math.h>
#include <string.h>

#include "backend/cpu/lanes.h"
#include "backend/cpu/node_kernel.h"
#include "backend/cpu/strips.h"
#include "base/pool.h"

#define WIDTH 256 /* columns in a strip */
#define FLUSH 64  /* rows that are added up in float before they are in double */

typedef enum kind { SUM, MEAN, MAX, MIN, PROD, L1, L2, LOG_SUM, LOG_SUM_EXP, SUM_SQUARE } kind;

/* Axes to walk through, in elements. */
typedef struct walk {
  int rank;
  size_t size[HONE_MAX_RANK], count; /* of all together */
  size_t stride[HONE_MAX_RANK];
} walk;

typedef struct reduction {
  kind kind;
  walk kept, gone;  /* without the innermost axis */
  size_t run;       /* of the innermost axis */
  bool run_is_gone;
  double terms;     /* elements that make one output */
  const hone_strips *strips;
  hone_lane_function *const *lanes;
} reduction;

static size_t offset_of(const walk *w, size_t index) {
  size_t at = 0;
  for (int i = w->rank - 1; i >= 0; i--) {
    at += index % w->size[i] * w->stride[i];
    index /= w->size[i];
  }
  return at;
}

/* ---- One output from rows ------------------------------------------------------------------- */

static double product(const float *x, size_t count) {
  double result = 1;
  for (size_t i = 0; i < count; i++) result *= (double)x[i];
  return result;
}

static double row_of(const reduction *r, kind what, const float *x, float shift) {
  const hone_strips *s = r->strips;
  switch (what) {
    case MAX: return (double)s->max(x, r->run);
    case MIN: return (double)s->min(x, r->run);
    case PROD: return product(x, r->run);
    case L1: return s->abs(x, r->run, 0);
    case L2:
    case SUM_SQUARE: return s->square(x, r->run, 0);
    case LOG_SUM_EXP: return s->exp(x, r->run, shift);
    default: return s->sum(x, r->run, 0);
  }
}

static double start_of(kind what) {
  return what == MAX ? -INFINITY : what == MIN ? INFINITY : what == PROD ? 1 : 0;
}

static double combine(kind what, double a, double b) {
  if (what == MAX) return a != a || b <= a ? a : b;
  if (what == MIN) return a != a || b >= a ? a : b;
  return what == PROD ? a * b : a + b;
}

static double finished(const reduction *r, double value, double shift) {
  switch (r->kind) {
    case MEAN: return value / r->terms;
    case L2: return sqrt(value);
    case LOG_SUM: return log(value);
    case LOG_SUM_EXP: return shift + log(value);
    default: return value;
  }
}

static double all_rows(const reduction *r, kind what, const float *x, float shift) {
  double value = start_of(what);
  for (size_t g = 0; g < r->gone.count; g++)
    value = combine(what, value, row_of(r, what, x + offset_of(&r->gone, g), shift));
  return value;
}

static void run_rows(const void *args, const hone_kernel_io *io, int part, int parts) {
  const reduction *r = args;
  float *y = io->out[0];
  size_t begin, end;
  hone_split(r->kept.count, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    const float *x = (const float *)io->in[0] + offset_of(&r->kept, i);
    double shift = r->kind == LOG_SUM_EXP ? all_rows(r, MAX, x, 0) : 0;
    if (!(fabs(shift) < INFINITY)) y[i] = (float)shift;
    else y[i] = (float)finished(r, all_rows(r, r->kind, x, (float)shift), shift);
  }
}

/* ---- A strip of outputs from columns -------------------------------------------------------- */

/* term[] = what one row adds; the row itself where it is that. */
static const float *term_of(const reduction *r, kind what, const float *x, const float *shift,
                            size_t count, float *term) {
  if (what == L1) r->lanes[HONE_LANE_abs](count, x, x, x, 0, 0, term);
  else if (what == L2 || what == SUM_SQUARE) r->lanes[HONE_LANE_mul](count, x, x, x, 0, 0, term);
  else if (what == LOG_SUM_EXP) {
    r->lanes[HONE_LANE_sub](count, x, shift, shift, 0, 0, term);
    r->lanes[HONE_LANE_exp](count, term, term, term, 0, 0, term);
  } else return x;
  return term;
}

static void all_columns(const reduction *r, kind what, const float *x, const float *shift,
                        size_t count, double *total) {
  float sum[WIDTH], space[WIDTH];
  hone_lane lane = what == MAX ? HONE_LANE_max : what == MIN ? HONE_LANE_min : HONE_LANE_add;
  for (size_t c = 0; c < count; c++) total[c] = start_of(what);
  for (size_t g = 0; g < r->gone.count; g += FLUSH) {
    size_t end = r->gone.count - g < FLUSH ? r->gone.count : g + FLUSH;
    for (size_t c = 0; c < count; c++) sum[c] = (float)start_of(what);
    for (size_t i = g; i < end; i++) {
      const float *row = x + offset_of(&r->gone, i);
      if (what == PROD) {
        for (size_t c = 0; c < count; c++) total[c] *= (double)row[c];
      } else {
        const float *term = term_of(r, what, row, shift, count, space);
        r->lanes[lane](count, sum, term, term, 0, 0, sum);
      }
    }
    for (size_t c = 0; what != PROD && c < count; c++)
      total[c] = combine(what, total[c], (double)sum[c]);
  }
}

static void run_strip(const reduction *r, const float *x, size_t count, float *y) {
  double total[WIDTH], most[WIDTH] = {0};
  float shift[WIDTH] = {0};
  if (r->kind == LOG_SUM_EXP) {
    all_columns(r, MAX, x, shift, count, most);
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
  size_t strips = (r->run + WIDTH - 1) / WIDTH, begin, end;
  hone_split(r->kept.count * strips, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t column = i % strips * WIDTH, left = r->run - column, outer = i / strips;
    run_strip(r, (const float *)io->in[0] + offset_of(&r->kept, outer) + column,
              left < WIDTH ? left : WIDTH, (float *)io->out[0] + outer * r->run + column);
  }
}

/* ---- Planning ------------------------------------------------------------------------------- */

static kind kind_of(const hone_node *node) {
  static const char *const names[] = {"sum", "mean", "max",     "min",         "prod",
                                      "l1",  "l2",   "log_sum", "log_sum_exp", "sum_square"};
  const char *name = hone_node_text(node, "kind");
  int i = SUM_SQUARE;
  while (i > 0 && strcmp(names[i], name) != 0) i--;
  return (kind)i;
}

static bool gone_axes(const hone_node_view *view, unsigned *out) {
  int64_t axes[HONE_MAX_RANK];
  size_t count;
  int rank = view->in[0]->shape.rank;
  bool given = view->node->input_count > 1 && view->in[1];
  bool known = hone_view_ints(view, 1, axes, HONE_MAX_RANK, &count);
  *out = 0;
  if (given && !known) return false;
  if (count == 0 && hone_node_flag(view->node, "empty_is_all")) *out = (1u << rank) - 1;
  for (size_t i = 0; i < count; i++) {
    int axis;
    if (hone_axis(axes[i], rank, &axis)) *out |= 1u << axis;
  }
  return true;
}

static void push(walk *w, size_t size, size_t stride) {
  w->size[w->rank] = size;
  w->stride[w->rank++] = stride;
  w->count *= size;
}

/* Joins the axes and gives the innermost one a place of its own. */
static void set_axes(reduction *r, const hone_shape *x, unsigned gone) {
  size_t size[HONE_MAX_RANK], stride[HONE_MAX_RANK], step = 1;
  bool is_gone[HONE_MAX_RANK];
  int rank = 0;
  r->terms = 1;
  for (int i = x->rank - 1; i >= 0; i--) { /* from the inside */
    bool goes = gone >> i & 1;
    size_t dim = (size_t)x->dim[i];
    if (goes) r->terms *= (double)dim;
    if (rank > 0 && is_gone[rank - 1] == goes) {
      size[rank - 1] *= dim;
    } else if (dim != 1) {
      size[rank] = dim;
      stride[rank] = step;
      is_gone[rank++] = goes;
    }
    step *= dim;
  }
  r->kept.count = r->gone.count = 1;
  r->run = rank ? size[0] : 1;
  r->run_is_gone = rank ? is_gone[0] : true;
  for (int i = rank - 1; i > 0; i--) push(is_gone[i] ? &r->gone : &r->kept, size[i], stride[i]);
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return node->inputs[0].value->type.dtype == HONE_F32;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  unsigned gone;
  size_t elements = 0;
  reduction *r = HONE_NEW(arena, reduction);
  HONE_TRY_MEMORY(r);
  if (!gone_axes(view, &gone)) return hone_error(HONE_UNSUPPORTED, "axes that are not known");
  r->kind = kind_of(view->node);
  r->strips = hone_strips_here();
  r->lanes = hone_lanes();
  set_axes(r, &view->in[0]->shape, gone);
  hone_shape_count(&view->in[0]->shape, &elements);
  out->work = (double)elements * (r->kind == LOG_SUM_EXP ? 0.5 : 0.1);
  out->kernel = hone_one_phase(r->run_is_gone ? run_rows : run_columns, r);
  return NULL;
}

const hone_node_functions hone_node_reduce = {.accepts = accepts, .plan = plan};
