/* Nodes whose result has the bytes of their input: bitcast, complex_parts, complex_join.
 * Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/nodes/node.h"
#include "base/pool.h"

typedef struct bytes {
  size_t count;
} bytes;

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const bytes *b = args;
  size_t begin, end;
  hone_split(b->count, 64, part, parts, &begin, &end);
  memcpy((char *)io->out[0] + begin, (const char *)io->in[0] + begin, end - begin);
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return node->inputs[0].value->type.dtype != HONE_STR;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  bytes *b = HONE_NEW(arena, bytes);
  HONE_TRY_MEMORY(b);
  if (!hone_shape_bytes(&view->in[0]->shape, view->in[0]->dtype, &b->count))
    return hone_error(HONE_LIMIT, "a tensor that is too large");
  out->work = (double)b->count / 8;
  out->kernel = hone_one_phase(run, b);
  return NULL;
}

const hone_node_functions hone_node_bytes = {.accepts = accepts, .plan = plan};
