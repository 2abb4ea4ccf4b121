/* nonzero and compress nodes: what is set is counted by parts, then each part writes from where the
 * ones before it end. Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/nodes/node.h"
#include "base/pool.h"
#include "ops/axes.h"

#define BLOCK 256

typedef struct found {
  hone_dtype dtype; /* of what is looked at, input `input`, `count` elements */
  int input, axis;  /* axis: whose size is found */
  size_t count;
  hone_shape shape; /* nonzero: of x */
  hone_line line;   /* compress: of x */
  size_t bytes;     /* of an element */
} found;

/* Which of `count` <= BLOCK elements from `begin` on are not 0. */
static size_t mark(const found *f, const hone_kernel_io *io, size_t begin, size_t count,
                   unsigned char *out) {
  const void *x = io->in[f->input];
  size_t sum = 0;
  if (f->dtype == HONE_F32)
    for (size_t i = 0; i < count; i++) out[i] = ((const float *)x)[begin + i] != 0;
  else if (f->dtype == HONE_BOOL)
    for (size_t i = 0; i < count; i++) out[i] = ((const unsigned char *)x)[begin + i] != 0;
  else if (f->dtype == HONE_S64)
    for (size_t i = 0; i < count; i++) out[i] = ((const int64_t *)x)[begin + i] != 0;
  else if (hone_dtype_class_of(f->dtype) == HONE_CLASS_FLOAT)
    for (size_t i = 0; i < count; i++) out[i] = hone_load_real(f->dtype, x, begin + i) != 0;
  else
    for (size_t i = 0; i < count; i++) out[i] = hone_load_int(f->dtype, x, begin + i) != 0;
  for (size_t i = 0; i < count; i++) sum += out[i];
  return sum;
}

static void count_set(const void *args, const hone_kernel_io *io, int part, int parts) {
  const found *f = args;
  unsigned char set[BLOCK];
  size_t begin, end, sum = 0;
  hone_split(f->count, BLOCK, part, parts, &begin, &end);
  for (size_t from = begin; from < end; from += BLOCK)
    sum += mark(f, io, from, end - from < BLOCK ? end - from : BLOCK, set);
  ((size_t *)io->scratch)[part] = sum;
}

/* How many the parts before `part` have; and all of them. */
static size_t counted(const hone_kernel_io *io, int part, int parts, size_t *all) {
  size_t before = 0;
  *all = 0;
  for (int p = 0; p < parts; p++) {
    if (p < part) before += ((const size_t *)io->scratch)[p];
    *all += ((const size_t *)io->scratch)[p];
  }
  return before;
}

static void write_position(const found *f, int64_t *y, size_t all, size_t column, size_t index) {
  for (int d = f->shape.rank - 1; d > 0; d--) {
    size_t size = (size_t)f->shape.dim[d];
    y[(size_t)d * all + column] = (int64_t)(index % size);
    index /= size;
  }
  if (f->shape.rank > 0) y[column] = (int64_t)index;
}

static void write_positions(const void *args, const hone_kernel_io *io, int part, int parts) {
  const found *f = args;
  unsigned char set[BLOCK];
  size_t begin, end, all, column = counted(io, part, parts, &all);
  hone_split(f->count, BLOCK, part, parts, &begin, &end);
  for (size_t from = begin; from < end; from += BLOCK) {
    size_t size = end - from < BLOCK ? end - from : BLOCK;
    if (mark(f, io, from, size, set) == 0) continue;
    for (size_t i = 0; i < size; i++)
      if (set[i]) write_position(f, io->out[0], all, column++, from + i);
  }
  if (part == 0) hone_kernel_found(io, 0, f->axis, all);
}

static void write_slices(const void *args, const hone_kernel_io *io, int part, int parts) {
  const found *f = args;
  unsigned char set[BLOCK];
  size_t begin, end, all, to = counted(io, part, parts, &all), run = f->line.inner * f->bytes;
  hone_split(f->count, BLOCK, part, parts, &begin, &end);
  for (size_t from = begin; from < end; from += BLOCK) {
    size_t size = end - from < BLOCK ? end - from : BLOCK;
    mark(f, io, from, size, set);
    for (size_t i = 0; i < size; i++) {
      if (!set[i]) continue;
      for (size_t o = 0; o < f->line.outer; o++)
        memcpy((char *)io->out[0] + (o * all + to) * run,
               (const char *)io->in[0] + (o * f->line.size + from + i) * run, run);
      to++;
    }
  }
  if (part == 0) hone_kernel_found(io, 0, f->axis, all);
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  bool complex = hone_dtype_class_of(dtype) == HONE_CLASS_COMPLEX;
  return hone_dtype_bits(dtype) >= 8 && dtype != HONE_STR &&
         (node->op == &hone_op_compress || !complex);
}

static void finish(const hone_node_view *view, const found *f, hone_kernel_phase *write,
                   hone_node_plan *out) {
  out->kernel = hone_one_phase(count_set, f);
  out->kernel.phases[out->kernel.phase_count++] = write;
  out->kernel.shared_scratch = hone_align_up((size_t)view->threads * sizeof(size_t), 64);
  out->work = (double)f->count * (2 + (double)(f->line.outer * f->line.inner * f->bytes) / 8);
}

static hone_status *plan_nonzero(const hone_cpu_kernel *row, const hone_node_view *view,
                                 hone_arena *arena, hone_node_plan *out) {
  (void)row;
  found *f = HONE_NEW(arena, found);
  HONE_TRY_MEMORY(f);
  f->dtype = view->in[0]->dtype;
  f->shape = view->in[0]->shape;
  f->axis = 1;
  hone_shape_count(&f->shape, &f->count);
  finish(view, f, write_positions, out);
  return NULL;
}
const hone_node_functions hone_node_nonzero = {.accepts = accepts, .plan = plan_nonzero};

static hone_status *plan_compress(const hone_cpu_kernel *row, const hone_node_view *view,
                                  hone_arena *arena, hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape;
  found *f = HONE_NEW(arena, found);
  size_t elements = 0;
  HONE_TRY_MEMORY(f);
  hone_shape_count(x, &elements);
  f->line = (hone_line){1, elements, 1};
  if (!hone_node_flag(view->node, "flat")) {
    (void)hone_axis(hone_node_int(view->node, "axis"), x->rank, &f->axis);
    f->line = hone_line_of(x, f->axis);
  }
  f->input = 1;
  f->dtype = HONE_BOOL;
  f->bytes = hone_dtype_bits(view->in[0]->dtype) / 8;
  hone_shape_count(&view->in[1]->shape, &f->count);
  if (f->count > f->line.size) f->count = f->line.size; /* what is beyond x picks nothing */
  finish(view, f, write_slices, out);
  return NULL;
}
const hone_node_functions hone_node_compress = {.accepts = accepts, .plan = plan_compress};
