/* cumsum nodes: running sums or products along an axis. A line is one part's work, its sum goes
 * element by element, floats in double as the reference. Room: backend/cpu/nodes. */
#include "backend/cpu/lines/index.h"
#include "backend/cpu/nodes/node.h"
#include "backend/cpu/lines/wide.h"
#include "base/pool.h"
#include "ops/axes.h"

#define LANES 512 /* neighbouring lines at a time, so that memory is read in order */
#define ROWS  8   /* and rows of them, whose totals stay in registers */

typedef struct cumsum {
  hone_shape shape;
  hone_dtype dtype, axis; /* axis: the type of the input that says which */
  bool exclusive, reverse, product;
  const hone_wide *wide;
} cumsum;

/* ---- Sums of types that have vectors --------------------------------------------------------- */

/* `lanes` lines that begin side by side at element `first`. */
#define SUM(name, type, total)                                                              \
  static void sum_##name(const cumsum *c, const hone_line *line, const void *in, void *out, \
                         size_t first, size_t lanes) {                                      \
    total running[LANES] = {0};                                                             \
    ptrdiff_t inner = (ptrdiff_t)line->inner, step = c->reverse ? -inner : inner;           \
    if (line->size == 0) return;                                                            \
    size_t at = first + (c->reverse ? (line->size - 1) * line->inner : 0);                  \
    const type *x = (const type *)in + at;                                                  \
    type *y = (type *)out + at;                                                             \
    size_t most = lanes > 1 ? ROWS : line->size;                                            \
    for (size_t i = 0; i < line->size; i += most) {                                         \
      size_t rows = line->size - i < most ? line->size - i : most;                          \
      c->wide->scan_##name(x, y, rows, step, lanes, c->exclusive, running);                 \
      x += (ptrdiff_t)rows * step;                                                          \
      y += (ptrdiff_t)rows * step;                                                          \
    }                                                                                       \
  }
HONE_WIDE_SCANS(SUM)
#undef SUM

/* ---- All other ------------------------------------------------------------------------------- */

#define SCAN(name, total, load, store)                                                    \
  static void scan_##name(const cumsum *c, const hone_line *line, const void *x, void *y, \
                          size_t first, size_t lanes) {                                   \
    total running[LANES];                                                                 \
    for (size_t n = 0; n < lanes; n++) running[n] = c->product;                           \
    for (size_t i = 0; i < line->size; i++) {                                             \
      size_t at = first + (c->reverse ? line->size - 1 - i : i) * line->inner;            \
      for (size_t n = 0; n < lanes; n++) {                                                \
        total value = load(c->dtype, x, at + n), before = running[n];                     \
        running[n] = c->product ? before * value : before + value;                        \
        store(c->dtype, y, at + n, c->exclusive ? before : running[n]);                   \
      }                                                                                   \
    }                                                                                     \
  }
#define LOAD_WHOLE(dtype, x, at)         (uint64_t) hone_load_int(dtype, x, at)
#define STORE_WHOLE(dtype, y, at, value) hone_store_int(dtype, y, at, (int64_t)(value))
SCAN(real, double, hone_load_real, hone_store_real)
SCAN(whole, uint64_t, LOAD_WHOLE, STORE_WHOLE)
#undef SCAN

static void scan(const cumsum *c, const hone_line *line, const hone_kernel_io *io, size_t first,
                 size_t lanes) {
  const void *x = io->in[0];
  void *y = io->out[0];
  if (!c->product && c->dtype == HONE_F32)
    sum_f32(c, line, x, y, first, lanes);
  else if (!c->product && c->dtype == HONE_F64)
    sum_f64(c, line, x, y, first, lanes);
  else if (!c->product && c->dtype == HONE_S32)
    sum_s32(c, line, x, y, first, lanes);
  else if (!c->product && c->dtype == HONE_S64)
    sum_s64(c, line, x, y, first, lanes);
  else if (hone_dtype_class_of(c->dtype) == HONE_CLASS_FLOAT)
    scan_real(c, line, x, y, first, lanes);
  else
    scan_whole(c, line, x, y, first, lanes);
}

/* The lines are cut into blocks: as wide as may be, but one a part where there are few. */
static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const cumsum *c = args;
  int axis = (int)hone_index_at(io, 1, c->axis, 0, (size_t)c->shape.rank);
  hone_line line = hone_line_of(&c->shape, axis);
  size_t width = line.inner / (size_t)parts + 1; /* a block a part, of whole cache lines */
  width = line.outer >= (size_t)parts || width > LANES ? LANES : hone_align_up(width, 64);
  size_t blocks = (line.inner + width - 1) / width, begin, end;
  hone_split(line.outer * blocks, 1, part, parts, &begin, &end);
  for (size_t b = begin; b < end; b++) {
    size_t at = b % blocks * width, lanes = line.inner - at < width ? line.inner - at : width;
    scan(c, &line, io, b / blocks * line.size * line.inner + at, lanes);
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  hone_dtype_class class = hone_dtype_class_of(dtype);
  return hone_dtype_bits(dtype) >= 8 && hone_dtype_bits(node->inputs[1].value->type.dtype) >= 8 &&
         (class == HONE_CLASS_FLOAT || class == HONE_CLASS_SIGNED || class == HONE_CLASS_UNSIGNED ||
          class == HONE_CLASS_BOOLEAN);
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  cumsum *c = HONE_NEW(arena, cumsum);
  size_t count = 0;
  HONE_TRY_MEMORY(c);
  c->shape = view->in[0]->shape;
  c->dtype = view->in[0]->dtype;
  c->axis = view->in[1]->dtype;
  c->exclusive = hone_node_flag(view->node, "exclusive");
  c->reverse = hone_node_flag(view->node, "reverse");
  c->product = hone_node_text(view->node, "kind")[0] == 'p';
  c->wide = hone_wide_here();
  if (c->shape.rank == 0) return hone_error(HONE_UNSUPPORTED, "a scalar has no axis");
  hone_shape_count(&c->shape, &count);
  bool vectors = !c->product && (c->dtype == HONE_F32 || c->dtype == HONE_F64 ||
                                 c->dtype == HONE_S32 || c->dtype == HONE_S64);
  out->work = (double)count * (vectors ? 0.2 : 2);
  out->kernel = hone_one_phase(run, c);
  return NULL;
}
const hone_node_functions hone_node_cumsum = {.accepts = accepts, .plan = plan};
