/* affine_grid nodes, f32 and f64: positions of pixels through an affine map.
 * Room: backend/cpu/nodes. */
#include "backend/cpu/nodes/node.h"
#include "base/pool.h"

typedef struct affine {
  int axes;
  size_t images, pixels, last; /* of an image; of its last axis */
  int64_t size[HONE_MAX_RANK];
  bool align;
  hone_dtype dtype;
} affine;

static double coordinate(size_t at, int64_t size, bool align) {
  if (align) return size > 1 ? 2 * (double)at / (double)(size - 1) - 1 : -1;
  return (2 * (double)at + 1) / (double)size - 1;
}

/* One row of pixels: all but the last axis's coordinate, which is the map's first, stay. */
static void map_row(const affine *g, const double *theta, size_t row, size_t to, void *y) {
  double where[HONE_MAX_RANK], start[HONE_MAX_RANK], out[HONE_MAX_RANK];
  size_t width = (size_t)g->axes + 1;
  for (int i = g->axes - 2; i >= 0; i--) {
    where[i] = coordinate(row % (size_t)g->size[i], g->size[i], g->align);
    row /= (size_t)g->size[i];
  }
  for (int r = 0; r < g->axes; r++) {
    const double *map = theta + (size_t)r * width;
    start[r] = map[g->axes];
    for (int i = 1; i < g->axes; i++) start[r] += map[i] * where[g->axes - 1 - i];
  }
  for (size_t x = 0; x < g->last; x++, to += (size_t)g->axes) {
    double first = coordinate(x, g->size[g->axes - 1], g->align);
    for (int r = 0; r < g->axes; r++) out[r] = start[r] + theta[(size_t)r * width] * first;
    hone_store_reals(g->dtype, y, to, (size_t)g->axes, out);
  }
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const affine *g = args;
  double theta[HONE_MAX_RANK * HONE_MAX_RANK];
  size_t begin, end, rows = g->last ? g->pixels / g->last : 0;
  size_t numbers = (size_t)g->axes * (size_t)(g->axes + 1);
  hone_split(g->images * rows, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    if (i == begin || i % rows == 0)
      hone_load_reals(g->dtype, io->in[0], i / rows * numbers, numbers, theta);
    map_row(g, theta, i % rows, i * g->last * (size_t)g->axes, io->out[0]);
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  return dtype == HONE_F32 || dtype == HONE_F64;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *y = &view->out[0]->shape;
  affine *g = HONE_NEW(arena, affine);
  HONE_TRY_MEMORY(g);
  g->axes = y->rank - 2;
  g->images = (size_t)y->dim[0];
  g->pixels = hone_shape_span(y, 1, y->rank - 1);
  for (int i = 0; i < g->axes; i++) g->size[i] = y->dim[1 + i];
  g->last = (size_t)g->size[g->axes - 1];
  g->align = hone_node_flag(view->node, "align_corners");
  g->dtype = view->out[0]->dtype;
  out->work = (double)g->images * (double)g->pixels * 10;
  out->kernel = hone_one_phase(run, g);
  return NULL;
}

const hone_node_functions hone_node_affine_grid = {.accepts = accepts, .plan = plan};
