/* shape and size: what is asked of a tensor's shape alone. Room: ops. */
#include "ops/ops.h"

/* Where [start, end) of the attributes begins and ends in `rank` dimensions. */
static void range_of(const hone_node *node, int rank, int64_t *start, int64_t *end) {
  *start = hone_node_int(node, "start");
  *end = hone_node_int(node, "end");
  int64_t *bound[2] = {start, end};
  for (int i = 0; i < 2; i++) {
    if (*bound[i] < 0) *bound[i] += rank;
    if (*bound[i] < 0) *bound[i] = 0;
    if (*bound[i] > rank) *bound[i] = rank;
  }
  if (*end < *start) *end = *start;
}

static hone_status *shape_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  int64_t start, end;
  infer->out[0] = hone_tensor_type(HONE_S64, (hone_shape){.rank = 1});
  if (x->rank < 0) {
    infer->out[0].shape.dim[0] = hone_infer_fresh(infer);
    return NULL;
  }
  range_of(infer->node, x->rank, &start, &end);
  infer->out[0].shape.dim[0] = end - start;
  return NULL;
}

static hone_status *shape_reference(hone_reference *ref) {
  const hone_shape *x = &ref->in[0]->shape;
  int64_t start, end;
  range_of(ref->node, x->rank, &start, &end);
  for (int64_t i = start; i < end; i++)
    hone_store_int(HONE_S64, ref->out[0]->data, (size_t)(i - start), x->dim[i]);
  return NULL;
}

/* The default end is past every rank. */
const hone_op hone_op_shape = {.name = "shape",
                               .inputs = "x",
                               .outputs = "dims",
                               .attrs = {{"start", HONE_ATTR_INT, "0", NULL},
                                         {"end", HONE_ATTR_INT, "9223372036854775807", NULL}},
                               .facts = HONE_SHAPE_ONLY,
                               .infer = shape_infer,
                               .reference = shape_reference};

static hone_status *size_infer(hone_infer *infer) {
  infer->out[0] = hone_tensor_type(HONE_S64, (hone_shape){0});
  return NULL;
}

static hone_status *size_reference(hone_reference *ref) {
  hone_store_int(HONE_S64, ref->out[0]->data, 0, (int64_t)hone_datum_count(ref->in[0]));
  return NULL;
}

const hone_op hone_op_size = {.name = "size",
                              .inputs = "x",
                              .outputs = "count",
                              .facts = HONE_SHAPE_ONLY,
                              .infer = size_infer,
                              .reference = size_reference};
