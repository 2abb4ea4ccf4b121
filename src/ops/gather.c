/* gather, gather_elements, gather_nd: elements or slices picked by index. Room: ops.
 *
 * An index counts from the end when negative; one outside is an error of the run, not a wrong
 * read. */
#include "ops/axes.h"
#include "ops/elements.h"
#include "ops/ops.h"

static hone_status *whole_indices(const hone_infer *infer) {
  hone_dtype dtype = infer->in[1]->dtype;
  hone_dtype_class klass = hone_dtype_class_of(dtype);
  if (klass == HONE_CLASS_SIGNED || klass == HONE_CLASS_UNSIGNED || !dtype) return NULL;
  return hone_infer_fail(infer, "indices of type %s", hone_dtype_name(dtype));
}

static hone_status *gather_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape, *at = &infer->in[1]->shape;
  infer->out[0] = *infer->in[0];
  hone_shape *y = &infer->out[0].shape;
  *y = hone_shape_unknown();
  HONE_TRY(whole_indices(infer));
  if (x->rank < 0 || at->rank < 0) return NULL;
  int axis;
  HONE_TRY(hone_infer_axis(infer, "axis", x->rank, &axis));
  if (x->rank - 1 + at->rank > HONE_MAX_RANK)
    return hone_infer_fail(infer, "more than %d dimensions", HONE_MAX_RANK);
  y->rank = 0;
  for (int i = 0; i < axis; i++) y->dim[y->rank++] = x->dim[i];
  for (int i = 0; i < at->rank; i++) y->dim[y->rank++] = at->dim[i];
  for (int i = axis + 1; i < x->rank; i++) y->dim[y->rank++] = x->dim[i];
  return NULL;
}

static hone_status *gather_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0], *indices = ref->in[1], *y = ref->out[0];
  int axis = hone_ref_axis(ref, "axis", x->shape.rank);
  size_t before = hone_shape_span(&x->shape, 0, axis);
  size_t after = hone_shape_span(&x->shape, axis + 1, x->shape.rank);
  size_t count = hone_datum_count(indices), to = 0;
  int64_t size = x->shape.dim[axis], at;
  for (size_t outer = 0; outer < before; outer++)
    for (size_t i = 0; i < count; i++, to += after) {
      HONE_TRY(hone_ref_index(indices, i, size, &at));
      hone_copy_run(x->dtype, y->data, to, x->data,
                    (outer * (size_t)size + (size_t)at) * after, after);
    }
  return NULL;
}

const hone_op hone_op_gather = {.name = "gather",
                                .inputs = "x indices",
                                .outputs = "y",
                                .attrs = {{"axis", HONE_ATTR_INT, "0", NULL}},
                                .facts = HONE_MOVES,
                                .infer = gather_infer,
                                .reference = gather_reference};

static hone_status *gather_elements_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape, *at = &infer->in[1]->shape;
  HONE_TRY(whole_indices(infer));
  infer->out[0] = hone_tensor_type(infer->in[0]->dtype, *at);
  if (x->rank < 0 || at->rank < 0) return NULL;
  int axis;
  if (x->rank != at->rank)
    return hone_infer_fail(infer, "x has %d dimensions, the indices %d", x->rank, at->rank);
  HONE_TRY(hone_infer_axis(infer, "axis", x->rank, &axis));
  for (int i = 0; i < x->rank; i++)
    if (i != axis && hone_dim_known(x->dim[i]) && at->dim[i] > x->dim[i])
      return hone_infer_fail(infer, "the indices are larger than x in dimension %d", i);
  return NULL;
}

static hone_status *gather_elements_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0], *indices = ref->in[1], *y = ref->out[0];
  int rank = x->shape.rank, axis = hone_ref_axis(ref, "axis", rank);
  int64_t strides[HONE_MAX_RANK], position[HONE_MAX_RANK] = {0}, at;
  hone_shape_strides(&x->shape, strides);
  size_t count = hone_datum_count(indices);
  for (size_t i = 0; i < count; i++) {
    HONE_TRY(hone_ref_index(indices, i, x->shape.dim[axis], &at));
    int64_t from = at * strides[axis];
    for (int d = 0; d < rank; d++)
      if (d != axis) from += position[d] * strides[d];
    hone_copy_run(x->dtype, y->data, i, x->data, (size_t)from, 1);
    for (int d = rank - 1; d >= 0 && ++position[d] == indices->shape.dim[d]; d--) position[d] = 0;
  }
  return NULL;
}

const hone_op hone_op_gather_elements = {.name = "gather_elements",
                                         .inputs = "x indices",
                                         .outputs = "y",
                                         .attrs = {{"axis", HONE_ATTR_INT, "0", NULL}},
                                         .facts = HONE_MOVES,
                                         .infer = gather_elements_infer,
                                         .reference = gather_elements_reference};

/* The last axis of the indices holds positions in x's axes after the batch ones. */
static hone_status *gather_nd_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape, *at = &infer->in[1]->shape;
  infer->out[0] = *infer->in[0];
  hone_shape *y = &infer->out[0].shape;
  *y = hone_shape_unknown();
  HONE_TRY(whole_indices(infer));
  if (at->rank == 0) return hone_infer_fail(infer, "the indices are a scalar");
  if (x->rank < 0 || at->rank < 0 || !hone_dim_known(at->dim[at->rank - 1])) return NULL;
  int64_t batch = hone_node_int(infer->node, "batch_dims"), depth = at->dim[at->rank - 1];
  if (batch < 0 || batch >= at->rank || batch > x->rank || depth > x->rank - batch)
    return hone_infer_fail(infer, "indices of depth %lld after %lld batch dimensions of %d",
                           (long long)depth, (long long)batch, x->rank);
  for (int i = 0; i < batch; i++)
    if (hone_dim_known(x->dim[i]) && hone_dim_known(at->dim[i]) && x->dim[i] != at->dim[i])
      return hone_infer_fail(infer, "batch dimension %d differs", i);
  if (at->rank - 1 + x->rank - (batch + depth) > HONE_MAX_RANK)
    return hone_infer_fail(infer, "more than %d dimensions", HONE_MAX_RANK);
  y->rank = 0;
  for (int i = 0; i < at->rank - 1; i++) y->dim[y->rank++] = at->dim[i];
  for (int i = (int)(batch + depth); i < x->rank; i++) y->dim[y->rank++] = x->dim[i];
  return NULL;
}

static hone_status *gather_nd_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0], *indices = ref->in[1], *y = ref->out[0];
  int batch = (int)hone_node_int(ref->node, "batch_dims"), last = indices->shape.rank - 1;
  int depth = (int)indices->shape.dim[last];
  size_t batches = hone_shape_span(&indices->shape, 0, batch);
  size_t picks = hone_shape_span(&indices->shape, batch, last);
  size_t run = hone_shape_span(&x->shape, batch + depth, x->shape.rank);
  size_t image = hone_shape_span(&x->shape, batch, x->shape.rank);
  for (size_t i = 0; i < batches * picks; i++) {
    size_t from = 0;
    for (int d = 0; d < depth; d++) {
      int64_t size = x->shape.dim[batch + d], at;
      HONE_TRY(hone_ref_index(indices, i * (size_t)depth + (size_t)d, size, &at));
      from = from * (size_t)size + (size_t)at;
    }
    hone_copy_run(x->dtype, y->data, i * run, x->data, i / picks * image + from * run, run);
  }
  return NULL;
}

const hone_op hone_op_gather_nd = {.name = "gather_nd",
                                   .inputs = "x indices",
                                   .outputs = "y",
                                   .attrs = {{"batch_dims", HONE_ATTR_INT, "0", NULL}},
                                   .facts = HONE_MOVES,
                                   .infer = gather_nd_infer,
                                   .reference = gather_nd_reference};
