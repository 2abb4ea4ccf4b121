/* lstm: long short-term memory over a sequence, gates in ONNX's order i, o, f, c, with peepholes
 * and sequence lengths. Room: ops. */
#include "ops/ops.h"
#include "ops/recurrent.h"

enum { GATE_I, GATE_O, GATE_F, GATE_C, GATES };
enum { ON_GATES, ON_CELL, ON_HIDDEN, FUNCTIONS };

static double peephole(const hone_recurrent *net, size_t direction, size_t gate, size_t unit,
                       double c) {
  return net->peephole ? net->peephole[(direction * 3 + gate) * net->hidden + unit] * c : 0;
}

static void lstm_step(const hone_recurrent *net, size_t d, const double *x, double *h, double *c,
                      double *work, bool coupled) {
  size_t hidden = net->hidden;
  for (size_t gate = 0; gate < GATES; gate++)
    for (size_t u = 0; u < hidden; u++)
      work[gate * hidden + u] = hone_recurrent_from_input(net, d, gate, u, x) +
                                hone_recurrent_from_state(net, d, gate, u, h);
  for (size_t u = 0; u < hidden; u++) {
    double old = c[u], *sum = work + u;
    double i = hone_recurrent_activate(net, d, ON_GATES,
                                       sum[GATE_I * hidden] + peephole(net, d, GATE_I, u, old));
    double f = coupled
                   ? 1 - i
                   : hone_recurrent_activate(
                         net, d, ON_GATES, sum[GATE_F * hidden] + peephole(net, d, GATE_F, u, old));
    double fresh = hone_recurrent_activate(net, d, ON_CELL, sum[GATE_C * hidden]);
    c[u] = f * old + i * fresh;
    double o = hone_recurrent_activate(net, d, ON_GATES,
                                       sum[GATE_O * hidden] + peephole(net, d, GATE_O, u, c[u]));
    h[u] = o * hone_recurrent_activate_whole(net, d, ON_HIDDEN, c[u]);
  }
}

static void plain_cell(const hone_recurrent *net, size_t d, const double *x, double *h, double *c,
                       double *work) {
  lstm_step(net, d, x, h, c, work, false);
}

static void coupled_cell(const hone_recurrent *net, size_t d, const double *x, double *h, double *c,
                         double *work) {
  lstm_step(net, d, x, h, c, work, true);
}

static hone_status *lstm_infer(hone_infer *infer) {
  return hone_recurrent_infer(infer, GATES, FUNCTIONS);
}

static hone_status *lstm_reference(hone_reference *ref) {
  static const char *const defaults[] = {"sigmoid", "tanh", "tanh"};
  bool coupled = hone_node_flag(ref->node, "input_forget");
  return hone_recurrent_run(ref, GATES, FUNCTIONS, defaults, coupled ? coupled_cell : plain_cell);
}

const hone_op hone_op_lstm = {
    .name = "lstm",
    .inputs = "x w r b? lengths? h0? c0? p?", /* shapes: recurrent.h */
    .outputs = "y? h? c?",
    .attrs = {HONE_RECURRENT_ATTRS,
              {"input_forget", HONE_ATTR_FLAG, "false", NULL}}, /* the forget gate is 1 - i */
    .facts = HONE_HEAVY,
    .infer = lstm_infer,
    .reference = lstm_reference,
};
