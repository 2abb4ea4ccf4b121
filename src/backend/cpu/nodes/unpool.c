/* max_unpool and col2im nodes: values put, or added up, where they came from.
 * Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/lines/by_element.h"
#include "backend/cpu/lines/index.h"
#include "backend/cpu/nodes/node.h"
#include "base/pool.h"
#include "ops/spatial.h"

/* ---- max_unpool ----------------------------------------------------------------------------- */

/* The indices count in a tensor of the sizes `inner`, which y holds at its beginning. */
typedef struct unpool {
  size_t count, places, bytes, element;
  int rank;
  int64_t inner[HONE_MAX_RANK], stride[HONE_MAX_RANK];
  hone_dtype index;
  bool dense; /* y is of the sizes that indices count in */
} unpool;

static void clear(const void *args, const hone_kernel_io *io, int part, int parts) {
  const unpool *u = args;
  size_t begin, end;
  hone_split(u->bytes, 64, part, parts, &begin, &end);
  memset((char *)io->out[0] + begin, 0, end - begin);
}

static size_t place_of(const unpool *u, size_t index) {
  size_t to = 0;
  for (int axis = u->rank - 1; axis >= 0; axis--) {
    to += index % (size_t)u->inner[axis] * (size_t)u->stride[axis];
    index /= (size_t)u->inner[axis];
  }
  return to;
}

/* One part puts all: two values may go to one place, and the last is to stay. */
static void put(const void *args, const hone_kernel_io *io, int part, int parts) {
  const unpool *u = args;
  const size_t count = part == 0 ? u->count : 0, places = u->places;
  const int64_t *longs = u->index == HONE_S64 ? io->in[1] : NULL;
  const char *x = io->in[0];
  char *y = io->out[0];
  const bool dense = u->dense;
  (void)parts;
#define PUT(type)                                                                         \
  for (size_t i = 0; i < count; i++) {                                                    \
    int64_t index = longs ? longs[i] : hone_load_int(u->index, io->in[1], i);             \
    size_t at = (uint64_t)index < places ? (size_t)index                                  \
                                         : hone_place_at(io, 1, i, index, places);        \
    memcpy(y + (dense ? at : place_of(u, at)) * sizeof(type), x + i * sizeof(type), sizeof(type)); \
  }
  HONE_BY_ELEMENT(u->element, PUT)
#undef PUT
}

static bool unpool_accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  return hone_dtype_bits(dtype) >= 8 && dtype != HONE_STR;
}

static hone_status *unpool_plan(const hone_cpu_kernel *row, const hone_node_view *view,
                                hone_arena *arena, hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape, *y = &view->out[0]->shape;
  hone_shape inner;
  unpool *u = HONE_NEW(arena, unpool);
  HONE_TRY_MEMORY(u);
  HONE_TRY(hone_unpooled_shape(view->node, x, &inner));
  u->rank = x->rank;
  memcpy(u->inner, inner.dim, sizeof u->inner);
  hone_shape_strides(y, u->stride);
  u->index = view->in[1]->dtype;
  u->element = hone_dtype_bits(view->in[0]->dtype) / 8;
  hone_shape_count(x, &u->count);
  if (!hone_shape_count(&inner, &u->places) || !hone_shape_bytes(y, view->out[0]->dtype, &u->bytes))
    return hone_error(HONE_LIMIT, "the sizes of an unpooling overflow");
  if (u->count && u->places == 0) return hone_error(HONE_UNSUPPORTED, "an index into nothing");
  u->dense = hone_shape_equal(y, &inner);
  out->work = (double)u->bytes / 16;
  out->kernel = (hone_kernel_plan){.phases = {clear, put}, .phase_count = 2, .args = u};
  return NULL;
}

const hone_node_functions hone_node_max_unpool = {.accepts = unpool_accepts, .plan = unpool_plan};

/* ---- col2im --------------------------------------------------------------------------------- */

typedef struct columns {
  hone_spatial window;
  size_t planes, pixels, taps, columns;
} columns;

static void position_of(size_t index, int rank, const int64_t *size, int64_t *at) {
  for (int i = rank - 1; i >= 0; i--) {
    at[i] = (int64_t)(index % (size_t)size[i]);
    index /= (size_t)size[i];
  }
}

#define COLUMNS(name, type)                                                            \
  static void add_plane_##name(const columns *c, const type *x, type *y) {             \
    const hone_spatial *w = &c->window;                                                \
    int64_t at[HONE_MAX_SPATIAL], tap[HONE_MAX_SPATIAL];                               \
    size_t offset;                                                                     \
    memset(y, 0, c->pixels * sizeof *y);                                               \
    for (size_t t = 0; t < c->taps; t++) {                                             \
      position_of(t, w->rank, w->kernel, tap);                                         \
      for (size_t i = 0; i < c->columns; i++) {                                        \
        position_of(i, w->rank, w->out, at);                                           \
        if (hone_spatial_tap(w, at, tap, &offset))                                     \
          y[offset] = (type)(y[offset] + x[t * c->columns + i]);                       \
      }                                                                                \
    }                                                                                  \
  }                                                                                    \
  static void run_columns_##name(const void *args, const hone_kernel_io *io, int part, \
                                 int parts) {                                          \
    const columns *c = args;                                                           \
    size_t begin, end;                                                                 \
    hone_split(c->planes, 1, part, parts, &begin, &end);                               \
    for (size_t i = begin; i < end; i++)                                               \
      add_plane_##name(c, (const type *)io->in[0] + i * c->taps * c->columns,          \
                       (type *)io->out[0] + i * c->pixels);                            \
  }
COLUMNS(f32, float)
COLUMNS(f64, double)
COLUMNS(u8, uint8_t)
COLUMNS(u16, uint16_t)
COLUMNS(u32, uint32_t)
COLUMNS(u64, uint64_t)
#undef COLUMNS

/* Signed integers add up as unsigned ones. NULL for types without a kernel. */
static hone_kernel_phase *columns_phase(hone_dtype dtype) {
  hone_dtype_class class = hone_dtype_class_of(dtype);
  unsigned bits = hone_dtype_bits(dtype);
  if (class == HONE_CLASS_FLOAT)
    return dtype == HONE_F32 ? run_columns_f32 : dtype == HONE_F64 ? run_columns_f64 : NULL;
  if (class != HONE_CLASS_SIGNED && class != HONE_CLASS_UNSIGNED) return NULL;
  return bits == 8    ? run_columns_u8
         : bits == 16 ? run_columns_u16
         : bits == 32 ? run_columns_u32
         : bits == 64 ? run_columns_u64
                      : NULL;
}

static bool columns_accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return columns_phase(node->inputs[0].value->type.dtype) != NULL;
}

static hone_status *columns_plan(const hone_cpu_kernel *row, const hone_node_view *view,
                                 hone_arena *arena, hone_node_plan *out) {
  (void)row;
  enum { IMAGE = 1, BLOCK = 2 };
  int64_t image[HONE_MAX_RANK], block[HONE_MAX_RANK];
  size_t images, blocks;
  const hone_shape *y = &view->out[0]->shape;
  columns *c = HONE_NEW(arena, columns);
  HONE_TRY_MEMORY(c);
  if (!hone_view_ints(view, IMAGE, image, HONE_MAX_SPATIAL, &images) ||
      !hone_view_ints(view, BLOCK, block, HONE_MAX_SPATIAL, &blocks) || images != blocks)
    return hone_error(HONE_UNSUPPORTED, "sizes that are not known");
  HONE_TRY(hone_spatial_window(view->node, (int)images, image, block, false, &c->window));
  c->planes = hone_shape_span(y, 0, 2);
  c->pixels = hone_spatial_count(c->window.rank, c->window.in);
  c->taps = hone_spatial_count(c->window.rank, c->window.kernel);
  c->columns = hone_spatial_count(c->window.rank, c->window.out);
  out->work = (double)c->planes * (double)c->taps * (double)c->columns * 5;
  out->kernel = hone_one_phase(columns_phase(view->in[0]->dtype), c);
  return NULL;
}

const hone_node_functions hone_node_col2im = {.accepts = columns_accepts, .plan = columns_plan};
