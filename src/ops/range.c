/* range, eye, one_hot, trilu: tensors made from indices. Room: ops. */
#include <math.h>

#include <string.h>

#include "ops/axes.h"
#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/ops.h"

/* How many steps lead from start up to, not including, limit; -1 when that is no number. */
static int64_t range_count(const hone_datum *const *in) {
  hone_dtype dtype = in[0]->dtype;
  if (hone_dtype_class_of(dtype) == HONE_CLASS_FLOAT) {
    double start = hone_load_real(dtype, in[0]->data, 0);
    double limit = hone_load_real(dtype, in[1]->data, 0);
    double count = ceil((limit - start) / hone_load_real(dtype, in[2]->data, 0));
    return count != count || count > 0x1p62 ? -1 : count > 0 ? (int64_t)count : 0;
  }
  int64_t start = hone_load_int(dtype, in[0]->data, 0);
  int64_t limit = hone_load_int(dtype, in[1]->data, 0);
  int64_t delta = hone_load_int(dtype, in[2]->data, 0), way;
  if (delta == 0 || __builtin_sub_overflow(limit, start, &way)) return -1;
  if (delta == -1 && way == INT64_MIN) return -1;
  return (way > 0) == (delta > 0) && way != 0 ? way / delta + (way % delta != 0) : 0;
}

static hone_status *range_infer(hone_infer *infer) {
  hone_shape *y = &infer->out[0].shape;
  hone_dtype dtype = infer->in[0]->dtype;
  infer->out[0] = hone_tensor_type(dtype, (hone_shape){.rank = 1});
  hone_dtype_class klass = hone_dtype_class_of(dtype);
  if (dtype && klass != HONE_CLASS_FLOAT && klass != HONE_CLASS_SIGNED)
    return hone_infer_fail(infer, "does not take %s", hone_dtype_name(dtype));
  bool known = true;
  for (int i = 0; i < 3; i++) {
    if (infer->in[i]->dtype != dtype) return hone_infer_fail(infer, "inputs of several types");
    known &= infer->value[i] && hone_datum_count(infer->value[i]) == 1;
  }
  hone_known_int start[HONE_MAX_TRACED], limit[HONE_MAX_TRACED], step[HONE_MAX_TRACED];
  size_t count;
  if (known) {
    y->dim[0] = range_count(infer->value);
    return y->dim[0] < 0 ? hone_infer_fail(infer, "the steps do not lead to the limit") : NULL;
  }
  /* 0 … n by 1 is as long as the dimension n. */
  bool one_by_one = klass == HONE_CLASS_SIGNED &&
                    hone_infer_partial(infer, 0, start, &count) && count == 1 &&
                    start[0].kind == HONE_INT_NUMBER && start[0].value == 0 &&
                    hone_infer_partial(infer, 2, step, &count) && count == 1 &&
                    step[0].kind == HONE_INT_NUMBER && step[0].value == 1 &&
                    hone_infer_partial(infer, 1, limit, &count) && count == 1;
  if (!one_by_one || !hone_known_dim(infer, limit[0], &y->dim[0]))
    y->dim[0] = hone_infer_fresh(infer);
  return NULL;
}

static hone_status *range_reference(hone_reference *ref) {
  const hone_datum *start = ref->in[0], *delta = ref->in[2], *y = ref->out[0];
  bool real = hone_dtype_class_of(y->dtype) == HONE_CLASS_FLOAT;
  size_t count = hone_datum_count(y);
  double first = hone_load_real(start->dtype, start->data, 0);
  double step = hone_load_real(delta->dtype, delta->data, 0);
  uint64_t whole = (uint64_t)hone_load_int(start->dtype, start->data, 0);
  uint64_t stride = (uint64_t)hone_load_int(delta->dtype, delta->data, 0);
  for (size_t i = 0; i < count; i++) {
    if (real) hone_store_real(y->dtype, y->data, i, first + (double)i * step);
    else hone_store_int(y->dtype, y->data, i, (int64_t)(whole + i * stride));
  }
  return NULL;
}

const hone_op hone_op_range = {.name = "range",
                               .inputs = "start limit delta",
                               .outputs = "y",
                               .shape_inputs = 1u << 0 | 1u << 1 | 1u << 2,
                               .infer = range_infer,
                               .reference = range_reference};

static void store_number(const hone_datum *y, size_t index, int value) {
  if (hone_dtype_class_of(y->dtype) == HONE_CLASS_FLOAT)
    hone_store_real(y->dtype, y->data, index, value);
  else
    hone_store_int(y->dtype, y->data, index, value);
}

static hone_status *eye_infer(hone_infer *infer) {
  hone_dtype dtype = hone_node_dtype(infer->node, "dtype");
  infer->out[0] = *infer->in[0];
  if (dtype) infer->out[0].dtype = dtype;
  if (infer->in[0]->shape.rank < 0 || infer->in[0]->shape.rank == 2) return NULL;
  return hone_infer_fail(infer, "x is no matrix");
}

static hone_status *eye_reference(hone_reference *ref) {
  const hone_datum *y = ref->out[0];
  int64_t k = hone_node_int(ref->node, "k"), rows = y->shape.dim[0], columns = y->shape.dim[1];
  size_t bytes = 0;
  if (!hone_shape_bytes(&y->shape, y->dtype, &bytes))
    return hone_error(HONE_LIMIT, "the size of a matrix overflows");
  if (bytes) memset(y->data, 0, bytes);
  if (k <= -rows || k >= columns) return NULL;
  for (int64_t r = k < 0 ? -k : 0; r < rows && r < columns - k; r++)
    store_number(y, (size_t)(r * columns + r + k), 1);
  return NULL;
}

/* 1 on diagonal k of a matrix as large as x, 0 elsewhere; dtype none is x's. */
const hone_op hone_op_eye_like = {.name = "eye_like",
                                  .inputs = "x",
                                  .outputs = "y",
                                  .attrs = {{"k", HONE_ATTR_INT, "0", NULL},
                                            {"dtype", HONE_ATTR_DTYPE, "none", NULL}},
                                  .facts = HONE_SHAPE_ONLY,
                                  .infer = eye_infer,
                                  .reference = eye_reference};

/* The new axis stands at `axis` of the result. */
static hone_status *one_hot_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  infer->out[0] = hone_tensor_type(infer->in[2]->dtype, hone_shape_unknown());
  hone_shape *y = &infer->out[0].shape;
  hone_known_int depth[HONE_MAX_TRACED];
  size_t count;
  int axis;
  if (x->rank < 0) return NULL;
  if (x->rank == HONE_MAX_RANK) return hone_infer_fail(infer, "more than %d dimensions", x->rank);
  HONE_TRY(hone_infer_axis(infer, "axis", x->rank + 1, &axis));
  y->rank = x->rank + 1;
  for (int i = 0, from = 0; i < y->rank; i++)
    if (i != axis) y->dim[i] = x->dim[from++];
  if (!hone_infer_partial(infer, 1, depth, &count) || count != 1)
    y->dim[axis] = hone_infer_fresh(infer);
  else if (!hone_known_dim(infer, depth[0], &y->dim[axis]))
    return hone_infer_fail(infer, "depth %lld", (long long)depth[0].value);
  return NULL;
}

/* An index out of -depth … depth - 1 gives a line of the first value alone. */
static hone_status *one_hot_reference(hone_reference *ref) {
  const hone_datum *indices = ref->in[0], *values = ref->in[2], *y = ref->out[0];
  hone_line line = hone_line_of(&y->shape, hone_ref_axis(ref, "axis", y->shape.rank));
  if (hone_datum_count(values) != 2)
    return hone_error(HONE_INVALID_ARGUMENT, "the values are not two: off and on");
  hone_fill_run(y->dtype, y->data, 0, values->data, 0, hone_datum_count(y));
  for (size_t o = 0; o < line.outer; o++)
    for (size_t n = 0; n < line.inner; n++) {
      int64_t at = hone_load_int(indices->dtype, indices->data, o * line.inner + n);
      if (at < 0) at += (int64_t)line.size;
      if (at < 0 || at >= (int64_t)line.size) continue;
      size_t to = (o * line.size + (size_t)at) * line.inner + n;
      hone_copy_run(y->dtype, y->data, to, values->data, 1, 1);
    }
  return NULL;
}

const hone_op hone_op_one_hot = {.name = "one_hot",
                                 .inputs = "indices depth values",
                                 .outputs = "y",
                                 .attrs = {{"axis", HONE_ATTR_INT, "-1", NULL}},
                                 .shape_inputs = 1u << 1,
                                 .infer = one_hot_infer,
                                 .reference = one_hot_reference};

static hone_status *trilu_infer(hone_infer *infer) {
  infer->out[0] = *infer->in[0];
  int rank = infer->in[0]->shape.rank;
  if (infer->in[0]->dtype == HONE_STR) return hone_infer_fail(infer, "does not take str");
  return rank < 0 || rank >= 2 ? NULL : hone_infer_fail(infer, "x is no matrix");
}

/* The part of each matrix on and above (or below) diagonal k, 0 elsewhere. */
static hone_status *trilu_reference(hone_reference *ref) {
  const hone_datum *y = ref->out[0], *k = ref->input_count > 1 ? ref->in[1] : NULL;
  static const char zero[16];
  int rank = y->shape.rank;
  int64_t rows = y->shape.dim[rank - 2], columns = y->shape.dim[rank - 1];
  int64_t diagonal = k ? hone_load_int(k->dtype, k->data, 0) : 0;
  bool upper = hone_node_flag(ref->node, "upper");
  size_t matrices = hone_shape_span(&y->shape, 0, rank - 2), at = 0;
  /* No further than the matrix's edges, so that the sums below cannot overflow. */
  diagonal = diagonal > columns ? columns : diagonal < -rows - 1 ? -rows - 1 : diagonal;
  hone_copy_tensor(y, ref->in[0]);
  for (size_t m = 0; m < matrices; m++)
    for (int64_t r = 0; r < rows; r++, at += (size_t)columns) {
      int64_t edge = r + diagonal + !upper; /* the first one above, or to be cut below */
      edge = edge < 0 ? 0 : edge > columns ? columns : edge;
      if (upper) hone_fill_run(y->dtype, y->data, at, zero, 0, (size_t)edge);
      else
        hone_fill_run(y->dtype, y->data, at + (size_t)edge, zero, 0, (size_t)(columns - edge));
    }
  return NULL;
}

const hone_op hone_op_trilu = {.name = "trilu",
                               .inputs = "x k?",
                               .outputs = "y",
                               .attrs = {{"upper", HONE_ATTR_FLAG, "true", NULL}},
                               .infer = trilu_infer,
                               .reference = trilu_reference};
