/* pad nodes: each axis falls into segments that come from x in one direction, or from the value;
 * the output is the boxes of all combinations. Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/lines/copy.h"
#include "backend/cpu/nodes/node.h"

enum { X, PADS, VALUE, AXES };

#define MOST_BOXES 4096

/* Positions [to, to + count) of an axis come from `from`, from + step, …; or from the value. */
typedef struct segment {
  int64_t to, count, from, step;
  bool filled;
} segment;

typedef struct axis_segments {
  segment *at;
  size_t count;
} axis_segments;

/* The longest segment that begins at `at` of `total` positions: the sources go on in equal steps.
 * Modes: constant, edge, reflect, wrap; nothing but the value comes from an axis of no elements. */
static segment segment_at(char mode, int64_t at, int64_t before, int64_t size, int64_t total) {
  int64_t place = at - before, last = size - 1, period = mode == 'w' ? size : 2 * last;
  segment s = {.to = at, .count = total - at, .step = 1};
  if (size > 1 && mode != 'c' && mode != 'e') {
    place = (place % period + period) % period;
    if (place > last)
      s.from = period - place, s.step = -1, s.count = period - place;
    else
      s.from = place, s.count = size - place;
  } else if (place >= 0 && place < size) {
    s.from = place, s.count = size - place;
  } else {
    s.filled = mode == 'c' || size == 0;
    s.from = s.filled || place < 0 ? 0 : last, s.step = 0;
    if (place < 0) s.count = -place;
  }
  if (s.count > total - at) s.count = total - at;
  return s;
}

static hone_status *make_segments(char mode, int64_t before, int64_t size, int64_t total,
                                  hone_arena *arena, axis_segments *out) {
  for (int pass = 0; pass < 2; pass++) {
    size_t count = 0;
    for (int64_t at = 0; at < total && count <= MOST_BOXES; count++) {
      segment s = segment_at(mode, at, before, size, total);
      if (pass) out->at[count] = s;
      at += s.count;
    }
    if (pass) break;
    out->count = count;
    out->at = HONE_NEW_ARRAY(arena, count + 1, segment);
    HONE_TRY_MEMORY(out->at);
  }
  return NULL;
}

static bool pads_before(const hone_node_view *view, int rank, int64_t *before) {
  int64_t pads[2 * HONE_MAX_RANK], axes[HONE_MAX_RANK];
  size_t count, axis_count;
  for (int i = 0; i < rank; i++) before[i] = 0;
  if (!hone_view_ints(view, PADS, pads, 2 * HONE_MAX_RANK, &count)) return false;
  bool given = hone_view_ints(view, AXES, axes, HONE_MAX_RANK, &axis_count);
  for (size_t i = 0; i < count / 2; i++) {
    int axis;
    if (hone_axis(given ? axes[i] : (int64_t)i, rank, &axis)) before[axis] = pads[i];
  }
  return true;
}

static void add_box(hone_copies *copy, const hone_shape *x, const hone_shape *y,
                    const axis_segments *axes, const size_t *chosen, int value) {
  hone_box box = {.rank = y->rank};
  bool filled = false;
  int64_t from[HONE_MAX_RANK];
  hone_shape_strides(x, from);
  hone_shape_strides(y, box.to_stride);
  for (int i = 0; i < y->rank; i++) {
    const segment *s = &axes[i].at[chosen[i]];
    filled |= s->filled;
    box.size[i] = s->count;
    box.to += s->to * box.to_stride[i];
    box.from += s->from * from[i];
    box.from_stride[i] = s->step * from[i];
  }
  if (filled) {
    box.from = 0;
    memset(box.from_stride, 0, sizeof box.from_stride);
  }
  hone_copies_add(copy, filled ? value : X, 0, &box);
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[X].value->type.dtype;
  return hone_dtype_bits(dtype) >= 8 && dtype != HONE_STR;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape x = view->in[X]->shape, y = view->out[0]->shape;
  char mode = hone_node_text(view->node, "mode")[0];
  int64_t before[HONE_MAX_RANK];
  axis_segments axes[HONE_MAX_RANK] = {{0}};
  size_t boxes = 1, bytes = 0, chosen[HONE_MAX_RANK] = {0};
  if (!pads_before(view, y.rank, before))
    return hone_error(HONE_UNSUPPORTED, "pads that are not known");
  for (int i = 0; i < y.rank; i++) {
    HONE_TRY(make_segments(mode, before[i], x.dim[i], y.dim[i], arena, &axes[i]));
    if (!hone_mul(boxes, axes[i].count, &boxes) || boxes > MOST_BOXES)
      return hone_error(HONE_UNSUPPORTED, "padding of too many pieces");
  }
  hone_copies *copy;
  HONE_TRY(hone_copies_new(arena, hone_dtype_bits(view->in[X]->dtype) / 8, boxes, &copy));
  bool has_value = VALUE < view->node->input_count && view->in[VALUE];
  for (size_t b = 0; b < boxes; b++) {
    add_box(copy, &x, &y, axes, chosen, has_value ? VALUE : HONE_COPY_ZEROS);
    for (int i = y.rank - 1; i >= 0 && ++chosen[i] == axes[i].count; i--) chosen[i] = 0;
  }
  hone_shape_bytes(&y, view->out[0]->dtype, &bytes);
  out->work = (double)bytes / 8;
  out->kernel = hone_one_phase(hone_copies_run, copy);
  return NULL;
}
const hone_node_functions hone_node_pad = {.accepts = accepts, .plan = plan};
