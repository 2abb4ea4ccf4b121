/* arg_reduce nodes: where the extreme of each line is. Room: backend/cpu/nodes.
 *
 * Of floats vectors work on neighbouring lines at once, short ones turned into such; of a long line
 * the extreme comes first, then the place where it is. */
#include <math.h>

#include "backend/cpu/lines/keys.h"
#include "backend/cpu/lines/short.h"
#include "backend/cpu/lines/strips.h"
#include "backend/cpu/nodes/node.h"
#include "base/pool.h"
#include "ops/axes.h"

typedef struct search {
  hone_line line;
  hone_dtype dtype;
  bool most, last;
} search;

enum {
  COLUMNS = 256,      /* lines whose places a part finds together */
  SHORT = 32,         /* lines of no more elements are turned first */
  COUNTABLE = 1 << 24 /* a float holds all smaller numbers */
};

/* NaN counts as beyond all. */
#define FIND(name, type, is_nan)                                                    \
  static int64_t find_##name(const search *s, const type *x) {                      \
    size_t best = 0, step = s->line.inner;                                          \
    type b = x[0];                                                                  \
    for (size_t i = 1; i < s->line.size; i++) {                                     \
      type v = x[i * step];                                                         \
      bool better = is_nan(b)   ? s->last && is_nan(v)                              \
                    : is_nan(v) ? true                                              \
                                : (s->most ? v > b : v < b) || (s->last && v == b); \
      best = better ? i : best;                                                     \
      b = better ? v : b;                                                           \
    }                                                                               \
    return (int64_t)best;                                                           \
  }
#define FLOAT_NAN(x) ((x) != (x))
#define NEVER(x)     false
/* X(dtype, name, type, is it NaN) */
#define TYPES(X)                      \
  X(HONE_F32, f32, float, FLOAT_NAN)  \
  X(HONE_F64, f64, double, FLOAT_NAN) \
  X(HONE_S8, s8, int8_t, NEVER)       \
  X(HONE_S16, s16, int16_t, NEVER)    \
  X(HONE_S32, s32, int32_t, NEVER)    \
  X(HONE_S64, s64, int64_t, NEVER)    \
  X(HONE_U8, u8, uint8_t, NEVER)      \
  X(HONE_BOOL, truth, uint8_t, NEVER) \
  X(HONE_U16, u16, uint16_t, NEVER)   \
  X(HONE_U32, u32, uint32_t, NEVER)   \
  X(HONE_U64, u64, uint64_t, NEVER)
#define FIND_TYPE(dtype, name, type, is_nan) FIND(name, type, is_nan)
TYPES(FIND_TYPE)

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const search *s = args;
  int64_t *y = io->out[0];
  size_t begin, end, inner = s->line.inner;
  hone_split(s->line.outer * inner, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t at = i / inner * s->line.size * inner + i % inner;
    switch (s->dtype) {
#define CASE(dtype, name, type, is_nan)                  \
  case dtype:                                            \
    y[i] = find_##name(s, (const type *)io->in[0] + at); \
    break;
      TYPES(CASE)
#undef CASE
      default:
        break;
    }
  }
}

/* ---- Floats --------------------------------------------------------------------------------- */

/* Lines that lie side by side. */
static void run_columns(const void *args, const hone_kernel_io *io, int part, int parts) {
  const search *s = args;
  const hone_short *lines = hone_short_here();
  size_t inner = s->line.inner, strips = (inner + COLUMNS - 1) / COLUMNS, begin, end;
  hone_split(s->line.outer * strips, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t outer = i / strips, column = i % strips * COLUMNS, left = inner - column;
    lines->extreme((const float *)io->in[0] + outer * s->line.size * inner + column, inner,
                   s->line.size, left < COLUMNS ? left : COLUMNS, !s->most, s->last,
                   (int64_t *)io->out[0] + outer * inner + column);
  }
}

/* Short lines one after the other. */
static void run_short(const void *args, const hone_kernel_io *io, int part, int parts) {
  const search *s = args;
  const hone_short *lines = hone_short_here();
  float turned[SHORT * COLUMNS];
  size_t begin, end, size = s->line.size;
  hone_split(s->line.outer, 1, part, parts, &begin, &end);
  for (size_t i = begin, count; i < end; i += count) {
    count = end - i < COLUMNS ? end - i : COLUMNS;
    lines->turn((const float *)io->in[0] + i * size, size, count, turned, COLUMNS);
    lines->extreme(turned, COLUMNS, size, count, !s->most, s->last, (int64_t *)io->out[0] + i);
  }
}

/* The first place of the extreme of a long line: the first that is beyond the number before it. */
static size_t find_first(const search *s, const hone_strips *strips, const float *x) {
  size_t size = s->line.size, at;
  float most = s->most ? strips->max(x, size) : strips->min(x, size);
  if (most != most)
    at = strips->find_above(x, 0, size, INFINITY);
  else if (s->most)
    at = strips->find_above(x, 0, size, nextafterf(most, -INFINITY));
  else
    at = strips->find_below(x, 0, size, nextafterf(most, INFINITY));
  return at < size ? at : 0; /* all are infinite */
}

static void run_long(const void *args, const hone_kernel_io *io, int part, int parts) {
  const search *s = args;
  const hone_strips *strips = hone_strips_here();
  size_t begin, end;
  hone_split(s->line.outer, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++)
    ((int64_t *)io->out[0])[i] =
        (int64_t)find_first(s, strips, (const float *)io->in[0] + i * s->line.size);
}

/* ---- Numbers that have keys ----------------------------------------------------------------- */

/* Those of `count` elements from position `at` on; the greatest. */
static uint64_t keys_of(const search *s, const void *x, size_t at, size_t count, uint64_t *keys) {
  const hone_keys *k = hone_keys_here();
  uint64_t flip = s->most ? 0 : UINT64_MAX;
  if (s->dtype == HONE_F64 && !s->most) return k->keys_less_f64((const double *)x + at, count, keys);
  if (s->dtype == HONE_S32) return k->keys_s32((const int32_t *)x + at, 1, count, flip, keys);
  if (s->dtype == HONE_S64) return k->keys_s64((const int64_t *)x + at, 1, count, flip, keys);
  return k->keys_f64((const double *)x + at, 1, count, flip, keys);
}

static void run_keys(const void *args, const hone_kernel_io *io, int part, int parts) {
  const search *s = args;
  size_t begin, end, size = s->line.size;
  uint64_t keys[HONE_KEYS_FEW];
  hone_split(s->line.outer, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    uint64_t best = 0;
    size_t place = 0;
    for (size_t at = 0, count; at < size; at += count) {
      count = size - at < HONE_KEYS_FEW ? size - at : HONE_KEYS_FEW;
      uint64_t greatest = keys_of(s, io->in[0], i * size + at, count, keys);
      if (greatest <= best) continue;
      best = greatest;
      place = at + hone_keys_here()->find_key(keys, 0, count, greatest - 1);
    }
    ((int64_t *)io->out[0])[i] = (int64_t)place;
  }
}

static bool has_keys(const search *s) {
  return s->dtype == HONE_S32 || s->dtype == HONE_S64 || s->dtype == HONE_F64;
}

static hone_kernel_phase *phase_of(const search *s) {
  size_t size = s->line.size;
  if (has_keys(s) && s->line.inner == 1 && !s->last) return run_keys;
  if (s->dtype != HONE_F32 || size == 0 || size >= COUNTABLE) return run;
  if (s->line.inner > 1) return run_columns;
  return size <= SHORT ? run_short : s->last ? run : run_long;
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  switch (dtype) {
#define CASE(dtype, name, type, is_nan) case dtype:
    TYPES(CASE)
#undef CASE
    return true;
    default:
      return false;
  }
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape;
  search *s = HONE_NEW(arena, search);
  HONE_TRY_MEMORY(s);
  int axis = 0;
  (void)hone_axis(hone_node_int(view->node, "axis"), x->rank, &axis);
  *s = (search){.line = hone_line_of(x, axis),
                .dtype = view->in[0]->dtype,
                .most = hone_node_text(view->node, "kind")[1] == 'a',
                .last = hone_node_flag(view->node, "last")};
  hone_kernel_phase *phase = phase_of(s);
  out->work = (double)(s->line.outer * s->line.size * s->line.inner) * (phase == run ? 1 : 0.2);
  out->kernel = hone_one_phase(phase, s);
  return NULL;
}

const hone_node_functions hone_node_arg_reduce = {.accepts = accepts, .plan = plan};
