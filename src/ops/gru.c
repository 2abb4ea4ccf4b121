/* gru: gated recurrent units over a sequence, gates in ONNX's order z, r, h. Room: ops. */
#include "ops/ops.h"
#include "ops/recurrent.h"

enum { GATE_Z, GATE_R, GATE_H, GATES };
enum { ON_GATES, ON_HIDDEN, FUNCTIONS };

/* The update and reset gates of all units: work[0..hidden) and work[hidden..2 * hidden). */
static void open_gates(const hone_recurrent *net, size_t d, const double *x, const double *h,
                       double *work) {
  for (size_t gate = GATE_Z; gate <= GATE_R; gate++)
    for (size_t u = 0; u < net->hidden; u++)
      work[gate * net->hidden + u] =
          hone_recurrent_activate(net, d, ON_GATES,
                                  hone_recurrent_from_input(net, d, gate, u, x) +
                                      hone_recurrent_from_state(net, d, gate, u, h));
}

/* Mixes the old state and the fresh one, whose sums are work[2 * hidden..3 * hidden). */
static void mix(const hone_recurrent *net, size_t d, double *h, const double *work) {
  for (size_t u = 0; u < net->hidden; u++) {
    double z = work[u];
    double fresh = hone_recurrent_activate(net, d, ON_HIDDEN, work[2 * net->hidden + u]);
    h[u] = (1 - z) * fresh + z * h[u];
  }
}

static void reset_before(const hone_recurrent *net, size_t d, const double *x, double *h, double *c,
                         double *work) {
  (void)c;
  size_t hidden = net->hidden;
  double *reset = work + hidden, *sums = work + 2 * hidden, *kept = work + 3 * hidden;
  open_gates(net, d, x, h, work);
  for (size_t u = 0; u < hidden; u++) kept[u] = reset[u] * h[u];
  for (size_t u = 0; u < hidden; u++)
    sums[u] = hone_recurrent_from_input(net, d, GATE_H, u, x) +
              hone_recurrent_from_state(net, d, GATE_H, u, kept);
  mix(net, d, h, work);
}

static void reset_after(const hone_recurrent *net, size_t d, const double *x, double *h, double *c,
                        double *work) {
  (void)c;
  size_t hidden = net->hidden;
  double *reset = work + hidden, *sums = work + 2 * hidden;
  open_gates(net, d, x, h, work);
  for (size_t u = 0; u < hidden; u++)
    sums[u] = hone_recurrent_from_input(net, d, GATE_H, u, x) +
              reset[u] * hone_recurrent_from_state(net, d, GATE_H, u, h);
  mix(net, d, h, work);
}

static hone_status *gru_infer(hone_infer *infer) {
  return hone_recurrent_infer(infer, GATES, FUNCTIONS);
}

static hone_status *gru_reference(hone_reference *ref) {
  static const char *const defaults[] = {"sigmoid", "tanh"};
  bool after = hone_node_flag(ref->node, "linear_before_reset");
  return hone_recurrent_run(ref, GATES, FUNCTIONS, defaults, after ? reset_after : reset_before);
}

const hone_op hone_op_gru = {
    .name = "gru",
    .inputs = "x w r b? lengths? h0?", /* shapes: recurrent.h */
    .outputs = "y? h?",
    .attrs = {HONE_RECURRENT_ATTRS,
              /* The reset gate is applied after the state's matrix product, bias included. */
              {"linear_before_reset", HONE_ATTR_FLAG, "false", NULL}},
    .facts = HONE_HEAVY,
    .infer = gru_infer,
    .reference = gru_reference,
};
