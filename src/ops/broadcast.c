/* Walking a tensor row by row together with the inputs that broadcast to it. Room: ops. */
#include "ops/broadcast.h"

#include <assert.h>

/* The step of `in` along axis `axis` of an output of `rank` axes. */
static int64_t input_stride(const hone_datum *in, const int64_t *strides, int axis, int rank) {
  int own = axis - (rank - in->shape.rank);
  return own < 0 || in->shape.dim[own] == 1 ? 0 : strides[own];
}

/* Whether the last joined axis and the new one are one run for every input. */
static bool joins(const hone_walk *walk, int64_t size, const int64_t *stride) {
  int last = walk->rank - 1;
  if (last < 0) return false;
  for (int i = 0; i < walk->inputs; i++)
    if (walk->stride[i][last] != stride[i] * size) return false;
  return true;
}

void hone_walk_start(hone_walk *walk, const hone_shape *out, const hone_datum *const *in,
                     int inputs) {
  assert(inputs <= HONE_WALK_INPUTS);
  *walk = (hone_walk){.inputs = inputs};
  int64_t strides[HONE_WALK_INPUTS][HONE_MAX_RANK];
  for (int i = 0; i < inputs; i++)
    if (in[i]) hone_shape_strides(&in[i]->shape, strides[i]);
  for (int axis = 0; axis < out->rank; axis++) {
    int64_t size = out->dim[axis], stride[HONE_WALK_INPUTS] = {0};
    walk->empty |= size == 0;
    if (size == 1) continue;
    for (int i = 0; i < inputs; i++)
      if (in[i]) stride[i] = input_stride(in[i], strides[i], axis, out->rank);
    bool joined = joins(walk, size, stride);
    int to = joined ? walk->rank - 1 : walk->rank++;
    walk->size[to] = joined ? walk->size[to] * size : size;
    for (int i = 0; i < inputs; i++) walk->stride[i][to] = stride[i];
  }
  /* The last axis is the row. */
  walk->row = 1;
  if (walk->rank == 0) return;
  walk->rank--;
  walk->row = (size_t)walk->size[walk->rank];
  for (int i = 0; i < inputs; i++) walk->row_stride[i] = walk->stride[i][walk->rank];
}

bool hone_walk_next(hone_walk *walk) {
  if (walk->empty) return false;
  if (!walk->started) return walk->started = true;
  for (int axis = walk->rank - 1; axis >= 0; axis--) {
    bool more = ++walk->position[axis] < walk->size[axis];
    for (int i = 0; i < walk->inputs; i++)
      walk->at[i] += walk->stride[i][axis] * (more ? 1 : 1 - walk->size[axis]);
    if (more) return true;
    walk->position[axis] = 0;
  }
  return false;
}
