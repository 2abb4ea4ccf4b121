/* The shape rule that conv and conv_transpose share. Room: ops. */
#include "ops/conv_shape.h"

#include "ops/operand.h"

static hone_dim dim_of(hone_infer *infer, hone_dim dim) {
  return dim == HONE_DIM_FRESH ? hone_infer_fresh(infer) : dim;
}

hone_status *hone_infer_conv_shape(hone_infer *infer, const hone_shape *x, const hone_shape *w,
                                   hone_conv_rule *rule) {
  int rank = x->rank - 2;
  int64_t groups = hone_node_int(infer->node, "groups");
  if (rank < 0 || w->rank != x->rank)
    return hone_infer_fail(infer, "x has %d dimensions and w %d; both need 2 + the spatial ones",
                           x->rank, w->rank);
  if (groups < 1) return hone_infer_fail(infer, "groups is %lld", (long long)groups);
  hone_spatial window;
  hone_dim filters;
  HONE_TRY(rule(infer, x, w, &window, &filters));
  hone_shape *out = &infer->out[0].shape;
  out->rank = x->rank;
  out->dim[0] = x->dim[0];
  for (int i = 0; i < rank; i++) out->dim[1 + i] = dim_of(infer, window.out[i]);
  out->dim[rank + 1] = dim_of(infer, filters);
  return NULL;
}

hone_status *hone_infer_conv(hone_infer *infer, hone_conv_rule *rule) {
  HONE_TRY(hone_infer_class(infer, HONE_CONV_X, HONE_FLOATS | HONE_INTEGERS));
  HONE_TRY(hone_infer_same_dtype(infer, HONE_CONV_W));
  HONE_TRY(hone_infer_same_dtype(infer, HONE_CONV_BIAS));
  HONE_TRY(hone_infer_rank(infer, HONE_CONV_BIAS, 1));
  const hone_shape *x = &infer->in[HONE_CONV_X]->shape, *w = &infer->in[HONE_CONV_W]->shape;
  infer->out[0] = hone_tensor_type(infer->in[HONE_CONV_X]->dtype, hone_shape_unknown());
  if (x->rank < 0 || w->rank < 0) return NULL;
  HONE_TRY(hone_infer_conv_shape(infer, x, w, rule));
  const hone_type *bias = hone_infer_in(infer, HONE_CONV_BIAS);
  hone_dim *filters = &infer->out[0].shape.dim[x->rank - 1];
  if (bias && bias->shape.rank == 1 && !hone_dim_unify(*filters, bias->shape.dim[0], filters))
    return hone_infer_fail(infer, "%lld filters with %lld biases", (long long)*filters,
                           (long long)bias->shape.dim[0]);
  return NULL;
}
