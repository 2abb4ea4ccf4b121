/* How a value is read, and parts of values. Room: passes. */
#include "passes/reading.h"

enum { MOST_LINKS = 8 };

static hone_reading reading_by(const hone_node *user, const hone_value *value, bool turned) {
  enum { X, WEIGHTS, VALUES };
  if (user->op == &hone_op_attention) {
    for (int i = X; i <= VALUES; i++)
      if (hone_node_in(user, i) == value) return HONE_READS_STRIDES;
    return HONE_READS_DENSE;
  }
  bool weighted = (user->op == &hone_op_matmul || user->op == &hone_op_conv) &&
                  hone_value_is_constant(user->inputs[WEIGHTS].value);
  if (weighted) return turned || user->inputs[X].value != value ? HONE_READS_DENSE : HONE_READS_ROWS;
  if (user->op != &hone_op_matmul) return HONE_READS_DENSE;
  bool operand = user->inputs[X].value == value || user->inputs[WEIGHTS].value == value;
  return operand ? HONE_READS_STRIDES : HONE_READS_DENSE;
}

hone_reading hone_reading_of(const hone_value *value) {
  bool turned = false;
  for (int i = 0; i < MOST_LINKS && hone_value_has_one_use(value); i++) {
    const hone_node *user = value->uses->user;
    if (!user) return HONE_READS_DENSE;
    bool turns = user->op == &hone_op_transpose;
    if (!turns && !(user->op->facts & HONE_VIEW)) return reading_by(user, value, turned);
    turned = turned || turns;
    value = user->outputs[0];
  }
  return HONE_READS_DENSE;
}

hone_status *hone_make_slice(hone_node *from, hone_value *x, int64_t axis, int64_t begin,
                             int64_t end, hone_value **out) {
  hone_value *inputs[4] = {x};
  HONE_TRY(hone_graph_ints(from->graph, NULL, 1, &begin, 1, &inputs[1]));
  HONE_TRY(hone_graph_ints(from->graph, NULL, 1, &end, 1, &inputs[2]));
  HONE_TRY(hone_graph_ints(from->graph, NULL, 1, &axis, 1, &inputs[3]));
  return hone_make(from, &hone_op_slice, inputs, 4, out);
}
