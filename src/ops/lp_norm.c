/* lp_norm: a line along an axis divided by its 1- or 2-norm; a norm of zero divides nothing.
 * Room: ops. */
#include <math.h>

#include "ops/axes.h"
#include "ops/operand.h"
#include "ops/ops.h"

static hone_status *lp_norm_infer(hone_infer *infer) {
  int axis;
  infer->out[0] = *infer->in[0];
  HONE_TRY(hone_infer_class(infer, 0, HONE_FLOATS));
  int64_t p = hone_node_int(infer->node, "p");
  if (p != 1 && p != 2) return hone_infer_fail(infer, "p is %lld, not 1 or 2", (long long)p);
  if (infer->in[0]->shape.rank < 0) return NULL;
  return hone_infer_axis(infer, "axis", infer->in[0]->shape.rank, &axis);
}

static hone_status *lp_norm_reference(hone_reference *ref) {
  const hone_datum *y = ref->out[0];
  hone_line line = hone_line_of(&y->shape, hone_ref_axis(ref, "axis", y->shape.rank));
  bool squares = hone_node_int(ref->node, "p") == 2;
  double floor = hone_node_real(ref->node, "floor");
  double epsilon = hone_node_real(ref->node, "epsilon");
  double *x;
  HONE_TRY(hone_operand_reals(ref, 0, &x));
  for (size_t o = 0; o < line.outer; o++)
    for (size_t n = 0; n < line.inner; n++) {
      double *first = x + o * line.size * line.inner + n, norm = 0;
      for (size_t i = 0; i < line.size; i++) {
        double value = first[i * line.inner];
        norm += squares ? value * value : fabs(value);
      }
      norm = (norm < floor ? floor : norm) + epsilon;
      if (squares) norm = sqrt(norm);
      for (size_t i = 0; norm != 0 && i < line.size; i++) first[i * line.inner] /= norm;
    }
  hone_store_reals(y->dtype, y->data, 0, hone_datum_count(y), x);
  return NULL;
}

const hone_op hone_op_lp_norm = {.name = "lp_norm",
                                 .inputs = "x",
                                 .outputs = "y",
                                 .attrs = {{"axis", HONE_ATTR_INT, "-1", NULL},
                                           {"p", HONE_ATTR_INT, "2", NULL},
                                           /* before the root: the sum is at least `floor`, and
                                              `epsilon` is added to it */
                                           {"floor", HONE_ATTR_REAL, "0", NULL},
                                           {"epsilon", HONE_ATTR_REAL, "0", NULL}},
                                 .facts = HONE_REDUCES,
                                 .infer = lp_norm_infer,
                                 .reference = lp_norm_reference};
