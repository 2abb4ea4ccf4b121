/* arg_reduce nodes: where the extreme of each line is. f32, s32, s64. Room: backend/cpu. */
#include "backend/cpu/node_kernel.h"
#include "base/pool.h"
#include "ops/axes.h"

typedef struct search {
  hone_line line;
  hone_dtype dtype;
  bool most, last;
} search;

/* NaN counts as beyond all. `beats` compares the elements v and b. */
#define FIND(name, type, is_nan)                                                          \
  static int64_t find_##name(const search *s, const type *x) {                            \
    size_t best = 0, step = s->line.inner;                                                \
    for (size_t i = 1; i < s->line.size; i++) {                                           \
      type v = x[i * step], b = x[best * step];                                           \
      bool better = is_nan(b) ? s->last && is_nan(v)                                      \
                    : is_nan(v) ? true                                                    \
                                : (s->most ? v > b : v < b) || (s->last && v == b);       \
      if (better) best = i;                                                               \
    }                                                                                     \
    return (int64_t)best;                                                                 \
  }
#define FLOAT_NAN(x) ((x) != (x))
#define NEVER(x)     false
FIND(f32, float, FLOAT_NAN)
FIND(s32, int32_t, NEVER)
FIND(s64, int64_t, NEVER)

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const search *s = args;
  int64_t *y = io->out[0];
  size_t begin, end, inner = s->line.inner;
  hone_split(s->line.outer * inner, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t at = i / inner * s->line.size * inner + i % inner;
    if (s->dtype == HONE_F32) y[i] = find_f32(s, (const float *)io->in[0] + at);
    else if (s->dtype == HONE_S32) y[i] = find_s32(s, (const int32_t *)io->in[0] + at);
    else y[i] = find_s64(s, (const int64_t *)io->in[0] + at);
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  return dtype == HONE_F32 || dtype == HONE_S32 || dtype == HONE_S64;
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
