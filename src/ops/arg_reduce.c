/* arg_reduce: where along an axis the greatest or least element is; among equals the first, or
 * with `last` the last; NaN counts as beyond all. Room: ops. */
#include <string.h>

#include "ops/axes.h"
#include "ops/operand.h"
#include "ops/ops.h"

static hone_status *arg_reduce_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  infer->out[0] = hone_tensor_type(HONE_S64, *x);
  hone_shape *y = &infer->out[0].shape;
  if (x->rank < 0) return NULL;
  int axis;
  HONE_TRY(hone_infer_axis(infer, "axis", x->rank, &axis));
  if (x->dim[axis] == 0) return hone_infer_fail(infer, "dimension %d is empty", axis);
  y->dim[axis] = 1;
  if (hone_node_flag(infer->node, "keep")) return NULL;
  y->rank--;
  for (int i = axis; i < y->rank; i++) y->dim[i] = x->dim[i + 1];
  return NULL;
}

/* Whether x[i] takes the place of x[best]. */
static bool better_real(const double *x, size_t i, size_t best, bool most, bool last) {
  if (x[best] != x[best]) return last && x[i] != x[i];
  if (x[i] != x[i]) return true;
  return (most ? x[i] > x[best] : x[i] < x[best]) || (last && x[i] == x[best]);
}

/* The same for integers; unsigned ones come with their sign bit flipped. */
static bool better_int(const int64_t *x, size_t i, size_t best, bool most, bool last) {
  return (most ? x[i] > x[best] : x[i] < x[best]) || (last && x[i] == x[best]);
}

static hone_status *arg_reduce_reference(hone_reference *ref) {
  const hone_datum *in = ref->in[0], *y = ref->out[0];
  hone_line line = hone_line_of(&in->shape, hone_ref_axis(ref, "axis", in->shape.rank));
  bool most = strcmp(hone_node_text(ref->node, "kind"), "max") == 0;
  bool last = hone_node_flag(ref->node, "last");
  double *real = NULL;
  int64_t *whole = NULL;
  bool floats = hone_dtype_class_of(in->dtype) == HONE_CLASS_FLOAT;
  if (floats) {
    HONE_TRY(hone_operand_reals(ref, 0, &real));
  } else {
    HONE_TRY(hone_operand_ints(ref, 0, &whole));
    size_t flipped = in->dtype == HONE_U64 ? hone_datum_count(in) : 0;
    for (size_t i = 0; i < flipped; i++) whole[i] ^= INT64_MIN;
  }
  for (size_t o = 0; o < line.outer; o++)
    for (size_t n = 0; n < line.inner; n++) {
      size_t first = o * line.size * line.inner + n, best = 0;
      for (size_t i = 1; i < line.size; i++) {
        size_t at = first + i * line.inner, held = first + best * line.inner;
        bool better = floats ? better_real(real, at, held, most, last)
                             : better_int(whole, at, held, most, last);
        if (better) best = i;
      }
      hone_store_int(HONE_S64, y->data, o * line.inner + n, (int64_t)best);
    }
  return NULL;
}

const hone_op hone_op_arg_reduce = {.name = "arg_reduce",
                                    .inputs = "x",
                                    .outputs = "indices",
                                    .attrs = {{"kind", HONE_ATTR_CHOICE, NULL, "max|min"},
                                              {"axis", HONE_ATTR_INT, "0", NULL},
                                              {"keep", HONE_ATTR_FLAG, "true", NULL},
                                              {"last", HONE_ATTR_FLAG, "false", NULL}},
                                    .facts = HONE_REDUCES,
                                    .infer = arg_reduce_infer,
                                    .reference = arg_reduce_reference};
