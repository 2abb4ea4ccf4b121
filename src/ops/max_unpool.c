/* max_unpool: puts pooled maxima back where their indices say, zeros elsewhere. Channels come
 * second, as the indices count in that order. Room: ops. */
#include "ops/axes.h"
#include "ops/operand.h"
#include "ops/ops.h"
#include "ops/spatial.h"

enum { X, INDICES, SHAPE };

hone_status *hone_unpooled_shape(const hone_node *node, const hone_shape *x, hone_shape *out) {
  int rank = x->rank - 2;
  size_t windows, strides, pads;
  const int64_t *window = hone_node_ints(node, "window", &windows);
  const int64_t *stride = hone_node_ints(node, "strides", &strides);
  const int64_t *pad = hone_node_ints(node, "pads", &pads);
  if (rank < 1 || windows != (size_t)rank || (strides && strides != windows) ||
      (pads && pads != 2 * windows))
    return hone_error(HONE_INVALID_MODEL, "the window does not fit x");
  *out = *x;
  for (int i = 0; i < rank; i++) {
    int64_t step = strides ? stride[i] : 1, cut = 0, size = 0;
    if (!hone_dim_known(x->dim[2 + i])) continue;
    if ((pads && !hone_add_s64(pad[i], pad[rank + i], &cut)) || step < 1 ||
        !hone_mul_s64(x->dim[2 + i] - 1, step, &size) || !hone_add_s64(size, window[i], &size) ||
        __builtin_sub_overflow(size, cut, &size) || size < 0)
      return hone_error(HONE_INVALID_MODEL, "axis %d has no size", 2 + i);
    out->dim[2 + i] = size;
  }
  return NULL;
}

static hone_status *max_unpool_infer(hone_infer *infer) {
  HONE_TRY(hone_infer_class(infer, X, HONE_FLOATS | HONE_INTEGERS));
  HONE_TRY(hone_infer_class(infer, INDICES, HONE_INTEGERS));
  const hone_shape *x = &infer->in[X]->shape;
  infer->out[0] = hone_tensor_type(infer->in[X]->dtype, hone_shape_unknown());
  if (x->rank < 0) return NULL;
  HONE_TRY(hone_infer_rank(infer, INDICES, x->rank));
  hone_shape *out = &infer->out[0].shape;
  HONE_TRY(hone_unpooled_shape(infer->node, x, out));
  int64_t given[HONE_MAX_RANK];
  size_t count;
  bool known = hone_infer_ints(infer, SHAPE, given, HONE_MAX_RANK, &count);
  if (known && count != (size_t)x->rank)
    return hone_infer_fail(infer, "an output shape of %zu axes", count);
  for (int i = 0; i < x->rank; i++) {
    hone_dim inner =
        infer->in[INDICES]->shape.rank < 0 ? x->dim[i] : infer->in[INDICES]->shape.dim[i];
    if (!hone_dim_unify(inner, x->dim[i], &inner))
      return hone_infer_fail(infer, "x and its indices differ in shape");
    if (known && (given[i] < 0 || (hone_dim_known(out->dim[i]) && given[i] < out->dim[i])))
      return hone_infer_fail(infer, "an output shape of %lld on axis %d", (long long)given[i], i);
    if (known)
      out->dim[i] = given[i];
    else if (i >= 2 && (hone_infer_in(infer, SHAPE) || !hone_dim_known(x->dim[i])))
      out->dim[i] = hone_infer_fresh(infer);
  }
  return NULL;
}

static hone_status *max_unpool_reference(hone_reference *ref) {
  const hone_shape *out = &ref->out[0]->shape;
  hone_shape inner;
  hone_numbers x, y;
  int64_t *indices, strides[HONE_MAX_RANK];
  size_t count;
  HONE_TRY(hone_unpooled_shape(ref->node, &ref->in[X]->shape, &inner));
  HONE_TRY(hone_operand(ref, X, &x));
  HONE_TRY(hone_operand_ints(ref, INDICES, &indices));
  HONE_TRY(hone_result(ref, 0, &y));
  if (!hone_shape_count(&inner, &count))
    return hone_error(HONE_LIMIT, "max_unpool: the sizes overflow");
  hone_shape_strides(out, strides);
  for (size_t i = 0; i < x.count; i++) {
    HONE_TRY(hone_ref_place(indices[i], (int64_t)count));
    size_t rest = (size_t)indices[i], to = 0;
    for (int axis = inner.rank - 1; axis >= 0; axis--) {
      to += rest % (size_t)inner.dim[axis] * (size_t)strides[axis];
      rest /= (size_t)inner.dim[axis];
    }
    y.integer[to] = x.integer[i];
  }
  hone_result_store(ref, 0, &y);
  return NULL;
}

const hone_op hone_op_max_unpool = {
    .name = "max_unpool",
    .inputs = "x indices shape?", /* [n, c, s…] both; the output's shape if larger than implied */
    .outputs = "y",
    .attrs = {{"window", HONE_ATTR_INTS, NULL, NULL},
              {"strides", HONE_ATTR_INTS, "[]", NULL},
              {"pads", HONE_ATTR_INTS, "[]", NULL}}, /* before each axis, then after each */
    .shape_inputs = 1u << SHAPE,
    .infer = max_unpool_infer,
    .reference = max_unpool_reference,
};
