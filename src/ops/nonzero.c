/* nonzero and compress: what a tensor's elements pick out. Room: ops. */
#include "ops/axes.h"
#include "ops/elements.h"
#include "ops/ops.h"

static bool is_set(const hone_datum *x, size_t index) {
  return hone_dtype_class_of(x->dtype) == HONE_CLASS_FLOAT
             ? hone_load_real(x->dtype, x->data, index) != 0
             : hone_load_int(x->dtype, x->data, index) != 0;
}

/* A size only the run knows: the bound while planning, a fresh symbol in a graph. */
static hone_dim found_dim(hone_infer *infer, bool bounded, hone_dim bound) {
  return infer->graph || !bounded ? hone_infer_fresh(infer) : bound;
}

static hone_status *nonzero_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  hone_shape y = {.rank = 2};
  size_t count = 0;
  if (infer->in[0]->dtype == HONE_STR) return hone_infer_fail(infer, "does not take str");
  bool bounded = hone_shape_count(x, &count);
  y.dim[0] = x->rank >= 0 ? x->rank : hone_infer_fresh(infer);
  y.dim[1] = found_dim(infer, bounded, (hone_dim)count);
  infer->out[0] = hone_tensor_type(HONE_S64, y);
  return NULL;
}

/* One row an axis, one column an element that is not 0. */
static hone_status *nonzero_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0];
  hone_datum *y = ref->out[0];
  size_t total = hone_datum_count(x), found = 0;
  int rank = x->shape.rank;
  int64_t at[HONE_MAX_RANK] = {0};
  for (size_t i = 0; i < total; i++) found += is_set(x, i);
  y->shape.dim[1] = (hone_dim)found;
  for (size_t i = 0, column = 0; i < total; i++) {
    for (int d = 0; d < rank && is_set(x, i); d++)
      hone_store_int(HONE_S64, y->data, (size_t)d * found + column, at[d]);
    column += is_set(x, i);
    for (int d = rank - 1; d >= 0 && ++at[d] == x->shape.dim[d]; d--) at[d] = 0;
  }
  return NULL;
}

const hone_op hone_op_nonzero = {.name = "nonzero",
                                 .inputs = "x",
                                 .outputs = "positions",
                                 .facts = HONE_DATA_SHAPED,
                                 .infer = nonzero_infer,
                                 .reference = nonzero_reference};

static hone_status *compress_infer(hone_infer *infer) {
  const hone_type *x = infer->in[0], *condition = infer->in[1];
  bool flat = hone_node_flag(infer->node, "flat");
  hone_shape y = flat ? (hone_shape){.rank = 1} : x->shape;
  size_t count = 0;
  int axis = 0;
  if (condition->dtype && condition->dtype != HONE_BOOL)
    return hone_infer_fail(infer, "a condition of type %s", hone_dtype_name(condition->dtype));
  infer->out[0] = hone_tensor_type(x->dtype, y);
  if (y.rank < 0) return NULL;
  if (!flat) HONE_TRY(hone_infer_axis(infer, "axis", y.rank, &axis));
  bool bounded = flat ? hone_shape_count(&x->shape, &count) : hone_dim_known(x->shape.dim[axis]);
  hone_dim bound = flat ? (hone_dim)count : x->shape.dim[axis];
  infer->out[0].shape.dim[axis] = found_dim(infer, bounded, bound);
  return NULL;
}

/* A condition shorter than the axis leaves out what is beyond it. */
static hone_status *compress_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0], *condition = ref->in[1];
  hone_datum *y = ref->out[0];
  hone_line line = {1, hone_datum_count(x), 1};
  int axis = 0;
  if (!hone_node_flag(ref->node, "flat")) {
    axis = hone_ref_axis(ref, "axis", x->shape.rank);
    line = hone_line_of(&x->shape, axis);
  }
  size_t given = hone_datum_count(condition), to = 0, found = 0;
  if (given > line.size) given = line.size;
  for (size_t i = 0; i < given; i++) found += is_set(condition, i);
  for (size_t o = 0; o < line.outer; o++)
    for (size_t i = 0; i < given; i++) {
      if (!is_set(condition, i)) continue;
      hone_copy_run(x->dtype, y->data, to, x->data, (o * line.size + i) * line.inner, line.inner);
      to += line.inner;
    }
  y->shape.dim[axis] = (hone_dim)found;
  return NULL;
}

const hone_op hone_op_compress = {.name = "compress",
                                  .inputs = "x condition",
                                  .outputs = "y",
                                  .attrs = {{"flat", HONE_ATTR_FLAG, "true", NULL},
                                            {"axis", HONE_ATTR_INT, "0", NULL}},
                                  .facts = HONE_DATA_SHAPED | HONE_MOVES,
                                  .infer = compress_infer,
                                  .reference = compress_reference};
