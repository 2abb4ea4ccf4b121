/* rnn: the plain recurrent layer h = f(x w' + h r' + b) over a sequence. Room: ops. */
#include <string.h>

#include "ops/ops.h"
#include "ops/recurrent.h"

static void rnn_cell(const hone_recurrent *net, size_t d, const double *x, double *h, double *c,
                     double *work) {
  (void)c;
  for (size_t u = 0; u < net->hidden; u++)
    work[u] = hone_recurrent_activate(
        net, d, 0,
        hone_recurrent_from_input(net, d, 0, u, x) + hone_recurrent_from_state(net, d, 0, u, h));
  memcpy(h, work, net->hidden * sizeof *h);
}

static hone_status *rnn_infer(hone_infer *infer) {
  return hone_recurrent_infer(infer, 1, 1);
}

static hone_status *rnn_reference(hone_reference *ref) {
  static const char *const defaults[] = {"tanh"};
  return hone_recurrent_run(ref, 1, 1, defaults, rnn_cell);
}

const hone_op hone_op_rnn = {
    .name = "rnn",
    .inputs = "x w r b? lengths? h0?", /* shapes: recurrent.h */
    .outputs = "y? h?",
    .attrs = {HONE_RECURRENT_ATTRS},
    .facts = HONE_HEAVY,
    .infer = rnn_infer,
    .reference = rnn_reference,
};
