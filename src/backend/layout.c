/* Layouts under views and transposes. Room: backend. */
#include "backend/layout.h"

hone_layout hone_layout_dense(const hone_shape *shape) {
  hone_layout layout = {0};
  hone_shape_strides(shape, layout.stride);
  return layout;
}

/* ---- Steps -------------------------------------------------------------------------------------- */

/* Appends a step to the last axis; a step that goes on where the one before it ends is part of it. */
static bool add_step(hone_steps *steps, int from, int64_t size, int64_t stride) {
  int last = steps->count - 1;
  if (size == 1) return true;
  if (last >= from && steps->stride[last] == size * stride) {
    steps->size[last] *= size;
    steps->stride[last] = stride;
    return true;
  }
  if (steps->count == HONE_STEPS) return false;
  steps->size[steps->count] = size;
  steps->stride[steps->count++] = stride;
  return true;
}

hone_steps hone_steps_of(const hone_layout *layout, const hone_shape *shape) {
  hone_steps steps = {.at = layout->at, .rank = shape->rank};
  for (int i = 0; i < shape->rank; i++) {
    (void)add_step(&steps, steps.count, shape->dim[i], layout->stride[i]);
    steps.first[i + 1] = steps.count;
  }
  return steps;
}

/* The first `*wanted` elements of a step, or all of it where there are no more, to the last axis of
 * `to`; the step keeps the rest. False where it cannot be cut so. */
static bool take_step(hone_steps *to, int64_t *size, int64_t stride, int64_t *wanted) {
  int64_t taken = *wanted < *size ? *wanted : *size;
  if (*size % taken != 0 || *wanted % taken != 0) return false;
  *size /= taken;
  *wanted /= taken;
  return add_step(to, to->first[to->rank], taken, *size * stride);
}

bool hone_steps_reshape(hone_steps *steps, const hone_shape *to) {
  hone_steps all = {.rank = 0}, made = {.at = steps->at};
  for (int i = 0; i < to->rank; i++)
    if (to->dim[i] == 0) { /* no element, any layout */
      hone_layout dense = hone_layout_dense(to);
      *steps = hone_steps_of(&dense, to);
      return true;
    }
  for (int i = 0; i < steps->count; i++) (void)add_step(&all, 0, steps->size[i], steps->stride[i]);
  int next = 0;
  for (; made.rank < to->rank; made.first[made.rank] = made.count) {
    for (int64_t wanted = to->dim[made.rank]; wanted > 1; next += all.size[next] == 1)
      if (next == all.count || !take_step(&made, &all.size[next], all.stride[next], &wanted))
        return false;
    made.rank++;
  }
  *steps = made;
  return true;
}

static int axis_of(int i, int rank, const int64_t *perm) {
  int axis = rank - 1 - i;
  if (perm) (void)hone_axis(perm[i], rank, &axis);
  return axis;
}

void hone_steps_transpose(hone_steps *steps, const int64_t *perm) {
  const hone_steps old = *steps;
  steps->count = 0;
  for (int i = 0; i < old.rank; i++) {
    int axis = axis_of(i, old.rank, perm);
    for (int k = old.first[axis]; k < old.first[axis + 1]; k++) {
      steps->size[steps->count] = old.size[k];
      steps->stride[steps->count++] = old.stride[k];
    }
    steps->first[i + 1] = steps->count;
  }
}

bool hone_steps_layout(const hone_steps *steps, hone_layout *out) {
  hone_layout made = {.at = steps->at};
  int64_t past = 1; /* the step over the axis behind */
  for (int i = steps->rank - 1; i >= 0; i--) {
    int first = steps->first[i], count = steps->first[i + 1] - first;
    if (count > 1) return false;
    made.stride[i] = count ? steps->stride[first] : past;
    past = made.stride[i] * (count ? steps->size[first] : 1);
  }
  *out = made;
  return true;
}

/* ---- Layouts ------------------------------------------------------------------------------------ */

bool hone_layout_reshape(hone_layout *layout, const hone_shape *from, const hone_shape *to) {
  hone_steps steps = hone_steps_of(layout, from);
  return hone_steps_reshape(&steps, to) && hone_steps_layout(&steps, layout);
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
