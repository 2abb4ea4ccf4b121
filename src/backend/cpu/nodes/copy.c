/* Nodes that only move elements: transpose, concat, split, slice, expand, tile, pad.
 * Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/lines/copy.h"
#include "backend/cpu/nodes/node.h"
#include "ops/slice.h"

static size_t element_of(const hone_value *value) {
  hone_dtype dtype = value->type.dtype;
  unsigned bits = hone_dtype_bits(dtype);
  return bits < 8 || dtype == HONE_STR ? 0 : bits / 8;
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return element_of(node->inputs[0].value) > 0;
}

static hone_status *begin(const hone_node_view *view, hone_arena *arena, size_t room,
                          hone_copies **out, hone_node_plan *plan) {
  HONE_TRY(hone_copies_new(arena, element_of(view->node->inputs[0].value), room, out));
  plan->kernel = hone_one_phase(hone_copies_run, *out);
  size_t bytes = 0;
  for (int i = 0; i < view->node->output_count; i++)
    if (view->out[i] && hone_shape_bytes(&view->out[i]->shape, view->out[i]->dtype, &bytes))
      plan->work += (double)bytes / 8;
  return NULL;
}

/* ---- transpose ------------------------------------------------------------------------------ */

static hone_status *plan_transpose(const hone_cpu_kernel *row, const hone_node_view *view,
                                   hone_arena *arena, hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape, *y = &view->out[0]->shape;
  hone_copies *copy;
  HONE_TRY(begin(view, arena, 1, &copy, out));
  size_t count;
  const int64_t *perm = hone_node_ints(view->node, "perm", &count);
  int64_t from[HONE_MAX_RANK];
  hone_box box = {.rank = x->rank};
  hone_shape_strides(x, from);
  hone_shape_strides(y, box.to_stride);
  for (int i = 0; i < box.rank; i++) {
    int axis = box.rank - 1 - i;
    if (count) (void)hone_axis(perm[i], box.rank, &axis);
    box.size[i] = y->dim[i];
    box.from_stride[i] = from[axis];
  }
  hone_copies_add(copy, 0, 0, &box);
  return NULL;
}
const hone_node_functions hone_node_transpose = {.accepts = accepts, .plan = plan_transpose};

/* ---- concat, split -------------------------------------------------------------------------- */

/* All of a tensor that is the piece of another from position `at` of `axis` on. */
static hone_box piece_of(const hone_shape *piece, const hone_shape *whole, int axis, int64_t at,
                         bool from_whole) {
  hone_box box = {.rank = piece->rank};
  hone_shape_strides(piece, from_whole ? box.to_stride : box.from_stride);
  hone_shape_strides(whole, from_whole ? box.from_stride : box.to_stride);
  for (int i = 0; i < box.rank; i++) box.size[i] = piece->dim[i];
  if (from_whole)
    box.from = at * box.from_stride[axis];
  else
    box.to = at * box.to_stride[axis];
  return box;
}

static hone_status *plan_concat(const hone_cpu_kernel *row, const hone_node_view *view,
                                hone_arena *arena, hone_node_plan *out) {
  (void)row;
  const hone_shape *y = &view->out[0]->shape;
  hone_copies *copy;
  int axis = 0;
  int64_t at = 0;
  HONE_TRY(begin(view, arena, (size_t)view->node->input_count, &copy, out));
  (void)hone_axis(hone_node_int(view->node, "axis"), y->rank, &axis);
  for (int i = 0; i < view->node->input_count; i++) {
    const hone_shape *x = &view->in[i]->shape;
    hone_box box = piece_of(x, y, axis, at, false);
    if (!(view->in_place >> i & 1)) hone_copies_add(copy, i, 0, &box);
    at += x->dim[axis];
  }
  return NULL;
}
const hone_node_functions hone_node_concat = {.accepts = accepts, .plan = plan_concat};

/* The sizes of unwanted outputs are not in the view, but in the input or follow from `parts`. */
static int64_t split_size(const hone_node_view *view, int index, int axis) {
  const hone_shape *x = &view->in[0]->shape;
  if (view->out[index]) return view->out[index]->shape.dim[axis];
  int64_t sizes[HONE_NODE_OUTPUTS], outputs = view->node->output_count;
  size_t count;
  if (hone_view_ints(view, 1, sizes, HONE_NODE_OUTPUTS, &count) && (size_t)index < count)
    return sizes[index];
  return (x->dim[axis] + outputs - 1) / outputs;
}

static hone_status *plan_split(const hone_cpu_kernel *row, const hone_node_view *view,
                               hone_arena *arena, hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape;
  hone_copies *copy;
  int axis = 0;
  int64_t at = 0;
  HONE_TRY(begin(view, arena, (size_t)view->node->output_count, &copy, out));
  (void)hone_axis(hone_node_int(view->node, "axis"), x->rank, &axis);
  for (int i = 0; i < view->node->output_count; i++) {
    if (view->out[i]) {
      hone_box box = piece_of(&view->out[i]->shape, x, axis, at, true);
      hone_copies_add(copy, 0, i, &box);
    }
    at += split_size(view, i, axis);
  }
  return NULL;
}
const hone_node_functions hone_node_split = {.accepts = accepts, .plan = plan_split};

/* ---- slice, expand, tile -------------------------------------------------------------------- */

bool hone_slice_layout(const hone_node_view *view, hone_layout *layout) {
  const hone_shape *x = &view->in[0]->shape, *y = &view->out[0]->shape;
  int64_t begin[HONE_MAX_RANK], step[HONE_MAX_RANK];
  if (!hone_slice_begin(view->node, x, view->known, begin, step)) return false;
  for (int i = 0; i < x->rank; i++) {
    layout->at += begin[i] * layout->stride[i];
    layout->stride[i] *= y->dim[i] > 1 ? step[i] : 0;
  }
  return true;
}

static hone_status *plan_slice(const hone_cpu_kernel *row, const hone_node_view *view,
                               hone_arena *arena, hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape, *y = &view->out[0]->shape;
  hone_copies *copy;
  hone_layout from = hone_layout_dense(x);
  size_t elements = 0;
  HONE_TRY(begin(view, arena, 1, &copy, out));
  if (!hone_slice_layout(view, &from))
    return hone_error(HONE_UNSUPPORTED, "a slice whose starts are not known");
  if (!hone_shape_count(y, &elements) || elements == 0) return NULL;
  hone_box box = {.rank = x->rank, .from = from.at};
  hone_shape_strides(y, box.to_stride);
  for (int i = 0; i < box.rank; i++) {
    box.size[i] = y->dim[i];
    box.from_stride[i] = from.stride[i];
  }
  hone_copies_add(copy, 0, 0, &box);
  return NULL;
}
const hone_node_functions hone_node_slice = {.accepts = accepts, .plan = plan_slice};

static hone_status *plan_expand(const hone_cpu_kernel *row, const hone_node_view *view,
                                hone_arena *arena, hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape, *y = &view->out[0]->shape;
  hone_copies *copy;
  HONE_TRY(begin(view, arena, 1, &copy, out));
  int64_t from[HONE_MAX_RANK];
  hone_box box = {.rank = y->rank};
  hone_shape_strides(x, from);
  hone_shape_strides(y, box.to_stride);
  for (int i = 0; i < box.rank; i++) {
    int axis = i - (y->rank - x->rank);
    box.size[i] = y->dim[i];
    box.from_stride[i] = axis < 0 || x->dim[axis] == 1 ? 0 : from[axis];
  }
  hone_copies_add(copy, 0, 0, &box);
  return NULL;
}
const hone_node_functions hone_node_expand = {.accepts = accepts, .plan = plan_expand};

/* Each axis twice: which repeat, and where in it. */
static hone_status *plan_tile(const hone_cpu_kernel *row, const hone_node_view *view,
                              hone_arena *arena, hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape, *y = &view->out[0]->shape;
  hone_copies *copy;
  HONE_TRY(begin(view, arena, 1, &copy, out));
  int64_t from[HONE_MAX_RANK], to[HONE_MAX_RANK];
  hone_shape_strides(x, from);
  hone_shape_strides(y, to);
  hone_box box = {.rank = 2 * x->rank};
  for (int i = 0; i < x->rank; i++) {
    int64_t size = x->dim[i];
    box.size[2 * i] = size ? y->dim[i] / size : 0;
    box.to_stride[2 * i] = to[i] * size;
    box.size[2 * i + 1] = size;
    box.to_stride[2 * i + 1] = to[i];
    box.from_stride[2 * i + 1] = from[i];
  }
  hone_copies_add(copy, 0, 0, &box);
  return NULL;
}
const hone_node_functions hone_node_tile = {.accepts = accepts, .plan = plan_tile};
