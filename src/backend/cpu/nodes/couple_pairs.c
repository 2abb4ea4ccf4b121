/* couple_pairs nodes: parts take rows, each as the reference does it. Room: backend/cpu/nodes. */
#include "backend/cpu/nodes/node.h"
#include "base/pool.h"
#include "ops/couple_pairs.h"

typedef struct coupling {
  size_t rows, classes, pairs;
  hone_dtype dtype;
  size_t part_scratch;
} coupling;

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const coupling *c = args;
  double *r = (double *)((char *)io->scratch + (size_t)part * c->part_scratch);
  double *p = r + c->pairs, *space = p + c->classes;
  size_t begin, end;
  hone_split(c->rows, 1, part, parts, &begin, &end);
  for (size_t row = begin; row < end; row++) {
    hone_load_reals(c->dtype, io->in[0], row * c->pairs, c->pairs, r);
    hone_couple_pairs(r, c->classes, p, space);
    hone_store_reals(c->dtype, io->out[0], row * c->classes, c->classes, p);
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return hone_node_out(node, 0) != NULL;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *y = &view->out[0]->shape;
  coupling *c = HONE_NEW(arena, coupling);
  HONE_TRY_MEMORY(c);
  *c = (coupling){.rows = (size_t)y->dim[0],
                  .classes = (size_t)y->dim[1], /* at most 2^15: the op's rule */
                  .pairs = (size_t)view->in[0]->shape.dim[1],
                  .dtype = view->in[0]->dtype};
  size_t numbers = c->pairs + c->classes * (c->classes + 2);
  c->part_scratch = hone_align_up(numbers * sizeof(double), 64);
  out->kernel = hone_one_phase(run, c);
  out->kernel.part_scratch = c->part_scratch;
  out->work = (double)c->rows * (double)c->classes * (double)c->classes * 50;
  return NULL;
}

const hone_node_functions hone_node_couple_pairs = {.accepts = accepts, .plan = plan};
