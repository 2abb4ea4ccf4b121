/* gather nodes: rows picked by index. Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/lines/index.h"
#include "backend/cpu/nodes/node.h"
#include "base/pool.h"
#include "ops/axes.h"

typedef struct gather {
  size_t outer, size, count, bytes; /* slices of x, indices, bytes of a slice */
  hone_dtype index;
} gather;

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const gather *g = args;
  size_t begin, end;
  const char *x = io->in[0];
  char *y = io->out[0];
  hone_split(g->outer * g->count, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t outer = i / g->count, at = hone_index_at(io, 1, g->index, i % g->count, g->size);
    memcpy(y + i * g->bytes, x + (outer * g->size + at) * g->bytes, g->bytes);
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  const hone_type *x = &node->inputs[0].value->type, *indices = &node->inputs[1].value->type;
  return hone_dtype_bits(x->dtype) >= 8 && x->dtype != HONE_STR &&
         hone_dtype_bits(indices->dtype) >= 8;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape;
  gather *g = HONE_NEW(arena, gather);
  HONE_TRY_MEMORY(g);
  int axis = 0;
  (void)hone_axis(hone_node_int(view->node, "axis"), x->rank, &axis);
  g->outer = hone_shape_span(x, 0, axis);
  g->size = (size_t)x->dim[axis];
  g->bytes = hone_shape_span(x, axis + 1, x->rank) * (hone_dtype_bits(view->in[0]->dtype) / 8);
  g->index = view->in[1]->dtype;
  hone_shape_count(&view->in[1]->shape, &g->count);
  if (g->size == 0 && g->count)
    return hone_error(HONE_UNSUPPORTED, "nothing to gather from"); /* the reference says what */
  out->work = (double)(g->outer * g->count) * (4 + (double)g->bytes / 8);
  out->kernel = hone_one_phase(run, g);
  return NULL;
}
const hone_node_functions hone_node_gather = {.accepts = accepts, .plan = plan};
