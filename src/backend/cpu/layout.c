/* Layouts under views and transposes. Room: backend/cpu. */
#include "backend/cpu/layout.h"

hone_layout hone_layout_dense(const hone_shape *shape) {
  hone_layout layout = {0};
  hone_shape_strides(shape, layout.stride);
  return layout;
}

/* Axes [from, from_end) with as many elements as axes [to, to_end) of the other shape. */
typedef struct run {
  int from, from_end, to, to_end;
} run;

/* The smallest run that begins where `r` says; axes of 1 on their own make runs of nothing. Since
 * the shapes hold as many elements, the side that lags has axes left. */
static void find_run(const hone_shape *from, const hone_shape *to, run *r) {
  int64_t left = 1, right = 1;
  r->from_end = r->from;
  r->to_end = r->to;
  do {
    if (left < right)
      left *= from->dim[r->from_end++];
    else
      right *= to->dim[r->to_end++];
  } while (left != right);
}

/* Whether one step leads through all of the run's axes. */
static bool is_even(const hone_layout *layout, const hone_shape *from, const run *r) {
  for (int i = r->from; i + 1 < r->from_end; i++)
    if (layout->stride[i] != from->dim[i + 1] * layout->stride[i + 1]) return false;
  return true;
}

/* The shape and the layout without axes of 1. */
static hone_shape squeeze(hone_layout *layout, const hone_shape *shape) {
  hone_shape out = {.rank = 0};
  for (int i = 0; i < shape->rank; i++) {
    if (shape->dim[i] == 1) continue;
    layout->stride[out.rank] = layout->stride[i];
    out.dim[out.rank++] = shape->dim[i];
  }
  return out;
}

bool hone_layout_reshape(hone_layout *layout, const hone_shape *from, const hone_shape *to) {
  hone_layout old = *layout, made = {.at = layout->at};
  hone_shape plain = squeeze(&old, from);
  for (int i = 0; i < to->rank; i++)
    if (to->dim[i] == 0) {
      *layout = hone_layout_dense(to); /* no element, any layout */
      return true;
    }
  for (run r = {0}; r.to < to->rank; r.from = r.from_end, r.to = r.to_end) {
    find_run(&plain, to, &r);
    if (!is_even(&old, &plain, &r)) return false;
    int64_t step = r.from_end > r.from ? old.stride[r.from_end - 1] : 1;
    for (int i = r.to_end - 1; i >= r.to; i--) {
      made.stride[i] = step;
      step *= to->dim[i];
    }
  }
  *layout = made;
  return true;
}

static int axis_of(int i, int rank, const int64_t *perm) {
  int axis = rank - 1 - i;
  if (perm) (void)hone_axis(perm[i], rank, &axis);
  return axis;
}

void hone_layout_transpose(hone_layout *layout, int rank, const int64_t *perm) {
  hone_layout old = *layout;
  for (int i = 0; i < rank; i++) layout->stride[i] = old.stride[axis_of(i, rank, perm)];
}

void hone_layout_untranspose(hone_layout *layout, int rank, const int64_t *perm) {
  hone_layout old = *layout;
  for (int i = 0; i < rank; i++) layout->stride[axis_of(i, rank, perm)] = old.stride[i];
}

bool hone_layout_pitch(const hone_layout *layout, const hone_shape *shape, ptrdiff_t *pitch) {
  hone_layout rows = *layout;
  if (shape->rank < 1) return false;
  hone_shape flat = {.rank = 2, .dim = {1, shape->dim[shape->rank - 1]}};
  for (int i = 0; i < shape->rank - 1; i++) flat.dim[0] *= shape->dim[i];
  if (!hone_layout_reshape(&rows, shape, &flat)) return false;
  if (rows.stride[1] != 1 && flat.dim[1] != 1) return false;
  *pitch = (ptrdiff_t)rows.stride[0];
  return true;
}

bool hone_layout_planar(const hone_layout *layout, const hone_shape *shape) {
  int64_t step = 1;
  if (shape->rank < 3) return false;
  for (int n = 1, last = shape->rank - 1; n <= shape->rank; n++) {
    int axis = n == shape->rank ? 0 : n == last ? last : last - n; /* spatial, channels, pictures */
    if (shape->dim[axis] != 1 && layout->stride[axis] != step) return false;
    step *= shape->dim[axis];
  }
  return true;
}
