/* topk: the k greatest or least elements along an axis, with their positions; equals go by
 * position, NaN is greater than all. Room: ops. */
#include "ops/axes.h"
#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/operand.h"
#include "ops/ops.h"
#include "ops/order.h"

static hone_status *topk_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  hone_known_int k[HONE_MAX_TRACED];
  size_t count;
  int axis;
  infer->out[0] = *infer->in[0];
  if (infer->in[0]->dtype == HONE_STR) return hone_infer_fail(infer, "does not take str");
  hone_shape *y = &infer->out[0].shape;
  if (x->rank >= 0) {
    HONE_TRY(hone_infer_axis(infer, "axis", x->rank, &axis));
    if (!hone_infer_partial(infer, 1, k, &count) || count != 1)
      y->dim[axis] = hone_infer_fresh(infer);
    else if (!hone_known_dim(infer, k[0], &y->dim[axis]) ||
             (k[0].kind == HONE_INT_NUMBER && hone_dim_known(x->dim[axis]) &&
              k[0].value > x->dim[axis]))
      return hone_infer_fail(infer, "k is %lld", (long long)k[0].value);
  }
  if (infer->output_count > 1) infer->out[1] = hone_tensor_type(HONE_S64, *y);
  return NULL;
}

/* A line of elements; `whole` where `real` is NULL. */
typedef struct line_view {
  const double *real;
  const int64_t *whole;
  size_t step;
  bool largest;
} line_view;

static int compare(const void *elements, size_t a, size_t b) {
  const line_view *v = elements;
  size_t ia = a * v->step, ib = b * v->step;
  int way;
  if (v->real) {
    double xa = v->real[ia], xb = v->real[ib];
    bool na = xa != xa, nb = xb != xb;
    way = na || nb ? na - nb : (xa > xb) - (xa < xb);
  } else {
    way = (v->whole[ia] > v->whole[ib]) - (v->whole[ia] < v->whole[ib]);
  }
  return v->largest ? -way : way;
}

static hone_status *topk_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0], *values = ref->out[0];
  const hone_datum *positions = ref->output_count > 1 ? ref->out[1] : NULL;
  const hone_datum *y = values ? values : positions;
  if (!y) return NULL;
  int axis = hone_ref_axis(ref, "axis", x->shape.rank);
  hone_line line = hone_line_of(&x->shape, axis);
  size_t k = (size_t)y->shape.dim[axis];
  double *real = NULL;
  int64_t *whole = NULL;
  if (hone_dtype_class_of(x->dtype) == HONE_CLASS_FLOAT) {
    HONE_TRY(hone_operand_reals(ref, 0, &real));
  } else {
    HONE_TRY(hone_operand_ints(ref, 0, &whole));
    size_t flipped = x->dtype == HONE_U64 ? hone_datum_count(x) : 0;
    for (size_t i = 0; i < flipped; i++) whole[i] ^= INT64_MIN;
  }
  size_t *index = HONE_NEW_ARRAY(ref->scratch, line.size + 1, size_t);
  HONE_TRY_MEMORY(index);
  for (size_t o = 0; o < line.outer; o++)
    for (size_t n = 0; n < line.inner; n++) {
      size_t first = o * line.size * line.inner + n;
      line_view view = {real ? real + first : NULL, whole ? whole + first : NULL, line.inner,
                        hone_node_flag(ref->node, "largest")};
      for (size_t i = 0; i < line.size; i++) index[i] = i;
      hone_order(index, line.size, compare, &view);
      for (size_t i = 0; i < k; i++) {
        size_t to = (o * k + i) * line.inner + n, from = first + index[i] * line.inner;
        if (values) hone_copy_run(x->dtype, values->data, to, x->data, from, 1);
        if (positions) hone_store_int(HONE_S64, positions->data, to, (int64_t)index[i]);
      }
    }
  return NULL;
}

/* The result is always sorted; `sorted` says whether the model relies on that. */
const hone_op hone_op_topk = {.name = "topk",
                              .inputs = "x k",
                              .outputs = "values? positions?",
                              .attrs = {{"axis", HONE_ATTR_INT, "-1", NULL},
                                        {"largest", HONE_ATTR_FLAG, "true", NULL},
                                        {"sorted", HONE_ATTR_FLAG, "true", NULL}},
                              .facts = HONE_REDUCES,
                              .shape_inputs = 1u << 1,
                              .infer = topk_infer,
                              .reference = topk_reference};
