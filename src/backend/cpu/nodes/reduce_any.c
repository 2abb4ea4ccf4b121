/* reduce nodes of f64, integers and bool: by blocks of doubles or 64-bit integers.
 * Room: backend/cpu/nodes.
 *
 * Rows go into one number, or row after row into a strip of them. Integers wrap. */
#include <math.h>

#include "backend/cpu/nodes/reduce_axes.h"
#include "backend/cpu/lines/keys.h"
#include "backend/cpu/lines/wide.h"
#include "base/pool.h"

enum { WIDTH = 256 }; /* elements in a block */

typedef struct reduction {
  hone_reduce_kind kind;
  hone_reduce_axes axes;
  hone_dtype dtype;
  bool real, is_signed; /* real: computed in double */
  const hone_wide *wide;
} reduction;

typedef union block {
  double real[WIDTH];
  int64_t whole[WIDTH];
} block;

/* The total t takes in x[i]: one for each, or one for all. */
#define EACH(value)                               \
  if (each) {                                     \
    for (size_t i = 0; i < count; i++) {          \
      const uint64_t t = total[i];                \
      total[i] = value;                           \
    }                                             \
  } else {                                        \
    uint64_t t = *total;                          \
    for (size_t i = 0; i < count; i++) t = value; \
    *total = t;                                   \
  }                                               \
  break

/* What is not e^(x - shift). */
static const hone_wide_fold *fold_of(const reduction *r, hone_reduce_kind kind) {
  switch (kind) {
    case HONE_REDUCE_MAX:
      return &r->wide->max;
    case HONE_REDUCE_MIN:
      return &r->wide->min;
    case HONE_REDUCE_PROD:
      return &r->wide->prod;
    case HONE_REDUCE_L1:
      return &r->wide->abs;
    case HONE_REDUCE_L2:
    case HONE_REDUCE_SUM_SQUARE:
      return &r->wide->square;
    default:
      return &r->wide->sum;
  }
}

static void add_wholes(const reduction *r, const uint64_t *x, size_t count,
                       uint64_t *restrict total, bool each) {
  const bool least = r->kind == HONE_REDUCE_MIN;
  const int64_t turn = (r->is_signed ? 0 : INT64_MIN) ^ (least ? -1 : 0);
  const hone_keys *keys = hone_keys_here();
  switch (r->kind) {
    case HONE_REDUCE_MAX:
    case HONE_REDUCE_MIN:
      (each ? keys->most_of_rows : keys->most_of_line)((const int64_t *)x, count, turn,
                                                       (int64_t *)total);
      break;
    case HONE_REDUCE_PROD:
      EACH(t * x[i]);
    case HONE_REDUCE_L1:
      EACH(t + (r->is_signed && x[i] >> 63 ? 0 - x[i] : x[i]));
    case HONE_REDUCE_SUM_SQUARE:
      EACH(t + x[i] * x[i]);
    default:
      EACH(t + x[i]);
  }
}
#undef EACH

static void start(const reduction *r, hone_reduce_kind kind, size_t count, block *total) {
  bool most = kind == HONE_REDUCE_MAX, least = kind == HONE_REDUCE_MIN;
  int64_t one = kind == HONE_REDUCE_PROD;
  int64_t lowest = r->is_signed ? INT64_MIN : 0, highest = r->is_signed ? INT64_MAX : -1;
  for (size_t i = 0; i < count; i++) {
    if (r->real)
      total->real[i] = most ? -INFINITY : least ? INFINITY : (double)one;
    else
      total->whole[i] = most ? lowest : least ? highest : one;
  }
}

static void take_exponentials(const double *x, size_t count, const double *shift, double *total,
                              size_t step) {
  for (size_t i = 0; i < count; i++) total[i * step] += exp(x[i] - shift[i * step]);
}

/* Elements [at, at + count) of x as doubles; at most WIDTH where they are of another type. */
static const double *reals_of(const reduction *r, const void *x, size_t at, size_t count,
                              block *space) {
  if (r->dtype == HONE_F64) return (const double *)x + at;
  hone_load_reals(r->dtype, x, at, count, space->real);
  return space->real;
}

/* The same as integers. */
static const uint64_t *wholes_of(const reduction *r, const void *x, size_t at, size_t count,
                                 block *space) {
  if (r->dtype == HONE_S64 || r->dtype == HONE_U64) return (const uint64_t *)x + at;
  hone_load_ints(r->dtype, x, at, count, space->whole);
  return (const uint64_t *)space->whole;
}

/* Elements [at, at + count) of x into the totals, each into its own. */
static void take_row(const reduction *r, hone_reduce_kind kind, const void *x, size_t at,
                     size_t count, const block *shift, block *total) {
  block space;
  const double *reals = r->real ? reals_of(r, x, at, count, &space) : NULL;
  if (r->real && shift) {
    take_exponentials(reals, count, shift->real, total->real, 1);
  } else if (r->real) {
    fold_of(r, kind)->rows(reals, count, total->real);
  } else {
    add_wholes(r, wholes_of(r, x, at, count, &space), count, (uint64_t *)total->whole, true);
  }
}

/* Doubles into one total. */
static void take_reals(const reduction *r, hone_reduce_kind kind, const double *x, size_t count,
                       const double *shift, double *total) {
  if (shift) {
    take_exponentials(x, count, shift, total, 0);
    return;
  }
  double sums[2] = {*total, fold_of(r, kind)->line(x, count)};
  bool squares = kind == HONE_REDUCE_L2 || kind == HONE_REDUCE_SUM_SQUARE;
  const hone_wide_fold *join = squares ? &r->wide->sum : fold_of(r, kind);
  *total = join->line(sums, 2);
}

/* Elements [at, at + count) of x into total `to`. */
static void take_line(const reduction *r, hone_reduce_kind kind, const void *x, size_t at,
                      size_t count, const block *shift, block *total, size_t to) {
  block space;
  size_t most = r->dtype == HONE_F64 ? count : WIDTH;
  for (size_t i = 0; i < count; i += most) {
    size_t size = count - i < most ? count - i : most;
    if (r->real) {
      take_reals(r, kind, reals_of(r, x, at + i, size, &space), size,
                 shift ? &shift->real[to] : NULL, &total->real[to]);
    } else {
      add_wholes(r, wholes_of(r, x, at + i, size, &space), size, (uint64_t *)&total->whole[to],
                 false);
    }
  }
}

/* `count` outputs from `first` on, which lie in one row where rows are kept. With a `shift` for
 * each: sums of e^(x - shift). */
static void take_all(const reduction *r, hone_reduce_kind kind, const void *x, size_t first,
                     size_t count, const block *shift, block *total) {
  const hone_reduce_axes *a = &r->axes;
  if (a->run_is_gone && a->gone.rank == 0 && r->dtype == HONE_F64 && !shift) {
    fold_of(r, kind)->lines((const double *)x + first * a->run, a->run, count, total->real);
    return;
  }
  start(r, kind, count, total);
  size_t rows = a->run_is_gone ? count : 1, run = a->run_is_gone ? 1 : a->run;
  for (size_t i = 0; i < rows; i++) {
    size_t at = hone_reduce_offset(&a->kept, (first + i) / run) + first % run;
    for (size_t g = 0; g < a->gone.count; g++) {
      size_t from = at + hone_reduce_offset(&a->gone, g);
      if (a->run_is_gone)
        take_line(r, kind, x, from, a->run, shift, total, i);
      else
        take_row(r, kind, x, from, count, shift, total);
    }
  }
}

/* `shift`: of log_sum_exp; else NULL. */
static void finish(const reduction *r, size_t count, const block *shift, block *total) {
  for (size_t i = 0; i < count; i++) {
    double *y = &total->real[i];
    int64_t *whole = &total->whole[i];
    if (!r->real) {
      if (r->kind != HONE_REDUCE_MEAN) continue;
      if (r->axes.terms == 0)
        *whole = 0;
      else if (r->is_signed)
        *whole /= (int64_t)r->axes.terms;
      else
        *whole = (int64_t)((uint64_t)*whole / (uint64_t)r->axes.terms);
    } else if (r->kind == HONE_REDUCE_MEAN)
      *y /= r->axes.terms;
    else if (r->kind == HONE_REDUCE_L2)
      *y = sqrt(*y);
    else if (r->kind == HONE_REDUCE_LOG_SUM)
      *y = log(*y);
    else if (shift)
      *y = fabs(shift->real[i]) < INFINITY ? shift->real[i] + log(*y) : shift->real[i];
    if (r->real && r->dtype != HONE_F64) *y = trunc(*y);
  }
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const reduction *r = args;
  size_t run = r->axes.run_is_gone ? 1 : r->axes.run, begin, end, count;
  hone_split(r->axes.kept.count * run, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i += count) {
    size_t left = r->axes.run_is_gone ? end - i : run - i % run;
    count = end - i < left ? end - i : left;
    if (count > WIDTH) count = WIDTH;
    block total, most;
    const block *shift = r->kind == HONE_REDUCE_LOG_SUM_EXP ? &most : NULL;
    if (shift) take_all(r, HONE_REDUCE_MAX, io->in[0], i, count, NULL, &most);
    take_all(r, r->kind, io->in[0], i, count, shift, &total);
    finish(r, count, shift, &total);
    if (r->real)
      hone_store_reals(r->dtype, io->out[0], i, count, total.real);
    else
      hone_store_ints(r->dtype, io->out[0], i, count, total.whole);
  }
}

static bool needs_reals(hone_reduce_kind kind) {
  return kind == HONE_REDUCE_L2 || kind == HONE_REDUCE_LOG_SUM || kind == HONE_REDUCE_LOG_SUM_EXP;
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  hone_dtype_class klass = hone_dtype_class_of(dtype);
  return dtype == HONE_F64 || ((klass == HONE_CLASS_SIGNED || klass == HONE_CLASS_UNSIGNED ||
                                klass == HONE_CLASS_BOOLEAN) &&
                               hone_dtype_bits(dtype) >= 8);
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
  r->dtype = view->in[0]->dtype;
  r->real = r->dtype == HONE_F64 || needs_reals(r->kind);
  r->is_signed = hone_dtype_class_of(r->dtype) == HONE_CLASS_SIGNED;
  r->wide = hone_wide_here();
  hone_shape_count(&view->in[0]->shape, &elements);
  bool exponentials = r->kind == HONE_REDUCE_LOG_SUM_EXP;
  out->work = (double)elements * (exponentials ? 20
                                  : r->real    ? 0.15
                                               : 1) +
              (double)(r->axes.kept.count * (r->axes.run_is_gone ? 10 : 0));
  out->kernel = hone_one_phase(run, r);
  return NULL;
}

const hone_node_functions hone_node_reduce_any = {.accepts = accepts, .plan = plan};
