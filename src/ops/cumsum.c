/* cumsum: running sums or products along an axis, which is a host scalar. Room: ops. */
#include "ops/axes.h"
#include "ops/operand.h"
#include "ops/ops.h"

static hone_status *cumsum_infer(hone_infer *infer) {
  int64_t axis;
  size_t count;
  int found, rank = infer->in[0]->shape.rank;
  infer->out[0] = *infer->in[0];
  if (rank < 0 || !hone_infer_ints(infer, 1, &axis, 1, &count)) return NULL;
  if (count == 1 && hone_axis(axis, rank, &found)) return NULL;
  return hone_infer_fail(infer, "the axis is outside of %d dimensions", rank);
}

/* Steps of a line: element `i` of `size`, from the front or from the back. */
#define SCAN(type, values)                                                                         \
  for (size_t o = 0; o < line.outer; o++)                                                          \
    for (size_t n = 0; n < line.inner; n++) {                                                      \
      type running = product ? 1 : 0;                                                              \
      for (size_t i = 0; i < line.size; i++) {                                                     \
        size_t at = (o * line.size + (reverse ? line.size - 1 - i : i)) * line.inner + n;          \
        type value = (type)values[at], before = running;                                           \
        running = product ? running * value : running + value;                                     \
        values[at] = exclusive ? before : running;                                                 \
      }                                                                                            \
    }

static hone_status *cumsum_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0], *y = ref->out[0];
  bool exclusive = hone_node_flag(ref->node, "exclusive");
  bool reverse = hone_node_flag(ref->node, "reverse");
  bool product = hone_node_text(ref->node, "kind")[0] == 'p';
  size_t count = hone_datum_count(x);
  int axis;
  if (!hone_axis(hone_load_int(ref->in[1]->dtype, ref->in[1]->data, 0), x->shape.rank, &axis))
    return hone_error(HONE_INVALID_ARGUMENT, "the axis is outside of %d dimensions",
                      x->shape.rank);
  hone_line line = hone_line_of(&x->shape, axis);
  if (hone_dtype_class_of(x->dtype) == HONE_CLASS_FLOAT) {
    double *values;
    HONE_TRY(hone_operand_reals(ref, 0, &values));
    SCAN(double, values)
    hone_store_reals(y->dtype, y->data, 0, count, values);
  } else {
    int64_t *whole;
    HONE_TRY(hone_operand_ints(ref, 0, &whole));
    uint64_t *values = (uint64_t *)whole;
    SCAN(uint64_t, values)
    hone_store_ints(y->dtype, y->data, 0, count, whole);
  }
  return NULL;
}

const hone_op hone_op_cumsum = {.name = "cumsum",
                                .inputs = "x axis",
                                .outputs = "y",
                                .attrs = {{"kind", HONE_ATTR_CHOICE, "sum", "sum|prod"},
                                          {"exclusive", HONE_ATTR_FLAG, "false", NULL},
                                          {"reverse", HONE_ATTR_FLAG, "false", NULL}},
                                .infer = cumsum_infer,
                                .reference = cumsum_reference};
