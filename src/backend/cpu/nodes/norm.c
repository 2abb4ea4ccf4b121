/* layer_norm and rms_norm nodes, f32: rows brought to mean 0 and variance 1, or to mean square 1.
 * Room: backend/cpu/nodes. */
#include <math.h>

#include "backend/cpu/nodes/node.h"
#include "backend/cpu/lines/short.h"
#include "backend/cpu/lines/strips.h"
#include "base/pool.h"

enum { X, SCALE, BIAS };

typedef struct norm {
  size_t rows, size;
  double epsilon;
  bool centred;
  const hone_strips *strips;
} norm;

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const norm *n = args;
  size_t begin, end;
  const float *scale = io->in[SCALE], *bias = io->in[BIAS];
  float *means = io->out[1], *inverses = io->out[2];
  hone_split(n->rows, 1, part, parts, &begin, &end);
  for (size_t r = begin; r < end; r++) {
    const float *x = (const float *)io->in[X] + r * n->size;
    double size = (double)n->size;
    float mean = n->centred ? (float)(n->strips->sum(x, n->size, 0) / size) : 0;
    double squares =
        n->centred ? n->strips->deviation(x, n->size, mean) : n->strips->square(x, n->size, 0);
    float inverse = (float)(1 / sqrt(squares / size + n->epsilon));
    n->strips->normalise(x, n->size, mean, inverse, scale, bias, (float *)io->out[0] + r * n->size);
    if (means) means[r] = mean;
    if (inverses) inverses[r] = inverse;
  }
}

static void run_short(const void *args, const hone_kernel_io *io, int part, int parts) {
  const norm *n = args;
  size_t begin, end;
  float *means = io->out[1], *inverses = io->out[2];
  hone_split(n->rows, 1, part, parts, &begin, &end);
  const hone_short_norm s = {.epsilon = n->epsilon,
                             .centred = n->centred,
                             .scale = io->in[SCALE],
                             .bias = io->in[BIAS],
                             .means = means ? means + begin : NULL,
                             .inverses = inverses ? inverses + begin : NULL};
  hone_short_here()->norm(&s, (const float *)io->in[X] + begin * n->size, n->size, end - begin,
                          (float *)io->out[0] + begin * n->size);
}

/* Scale and bias are one number for each element of a row, or absent. */
static bool is_row_of(const hone_type *type, const hone_shape *x, int axis) {
  size_t count;
  if (!type) return true;
  return hone_shape_count(&type->shape, &count) && count == hone_shape_span(x, axis, x->rank);
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    if (in && in->type.dtype != HONE_F32) return false;
  }
  return true;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[X]->shape;
  norm *n = HONE_NEW(arena, norm);
  HONE_TRY_MEMORY(n);
  int axis = 0;
  (void)hone_axis(hone_node_int(view->node, "axis"), x->rank, &axis);
  if (!is_row_of(view->in[SCALE], x, axis) || !is_row_of(view->in[BIAS], x, axis))
    return hone_error(HONE_UNSUPPORTED, "a scale or bias that broadcasts along the rows");
  *n = (norm){.rows = hone_shape_span(x, 0, axis),
              .size = hone_shape_span(x, axis, x->rank),
              .epsilon = hone_node_real(view->node, "epsilon"),
              .centred = view->node->op == &hone_op_layer_norm,
              .strips = hone_strips_here()};
  out->work = (double)n->rows * (double)n->size * 0.2;
  bool is_short = n->size > 0 && n->size <= hone_short_here()->most;
  out->kernel = hone_one_phase(is_short ? run_short : run, n);
  return NULL;
}

const hone_node_functions hone_node_norm = {.accepts = accepts, .plan = plan};
