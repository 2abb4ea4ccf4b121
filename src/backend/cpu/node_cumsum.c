/* cumsum nodes: running sums or products along an axis. A line is one part's work, its sum goes
 * element by element, floats in double as the reference. Room: backend/cpu. */
#include "backend/cpu/index.h"
#include "base/pool.h"
#include "ops/axes.h"

#define LANES 64 /* neighbouring lines at a time, so that memory is read in order */

typedef struct cumsum {
  hone_shape shape;
  hone_dtype dtype, axis; /* axis: the type of the input that says which */
  bool exclusive, reverse, product;
} cumsum;

/* `lanes` lines that begin side by side at element `first`. */
#define SCAN(name, total, load, store)                                                    \
  static void scan_##name(const cumsum *c, const hone_line *line, const void *x, void *y, \
                          size_t first, size_t lanes) {                                   \
    total running[LANES];                                                                 \
    for (size_t n = 0; n < lanes; n++) running[n] = c->product;                           \
    for (size_t i = 0; i < line->size; i++) {                                             \
      size_t at = first + (c->reverse ? line->size - 1 - i : i) * line->inner;            \
      for (size_t n = 0; n < lanes; n++) {                                                \
        total value = (total)(load), before = running[n];                                 \
        running[n] = c->product ? before * value : before + value;                        \
        total result = c->exclusive ? before : running[n];                                \
        store;                                                                            \
      }                                                                                   \
    }                                                                                     \
  }
#define NATIVE(type, total)                       \
  SCAN(type, total, ((const type *)x)[at + n], ((type *)y)[at + n] = (type)result)
NATIVE(float, double)
NATIVE(double, double)
NATIVE(int32_t, uint32_t)
NATIVE(int64_t, uint64_t)
SCAN(real, double, hone_load_real(c->dtype, x, at + n), hone_store_real(c->dtype, y, at + n, result))
SCAN(whole, uint64_t, hone_load_int(c->dtype, x, at + n),
     hone_store_int(c->dtype, y, at + n, (int64_t)result))
#undef NATIVE
#undef SCAN

static void scan(const cumsum *c, const hone_line *line, const hone_kernel_io *io, size_t first,
                 size_t lanes) {
  const void *x = io->in[0];
  void *y = io->out[0];
  if (c->dtype == HONE_F32) scan_float(c, line, x, y, first, lanes);
  else if (c->dtype == HONE_F64) scan_double(c, line, x, y, first, lanes);
  else if (c->dtype == HONE_S32) scan_int32_t(c, line, x, y, first, lanes);
  else if (c->dtype == HONE_S64) scan_int64_t(c, line, x, y, first, lanes);
  else if (hone_dtype_class_of(c->dtype) == HONE_CLASS_FLOAT)
    scan_real(c, line, x, y, first, lanes);
  else
    scan_whole(c, line, x, y, first, lanes);
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const cumsum *c = args;
  int axis = (int)hone_index_at(io, 1, c->axis, 0, (size_t)c->shape.rank);
  hone_line line = hone_line_of(&c->shape, axis);
  size_t blocks = (line.inner + LANES - 1) / LANES, begin, end;
  hone_split(line.outer * blocks, 1, part, parts, &begin, &end);
  for (size_t b = begin; b < end; b++) {
    size_t at = b % blocks * LANES, lanes = line.inner - at < LANES ? line.inner - at : LANES;
    scan(c, &line, io, b / blocks * line.size * line.inner + at, lanes);
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  hone_dtype_class class = hone_dtype_class_of(dtype);
  return hone_dtype_bits(dtype) >= 8 && hone_dtype_bits(node->inputs[1].value->type.dtype) >= 8 &&
         (class == HONE_CLASS_FLOAT || class == HONE_CLASS_SIGNED || class == HONE_CLASS_UNSIGNED);
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
  if (c->shape.rank == 0) return hone_error(HONE_UNSUPPORTED, "a scalar has no axis");
  hone_shape_count(&c->shape, &count);
  out->work = (double)count * 1.5;
  out->kernel = hone_one_phase(run, c);
  return NULL;
}
const hone_node_functions hone_node_cumsum = {.accepts = accepts, .plan = plan};
