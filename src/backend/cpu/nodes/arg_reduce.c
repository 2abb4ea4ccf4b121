/* arg_reduce nodes: where the extreme of each line is. Room: backend/cpu/nodes. */
#include "backend/cpu/nodes/node.h"
#include "base/pool.h"
#include "ops/axes.h"

typedef struct search {
  hone_line line;
  hone_dtype dtype;
  bool most, last;
} search;

/* NaN counts as beyond all. `beats` compares the elements v and b. */
#define FIND(name, type, is_nan)                                                    \
  static int64_t find_##name(const search *s, const type *x) {                      \
    size_t best = 0, step = s->line.inner;                                          \
    for (size_t i = 1; i < s->line.size; i++) {                                     \
      type v = x[i * step], b = x[best * step];                                     \
      bool better = is_nan(b)   ? s->last && is_nan(v)                              \
                    : is_nan(v) ? true                                              \
                                : (s->most ? v > b : v < b) || (s->last && v == b); \
      if (better) best = i;                                                         \
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
  out->work = (double)(s->line.outer * s->line.size * s->line.inner);
  out->kernel = hone_one_phase(run, s);
  return NULL;
}

const hone_node_functions hone_node_arg_reduce = {.accepts = accepts, .plan = plan};
