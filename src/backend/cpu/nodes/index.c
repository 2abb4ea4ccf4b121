/* gather_nd, scatter_nd, gather_elements, scatter_elements nodes: elements or slices at computed
 * places. Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/lines/index.h"
#include "backend/cpu/nodes/node.h"
#include "base/pool.h"
#include "ops/scatter.h"

enum { X, INDICES, UPDATES };
enum { CHUNK = 64 };

/* The tensor whose places the indices are of: x for gathers, the output for scatters. */
typedef struct places {
  int rank;                         /* axes that an index speaks of (_nd), or of the tensor */
  size_t size[HONE_MAX_RANK];       /* of the tensor */
  size_t stride[HONE_MAX_RANK];     /* in bytes */
  size_t index_size[HONE_MAX_RANK]; /* of the indices (_elements) */
  int axis;
  size_t batches, picks, image; /* _nd: batch entries, picks of each, bytes of an entry */
  size_t count, run, total;     /* picks in all, bytes of a slice and of the whole tensor */
  hone_dtype index, dtype;
  size_t bytes;          /* of an element */
  const char *reduction; /* NULL: none */
  bool adds_floats;
} places;

/* Where slice `i` lies, in bytes. */
static size_t slice_at(const places *p, const hone_kernel_io *io, size_t i) {
  size_t at = i / p->picks * p->image;
  for (int d = 0; d < p->rank; d++)
    at += hone_index_at(io, INDICES, p->index, i * (size_t)p->rank + (size_t)d, p->size[d]) *
          p->stride[d];
  return at;
}

/* Positions of the indices from one on that lie in one of their rows. */
typedef struct row_part {
  size_t count, base, step; /* where the first one's axes but `axis` lie, and the next one's */
} row_part;

static row_part row_part_of(const places *p, size_t i, size_t end) {
  int last = p->rank - 1;
  size_t row = i / p->index_size[last], column = i % p->index_size[last];
  size_t left = p->index_size[last] - column;
  row_part part = {.count = left < end - i ? left : end - i,
                   .step = last == p->axis ? 0 : p->stride[last]};
  for (int d = last - 1; d >= 0; d--) {
    if (d != p->axis) part.base += row % p->index_size[d] * p->stride[d];
    row /= p->index_size[d];
  }
  part.base += column * part.step;
  return part;
}

/* Where the elements lie that belong to positions `i` … `end` of the indices, in bytes: those of
 * one row, CHUNK at most. How many. */
static size_t elements_at(const places *p, const hone_kernel_io *io, size_t i, size_t end,
                          size_t *at) {
  row_part row = row_part_of(p, i, end);
  size_t count = row.count < CHUNK ? row.count : CHUNK;
  for (size_t k = 0; k < count; k++)
    at[k] = row.base + k * row.step +
            hone_index_at(io, INDICES, p->index, i + k, p->size[p->axis]) * p->stride[p->axis];
  return count;
}

enum { most_int32_t = INT32_MAX };
static const int64_t most_int64_t = INT64_MAX;
/* X(name, index type, element type) of the gathers that are worth code of their own. */
#define TAKES(X)             \
  X(s64_4, int64_t, uint32_t) \
  X(s64_8, int64_t, uint64_t) \
  X(s32_4, int32_t, uint32_t) \
  X(s32_8, int32_t, uint64_t)
/* y[k] = the element of x that index k names, `step` bytes further each time; false where an index
 * is outside. In a row of x most lists of indices need no care: the sign of `odd` tells. */
#define TAKE(name, index, element)                                                            \
  static bool pick_##name(const index *at, index last, const char *x, size_t count, char *y) { \
    index odd = last;                                                                         \
    for (size_t k = 0; k < count; k++) odd |= at[k] | (last - (at[k] & most_##index));        \
    for (size_t k = 0; odd >= 0 && k < count; k++)                                            \
      memcpy(y + k * sizeof(element), x + (size_t)at[k] * sizeof(element), sizeof(element));  \
    return odd >= 0;                                                                          \
  }                                                                                           \
  static bool take_##name(const places *p, const void *indices, const char *x, size_t step,   \
                          size_t count, char *y) {                                            \
    const index *at = indices;                                                                \
    size_t size = p->size[p->axis], stride = p->stride[p->axis];                              \
    bool outside = false, row = step == 0 && stride == sizeof(element);                       \
    if (row && pick_##name(at, (index)(size - 1), x, count, y)) return true;                  \
    for (size_t k = 0; k < count; k++, x += step) {                                           \
      size_t place = (size_t)at[k] + (at[k] < 0 ? size : 0);                                  \
      outside |= place >= size;                                                               \
      place = place < size ? place : 0;                                                       \
      memcpy(y + k * sizeof(element), x + place * stride, sizeof(element));                   \
    }                                                                                         \
    return !outside;                                                                          \
  }
TAKES(TAKE)
#undef TAKE

typedef bool take_function(const places *p, const void *indices, const char *x, size_t step,
                           size_t count, char *y);
static take_function *take_of(const places *p) {
  bool longs = p->index == HONE_S64;
  if (!longs && p->index != HONE_S32) return NULL;
  if (p->run == 4) return longs ? take_s64_4 : take_s32_4;
  return p->run != 8 ? NULL : longs ? take_s64_8 : take_s32_8;
}

static void gather_elements(const void *args, const hone_kernel_io *io, int part, int parts) {
  const places *p = args;
  take_function *take = take_of(p);
  const char *x = io->in[X];
  size_t begin, end, count, at[CHUNK], index_bytes = hone_dtype_bits(p->index) / 8;
  hone_split(p->count, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i += count) {
    char *y = (char *)io->out[0] + i * p->run;
    const char *indices = (const char *)io->in[INDICES] + i * index_bytes;
    row_part row = row_part_of(p, i, end);
    count = row.count;
    if (take && take(p, indices, x + row.base, row.step, count, y)) continue;
    if (count > CHUNK) count = CHUNK;
    count = elements_at(p, io, i, i + count, at);
    for (size_t k = 0; k < count; k++) memcpy(y + k * p->run, x + at[k], p->run);
  }
}

static void gather_slices(const void *args, const hone_kernel_io *io, int part, int parts) {
  const places *p = args;
  size_t begin, end;
  hone_split(p->count, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++)
    memcpy((char *)io->out[0] + i * p->run, (const char *)io->in[X] + slice_at(p, io, i), p->run);
}

/* Puts update `i` at byte `to`. */
static void put(const places *p, const hone_kernel_io *io, size_t to, size_t i) {
  char *y = (char *)io->out[0] + to;
  const char *update = (const char *)io->in[UPDATES] + i * p->run;
  if (!p->reduction)
    memcpy(y, update, p->run);
  else if (p->adds_floats)
    for (size_t k = 0; k < p->run / sizeof(float); k++)
      ((float *)y)[k] += ((const float *)update)[k];
  else
    hone_scatter_combine(p->reduction, p->dtype, y, 0, update, 0, p->run / p->bytes);
}

/* A scatter's parts own runs of the output and take every update that belongs there, in order: the
 * last of equal places wins, sums are the same for any parts. */
static void scatter_all(const places *p, const hone_kernel_io *io, int part, int parts,
                        bool slices) {
  size_t begin, end, at[CHUNK];
  hone_split(p->total, p->run ? p->run : 1, part, parts, &begin, &end);
  memcpy((char *)io->out[0] + begin, (const char *)io->in[X] + begin, end - begin);
  for (size_t i = 0, count = 1; i < p->count; i += count) {
    if (slices)
      at[0] = slice_at(p, io, i);
    else
      count = elements_at(p, io, i, p->count, at);
    for (size_t k = 0; k < count; k++)
      if (at[k] >= begin && at[k] < end) put(p, io, at[k], i + k);
  }
}
static void scatter_slices(const void *args, const hone_kernel_io *io, int part, int parts) {
  scatter_all(args, io, part, parts, true);
}
static void scatter_elements(const void *args, const hone_kernel_io *io, int part, int parts) {
  scatter_all(args, io, part, parts, false);
}

static bool accepts_gather(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[X].value->type.dtype;
  return hone_dtype_bits(dtype) >= 8 && dtype != HONE_STR &&
         hone_dtype_bits(node->inputs[INDICES].value->type.dtype) >= 8;
}

static bool accepts_scatter(const hone_cpu_kernel *row, const hone_node *node) {
  hone_dtype_class class = hone_dtype_class_of(node->inputs[X].value->type.dtype);
  return accepts_gather(row, node) && (strcmp(hone_node_text(node, "reduction"), "none") == 0 ||
                                       class == HONE_CLASS_FLOAT || class == HONE_CLASS_SIGNED ||
                                       class == HONE_CLASS_UNSIGNED || class == HONE_CLASS_BOOLEAN);
}

static hone_status *new_places(const hone_node_view *view, hone_arena *arena, places **out) {
  const hone_shape *x = &view->in[X]->shape;
  places *p = HONE_NEW(arena, places);
  HONE_TRY_MEMORY(p);
  p->index = view->in[INDICES]->dtype;
  p->dtype = view->in[X]->dtype;
  p->total = p->bytes = hone_dtype_bits(p->dtype) / 8;
  for (int d = x->rank - 1; d >= 0; d--) {
    p->size[d] = (size_t)x->dim[d];
    p->stride[d] = p->total;
    p->total *= (size_t)x->dim[d];
  }
  *out = p;
  return NULL;
}

static hone_status *finish(const hone_node_view *view, places *p, hone_kernel_phase *gather,
                           hone_kernel_phase *scatter, hone_node_plan *out) {
  bool scatters =
      view->node->op == &hone_op_scatter_nd || view->node->op == &hone_op_scatter_elements;
  size_t updates = p->count;
  if (scatters) hone_shape_count(&view->in[UPDATES]->shape, &updates);
  size_t element = hone_dtype_bits(view->in[X]->dtype) / 8;
  /* What the reference has to say something about. */
  if ((p->total == 0 && p->count && p->run) || (scatters && updates * element < p->count * p->run))
    return hone_error(HONE_UNSUPPORTED, "an index into nothing, or too few updates");
  const char *reduction = scatters ? hone_node_text(view->node, "reduction") : "none";
  if (strcmp(reduction, "none") != 0) p->reduction = reduction;
  p->adds_floats = p->dtype == HONE_F32 && strcmp(reduction, "add") == 0;
  out->kernel = hone_one_phase(scatters ? scatter : gather, p);
  out->work = (double)p->count * (10 + (double)p->run / 8) + (double)p->total / 16;
  return NULL;
}

static hone_status *plan_slices(const hone_cpu_kernel *row, const hone_node_view *view,
                                hone_arena *arena, hone_node_plan *out) {
  const hone_shape *x = &view->in[X]->shape, *at = &view->in[INDICES]->shape;
  int batch = row->op == &hone_op_gather_nd ? (int)hone_node_int(view->node, "batch_dims") : 0;
  int last = at->rank - 1;
  places *p;
  HONE_TRY(new_places(view, arena, &p));
  p->rank = (int)at->dim[last];
  p->batches = hone_shape_span(at, 0, batch);
  p->picks = hone_shape_span(at, batch, last);
  p->count = p->batches * p->picks;
  size_t element = hone_dtype_bits(view->in[X]->dtype) / 8;
  p->image = hone_shape_span(x, batch, x->rank) * element;
  p->run = hone_shape_span(x, batch + p->rank, x->rank) * element;
  for (int d = 0; d < p->rank; d++) { /* axes from the batch ones on */
    p->size[d] = p->size[batch + d];
    p->stride[d] = p->stride[batch + d];
  }
  return finish(view, p, gather_slices, scatter_slices, out);
}

static hone_status *plan_elements(const hone_cpu_kernel *row, const hone_node_view *view,
                                  hone_arena *arena, hone_node_plan *out) {
  (void)row;
  const hone_shape *at = &view->in[INDICES]->shape;
  places *p;
  HONE_TRY(new_places(view, arena, &p));
  p->rank = at->rank;
  if (p->rank == 0) return hone_error(HONE_UNSUPPORTED, "an index into a scalar");
  (void)hone_axis(hone_node_int(view->node, "axis"), p->rank, &p->axis);
  for (int d = 0; d < p->rank; d++) {
    p->index_size[d] = (size_t)at->dim[d];
    if (d != p->axis && p->index_size[d] > p->size[d])
      return hone_error(HONE_UNSUPPORTED, "more indices than elements");
  }
  hone_shape_count(at, &p->count);
  p->run = hone_dtype_bits(view->in[X]->dtype) / 8;
  return finish(view, p, gather_elements, scatter_elements, out);
}

const hone_node_functions hone_node_gather_nd = {.accepts = accepts_gather, .plan = plan_slices};
const hone_node_functions hone_node_scatter_nd = {.accepts = accepts_scatter, .plan = plan_slices};
const hone_node_functions hone_node_gather_elements = {.accepts = accepts_gather,
                                                       .plan = plan_elements};
const hone_node_functions hone_node_scatter_elements = {.accepts = accepts_scatter,
                                                        .plan = plan_elements};
