/* tensor_scatter nodes: a cache with an update copied in from a start of each batch entry on.
 * Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/lines/index.h"
#include "backend/cpu/nodes/node.h"
#include "base/pool.h"
#include "ops/axes.h"
#include "ops/scatter.h"

enum { X, UPDATE, STARTS };

typedef struct cache {
  hone_line line;    /* of x, in bytes */
  size_t update;     /* positions of the update */
  size_t entry;      /* outer lines of a batch entry */
  size_t fits;       /* starts from 0 on */
  hone_dtype starts; /* none: 0 */
} cache;

static size_t start_of(const cache *c, const hone_kernel_io *io, size_t batch) {
  if (!c->starts) return 0;
  return hone_place_at(io, STARTS, batch, hone_load_int(c->starts, io->in[STARTS], batch), c->fits);
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const cache *c = args;
  size_t begin, end, run = c->line.inner, bytes = c->line.size * run;
  hone_split(c->line.outer, 1, part, parts, &begin, &end);
  for (size_t o = begin; o < end; o++) {
    const char *x = (const char *)io->in[X] + o * bytes;
    const char *update = (const char *)io->in[UPDATE] + o * c->update * run;
    char *y = (char *)io->out[0] + o * bytes;
    size_t start = start_of(c, io, o / c->entry), room = c->line.size - start;
    size_t whole = c->update < room ? c->update : room, rest = c->update - whole;
    memcpy(y + rest * run, x + rest * run, (start > rest ? start - rest : 0) * run);
    memcpy(y + start * run, update, whole * run);
    memcpy(y + (start + whole) * run, x + (start + whole) * run, (room - whole) * run);
    memcpy(y, update + whole * run, rest * run); /* circular: from the front again */
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[X].value->type.dtype;
  return hone_dtype_bits(dtype) >= 8 && dtype != HONE_STR;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[X]->shape;
  const hone_type *starts = view->in[STARTS];
  cache *c = HONE_NEW(arena, cache);
  HONE_TRY_MEMORY(c);
  int axis = 0;
  size_t count = 0;
  (void)hone_axis(hone_node_int(view->node, "axis"), x->rank, &axis);
  bool circular = strcmp(hone_node_text(view->node, "mode"), "circular") == 0;
  int64_t update = view->in[UPDATE]->shape.dim[axis];
  c->line = hone_line_of(x, axis);
  c->line.inner *= hone_dtype_bits(view->in[X]->dtype) / 8;
  c->update = (size_t)update;
  c->entry = hone_shape_span(x, 1, axis);
  c->fits = (size_t)hone_tensor_scatter_starts(circular, x->dim[axis], update);
  if (starts) {
    c->starts = starts->dtype;
    hone_shape_count(&starts->shape, &count);
    if (count < (size_t)x->dim[0])
      return hone_error(HONE_UNSUPPORTED, "fewer starts than batch entries");
  }
  out->work = (double)c->line.outer * (20 + (double)(c->line.size * c->line.inner) / 16);
  out->kernel = hone_one_phase(run, c);
  return NULL;
}

const hone_node_functions hone_node_tensor_scatter = {.accepts = accepts, .plan = plan};
