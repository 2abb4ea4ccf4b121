/* layer_norm, rms_norm, group_norm, instance_norm and batch_norm nodes of f64.
 * Room: backend/cpu/nodes.
 *
 * A unit is what has one mean and variance: runs of neighbours at a stride. Batch norms are given
 * both; there a unit is the pixels of one channel that lie side by side. */
#include <math.h>

#include "backend/cpu/nodes/node.h"
#include "base/pool.h"
#include "ops/axes.h"

enum { X, SCALE, BIAS, MEAN, VARIANCE };

typedef struct units {
  size_t count, runs, run,
      stride;                 /* units; runs of one; elements of a run and from one to the next */
  size_t groups, step, entry; /* unit u begins at u / groups * entry + u % groups * step */
  size_t each;                /* neighbours of a run that share a scale and a bias */
  double epsilon;
  bool centred, given;
  hone_dtype statistics[2]; /* of the outputs mean and inverse */
} units;

/* The mean, and one over the deviation. */
static void measure(const units *n, const double *x, double *mean, double *inverse) {
  double sum = 0, squares = 0, count = (double)n->runs * (double)n->run;
  for (size_t r = 0; n->centred && r < n->runs; r++)
    for (size_t i = 0; i < n->run; i++) sum += x[r * n->stride + i];
  *mean = n->centred ? sum / count : 0;
  for (size_t r = 0; r < n->runs; r++)
    for (size_t i = 0; i < n->run; i++) {
      double off = x[r * n->stride + i] - *mean;
      squares += off * off;
    }
  *inverse = 1 / sqrt(squares / count + n->epsilon);
}

static void store_statistic(const units *n, const hone_kernel_io *io, int which, size_t unit,
                            double value) {
  if (n->statistics[which]) hone_store_real(n->statistics[which], io->out[1 + which], unit, value);
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const units *n = args;
  const double *scale = io->in[SCALE], *bias = io->in[BIAS];
  size_t begin, end;
  hone_split(n->count, 1, part, parts, &begin, &end);
  for (size_t u = begin; u < end; u++) {
    size_t group = u % n->groups, at = u / n->groups * n->entry + group * n->step;
    size_t first = group * n->run / n->each; /* of the unit's scales and biases */
    const double *x = (const double *)io->in[X] + at;
    double *y = (double *)io->out[0] + at, mean, inverse;
    if (n->given) {
      mean = ((const double *)io->in[MEAN])[group];
      inverse = 1 / sqrt(((const double *)io->in[VARIANCE])[group] + n->epsilon);
    } else {
      measure(n, x, &mean, &inverse);
    }
    for (size_t r = 0; r < n->runs; r++)
      for (size_t i = 0; i < n->run; i++) {
        size_t c = first + i / n->each, k = r * n->stride + i;
        y[k] = (x[k] - mean) * inverse * (scale ? scale[c] : 1) + (bias ? bias[c] : 0);
      }
    store_statistic(n, io, 0, u, mean);
    store_statistic(n, io, 1, u, inverse);
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    if (in && in->type.dtype != HONE_F64) return false;
  }
  return true;
}

static hone_status *new_units(const hone_node_view *view, hone_arena *arena, int *axis,
                              hone_node_plan *out, units **made) {
  const hone_shape *x = &view->in[X]->shape;
  units *n = HONE_NEW(arena, units);
  size_t elements = 0;
  HONE_TRY_MEMORY(n);
  (void)hone_axis(hone_node_int(view->node, "axis"), x->rank, axis);
  hone_shape_count(x, &elements);
  n->epsilon = hone_node_real(view->node, "epsilon");
  n->groups = n->runs = n->each = 1;
  n->centred = true;
  out->work = (double)elements * 4;
  out->kernel = hone_one_phase(run, n);
  *made = n;
  return NULL;
}

/* Scale or bias has one number for each element of a row, or is absent. */
static bool is_row_of(const hone_type *type, size_t size) {
  size_t count;
  return !type || (hone_shape_count(&type->shape, &count) && count == size);
}

static hone_status *plan_rows(const hone_cpu_kernel *row, const hone_node_view *view,
                              hone_arena *arena, hone_node_plan *out) {
  const hone_shape *x = &view->in[X]->shape;
  units *n;
  int axis = 0;
  HONE_TRY(new_units(view, arena, &axis, out, &n));
  n->count = hone_shape_span(x, 0, axis);
  n->run = n->entry = hone_shape_span(x, axis, x->rank);
  n->centred = row->op == &hone_op_layer_norm;
  if (!is_row_of(view->in[SCALE], n->run) || !is_row_of(view->in[BIAS], n->run))
    return hone_error(HONE_UNSUPPORTED, "a scale or bias that broadcasts along the rows");
  for (int i = 0; i < 2; i++)
    if (view->out[1 + i]) n->statistics[i] = view->out[1 + i]->dtype;
  return NULL;
}
const hone_node_functions hone_node_norm_any = {.accepts = accepts, .plan = plan_rows};

static hone_status *plan_groups(const hone_cpu_kernel *row, const hone_node_view *view,
                                hone_arena *arena, hone_node_plan *out) {
  const hone_shape *x = &view->in[X]->shape;
  units *n;
  int axis = 0;
  HONE_TRY(new_units(view, arena, &axis, out, &n));
  hone_line line = hone_line_of(x, axis);
  n->given = row->op == &hone_op_batch_norm;
  bool single = n->given || row->op == &hone_op_instance_norm;
  n->groups = single ? line.size : (size_t)hone_node_int(view->node, "groups");
  if (n->groups == 0) return NULL; /* no channels, no units */
  n->each = line.inner ? line.inner : 1;
  n->run = n->step = line.size / n->groups * line.inner;
  n->stride = line.size * line.inner;
  size_t entries = n->given ? line.outer : (size_t)x->dim[0];
  n->runs = entries ? line.outer / entries : 0;
  n->entry = n->runs * n->stride;
  n->count = entries * n->groups;
  return NULL;
}
const hone_node_functions hone_node_group_norm_any = {.accepts = accepts, .plan = plan_groups};
