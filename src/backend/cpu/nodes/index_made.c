/* one_hot, trilu and reverse_sequence nodes: rows whose elements follow from where they stand.
 * Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/nodes/node.h"
#include "base/pool.h"
#include "ops/axes.h"

static bool has_bytes(const hone_value *value) {
  return hone_dtype_bits(value->type.dtype) >= 8 && value->type.dtype != HONE_STR;
}

/* ---- one_hot -------------------------------------------------------------------------------- */

typedef struct one_hot {
  hone_line line; /* of the result */
  hone_dtype index;
  size_t bytes;
} one_hot;

static void put(void *y, size_t at, const void *value, size_t bytes) {
  switch (bytes) {
    case 1:
      memcpy((char *)y + at, value, 1);
      break;
    case 2:
      memcpy((char *)y + at * 2, value, 2);
      break;
    case 4:
      memcpy((char *)y + at * 4, value, 4);
      break;
    case 8:
      memcpy((char *)y + at * 8, value, 8);
      break;
    default:
      memcpy((char *)y + at * bytes, value, bytes);
  }
}

static void run_one_hot(const void *args, const hone_kernel_io *io, int part, int parts) {
  const one_hot *h = args;
  size_t depth = h->line.size, inner = h->line.inner, begin, end;
  const char *off = io->in[2], *on = off + h->bytes;
  hone_split(h->line.outer * inner, 16, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t to = i / inner * depth * inner + i % inner;
    for (size_t d = 0; d < depth; d++) put(io->out[0], to + d * inner, off, h->bytes);
    int64_t at = hone_load_int(h->index, io->in[0], i);
    if (at < 0) at += (int64_t)depth;
    if (at >= 0 && (size_t)at < depth) put(io->out[0], to + (size_t)at * inner, on, h->bytes);
  }
}

static bool accepts_one_hot(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return has_bytes(node->inputs[0].value) && has_bytes(node->inputs[2].value);
}

static hone_status *plan_one_hot(const hone_cpu_kernel *row, const hone_node_view *view,
                                 hone_arena *arena, hone_node_plan *out) {
  (void)row;
  const hone_shape *y = &view->out[0]->shape;
  one_hot *h = HONE_NEW(arena, one_hot);
  size_t values = 0;
  HONE_TRY_MEMORY(h);
  hone_shape_count(&view->in[2]->shape, &values);
  if (values != 2) return hone_error(HONE_UNSUPPORTED, "values that are not two");
  int axis = 0;
  (void)hone_axis(hone_node_int(view->node, "axis"), y->rank, &axis);
  h->line = hone_line_of(y, axis);
  h->index = view->in[0]->dtype;
  h->bytes = hone_dtype_bits(view->out[0]->dtype) / 8;
  out->work = (double)(h->line.outer * h->line.inner) * (5 + (double)h->line.size / 2);
  out->kernel = hone_one_phase(run_one_hot, h);
  return NULL;
}
const hone_node_functions hone_node_one_hot = {.accepts = accepts_one_hot, .plan = plan_one_hot};

/* ---- trilu ---------------------------------------------------------------------------------- */

typedef struct trilu {
  size_t matrices, bytes;
  int64_t rows, columns;
  hone_dtype diagonal;
  bool upper;
} trilu;

static void run_trilu(const void *args, const hone_kernel_io *io, int part, int parts) {
  const trilu *t = args;
  size_t begin, end, row = (size_t)t->columns * t->bytes;
  int64_t k = io->in[1] ? hone_load_int(t->diagonal, io->in[1], 0) : 0;
  /* No further than the edges, so that sums cannot overflow. */
  k = k > t->columns ? t->columns : k < -t->rows - 1 ? -t->rows - 1 : k;
  hone_split(t->matrices * (size_t)t->rows, 1, part, parts, &begin, &end);
  for (size_t r = begin; r < end; r++) {
    int64_t edge = (int64_t)(r % (size_t)t->rows) + k + !t->upper;
    size_t low = (size_t)(edge < 0 ? 0 : edge > t->columns ? t->columns : edge) * t->bytes;
    char *y = (char *)io->out[0] + r * row;
    memcpy(y, (const char *)io->in[0] + r * row, row);
    if (t->upper)
      memset(y, 0, low);
    else
      memset(y + low, 0, row - low);
  }
}

static bool accepts_first(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return has_bytes(node->inputs[0].value);
}

static hone_status *plan_trilu(const hone_cpu_kernel *row, const hone_node_view *view,
                               hone_arena *arena, hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape;
  trilu *t = HONE_NEW(arena, trilu);
  HONE_TRY_MEMORY(t);
  t->matrices = hone_shape_span(x, 0, x->rank - 2);
  t->rows = x->dim[x->rank - 2];
  t->columns = x->dim[x->rank - 1];
  t->bytes = hone_dtype_bits(view->in[0]->dtype) / 8;
  t->diagonal = view->in[1] ? view->in[1]->dtype : HONE_S64;
  t->upper = hone_node_flag(view->node, "upper");
  size_t bytes = hone_shape_span(x, 0, x->rank) * t->bytes;
  if (bytes == 0) t->matrices = 0;
  out->work = (double)bytes / 8;
  out->kernel = hone_one_phase(run_trilu, t);
  return NULL;
}
const hone_node_functions hone_node_trilu = {.accepts = accepts_first, .plan = plan_trilu};

/* ---- reverse_sequence ----------------------------------------------------------------------- */

typedef struct turn {
  size_t rows, run;                          /* what both axes index; bytes of a row */
  size_t time, time_step, batch, batch_step; /* sizes; steps in rows */
  hone_dtype length;
} turn;

static size_t length_of(const turn *t, const hone_kernel_io *io, size_t batch) {
  int64_t length = hone_load_int(t->length, io->in[1], batch);
  if (length >= 0 && (size_t)length <= t->time) return (size_t)length;
  hone_kernel_fail(io, &(hone_kernel_fault){.what = "length",
                                            .where = "a time axis",
                                            .input = 1,
                                            .element = batch,
                                            .value = length,
                                            .bound = (int64_t)t->time});
  return 0;
}

static void run_turn(const void *args, const hone_kernel_io *io, int part, int parts) {
  const turn *t = args;
  size_t begin, end;
  hone_split(t->rows, 1, part, parts, &begin, &end);
  for (size_t r = begin; r < end; r++) {
    size_t time = r / t->time_step % t->time, from = r;
    size_t length = length_of(t, io, r / t->batch_step % t->batch);
    if (time < length) from = r - time * t->time_step + (length - 1 - time) * t->time_step;
    memcpy((char *)io->out[0] + r * t->run, (const char *)io->in[0] + from * t->run, t->run);
  }
}

static hone_status *plan_turn(const hone_cpu_kernel *row, const hone_node_view *view,
                              hone_arena *arena, hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape;
  turn *t = HONE_NEW(arena, turn);
  HONE_TRY_MEMORY(t);
  int time = 0, batch = 0;
  (void)hone_axis(hone_node_int(view->node, "time_axis"), x->rank, &time);
  (void)hone_axis(hone_node_int(view->node, "batch_axis"), x->rank, &batch);
  int last = time > batch ? time : batch;
  t->rows = hone_shape_span(x, 0, last + 1);
  t->run = hone_shape_span(x, last + 1, x->rank) * (hone_dtype_bits(view->in[0]->dtype) / 8);
  t->time = (size_t)x->dim[time];
  t->batch = (size_t)x->dim[batch];
  t->time_step = hone_shape_span(x, time + 1, last + 1);
  t->batch_step = hone_shape_span(x, batch + 1, last + 1);
  t->length = view->in[1]->dtype;
  if (t->rows == 0 || t->run == 0 || view->in[1]->shape.dim[0] != x->dim[batch])
    return hone_error(HONE_UNSUPPORTED, "nothing to turn around, or lengths that do not fit");
  out->work = (double)t->rows * (6 + (double)t->run / 8);
  out->kernel = hone_one_phase(run_turn, t);
  return NULL;
}
const hone_node_functions hone_node_reverse_sequence = {.accepts = accepts_first,
                                                        .plan = plan_turn};
