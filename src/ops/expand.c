/* expand and tile: a tensor repeated, by broadcasting or end to end. Room: ops. */
#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/ops.h"

/* Broadcasts with the shape that input 1 holds; it may be smaller than x. */
static hone_status *expand_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  infer->out[0] = *infer->in[0];
  hone_shape *y = &infer->out[0].shape;
  hone_known_int wanted[HONE_MAX_TRACED];
  size_t count;
  *y = hone_shape_unknown();
  if (x->rank < 0 || !hone_infer_partial(infer, 1, wanted, &count)) return NULL;
  if (count > HONE_MAX_RANK)
    return hone_infer_fail(infer, "%zu dimensions; %d are the most", count, HONE_MAX_RANK);
  hone_shape shape = {.rank = (int)count};
  for (size_t i = 0; i < count; i++)
    if (!hone_known_dim(infer, wanted[i], &shape.dim[i]))
      return hone_infer_fail(infer, "%lld in the shape", (long long)wanted[i].value);
  if (!hone_shape_broadcast(infer->graph, x, &shape, y))
    return hone_infer_fail(infer, "x does not broadcast with the shape");
  return NULL;
}

static hone_status *expand_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0], *y = ref->out[0];
  int64_t strides[HONE_MAX_RANK];
  int lead = y->shape.rank - x->shape.rank;
  hone_box box = {.rank = y->shape.rank};
  hone_shape_strides(&x->shape, strides);
  hone_shape_strides(&y->shape, box.to_stride);
  for (int i = 0; i < box.rank; i++) {
    box.size[i] = y->shape.dim[i];
    bool repeats = i < lead || x->shape.dim[i - lead] == 1;
    box.from_stride[i] = repeats ? 0 : strides[i - lead];
  }
  hone_copy_box(x->dtype, y->data, x->data, &box);
  return NULL;
}

const hone_op hone_op_expand = {.name = "expand",
                                .inputs = "x shape",
                                .outputs = "y",
                                .facts = HONE_MOVES,
                                .shape_inputs = 1u << 1,
                                .infer = expand_infer,
                                .reference = expand_reference};

static hone_status *tile_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  infer->out[0] = *infer->in[0];
  hone_shape *y = &infer->out[0].shape;
  hone_known_int repeats[HONE_MAX_TRACED];
  size_t count;
  if (x->rank < 0) return NULL;
  if (!hone_infer_partial(infer, 1, repeats, &count))
    return *y = hone_shape_fresh(infer, x->rank), NULL;
  if (count != (size_t)x->rank)
    return hone_infer_fail(infer, "%zu repeats for %d dimensions", count, x->rank);
  for (int i = 0; i < x->rank; i++) {
    bool number = repeats[i].kind == HONE_INT_NUMBER;
    if (number && repeats[i].value < 0)
      return hone_infer_fail(infer, "%lld repeats", (long long)repeats[i].value);
    if (number && repeats[i].value == 1) continue;
    if (x->dim[i] == 1 && repeats[i].kind == HONE_INT_SYMBOL) y->dim[i] = repeats[i].value;
    else if (!number || !hone_dim_known(x->dim[i])) y->dim[i] = hone_infer_fresh(infer);
    else if (!hone_mul_s64(x->dim[i], repeats[i].value, &y->dim[i]))
      return hone_infer_fail(infer, "its size overflows");
  }
  return NULL;
}

/* Each axis twice: which repeat, and where in it. */
static hone_status *tile_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0], *y = ref->out[0];
  int64_t from[HONE_MAX_RANK], to[HONE_MAX_RANK];
  hone_shape_strides(&x->shape, from);
  hone_shape_strides(&y->shape, to);
  hone_box box = {.rank = 2 * x->shape.rank};
  for (int i = 0; i < x->shape.rank; i++) {
    int64_t size = x->shape.dim[i];
    box.size[2 * i] = size ? y->shape.dim[i] / size : 0;
    box.to_stride[2 * i] = to[i] * size;
    box.size[2 * i + 1] = size;
    box.to_stride[2 * i + 1] = to[i];
    box.from_stride[2 * i + 1] = from[i];
  }
  hone_copy_box(x->dtype, y->data, x->data, &box);
  return NULL;
}

const hone_op hone_op_tile = {.name = "tile",
                              .inputs = "x repeats",
                              .outputs = "y",
                              .facts = HONE_MOVES,
                              .shape_inputs = 1u << 1,
                              .infer = tile_infer,
                              .reference = tile_reference};
