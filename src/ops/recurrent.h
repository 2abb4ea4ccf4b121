/* What lstm, gru and rnn share: operands, activations, the walk over time. Room: ops.
 *
 * x [steps, batch, input] · w [directions, gates * hidden, input] · r [directions, gates * hidden,
 * hidden] · b [directions, 2 * gates * hidden] (of w, then of r) · lengths [batch] · h0 and c0
 * [directions, batch, hidden] -> y [steps, directions, batch, hidden], the last h and c. A
 * sequence shorter than steps leaves zeros in y; a reversed one starts at its own last step.
 */
#ifndef HONE_OPS_RECURRENT_H
#define HONE_OPS_RECURRENT_H

#include "ir/op.h"

enum {
  HONE_RNN_X,
  HONE_RNN_W,
  HONE_RNN_R,
  HONE_RNN_B,
  HONE_RNN_LENGTHS,
  HONE_RNN_H,
  HONE_RNN_C,       /* of lstm */
  HONE_RNN_PEEPHOLE /* of lstm: [directions, 3 * hidden], gates i, o, f */
};

/* The attributes that all three have. Activations: `functions` of each direction in turn; empty
 * lists are the op's defaults. Alphas and betas are given, in order, to the functions that have
 * such a parameter. */
#define HONE_RECURRENT_ATTRS                                                                 \
  {"direction", HONE_ATTR_CHOICE, "forward", "forward|reverse|bidirectional"},               \
      {"activations", HONE_ATTR_TEXTS, "[]", NULL}, {"alphas", HONE_ATTR_REALS, "[]", NULL}, \
      {"betas", HONE_ATTR_REALS, "[]", NULL}, {                                              \
    "clip", HONE_ATTR_REAL, "0", NULL                                                        \
  } /* bound of what goes into activations; 0: none */

typedef struct hone_recurrent_function {
  const char *name; /* lower case: sigmoid tanh relu affine leaky_relu thresholded_relu scaled_tanh
                       hard_sigmoid elu softsign softplus */
  double alpha, beta;
} hone_recurrent_function;

#define HONE_RECURRENT_FUNCTIONS 6 /* at most, of both directions */

typedef struct hone_recurrent hone_recurrent;

/* One step of one sequence: x is a row of the input, h (and c) the state to replace, `work` has
 * room for 2 * gates * hidden doubles. */
typedef void hone_cell(const hone_recurrent *net, size_t direction, const double *x, double *h,
                       double *c, double *work);

struct hone_recurrent {
  size_t steps, batch, input, hidden, gates, directions;
  double *x, *w, *r, *b, *peephole; /* b, peephole: NULL where absent */
  hone_recurrent_function activations[HONE_RECURRENT_FUNCTIONS];
  int functions; /* activations of one direction */
  double clip;
};

/* The shape rule: `gates` a direction, `functions` activations a direction, outputs y, h[, c]. */
HONE_MUST_USE hone_status *hone_recurrent_infer(hone_infer *infer, int gates, int functions);
/* The reference, stepping with `cell`; `defaults` names a direction's activations. */
HONE_MUST_USE hone_status *hone_recurrent_run(hone_reference *ref, int gates, int functions,
                                              const char *const *defaults, hone_cell *cell);

/* The activations of a node, `functions` of each direction in turn; `defaults` names those of one. */
void hone_recurrent_functions(const hone_node *node, int functions, const char *const *defaults,
                              hone_recurrent_function *out);

/* Activation `function` of a direction on `value` after clipping. */
double hone_recurrent_activate(const hone_recurrent *net, size_t direction, int function,
                               double value);
/* The same without clipping: what lstm does to the cell's state, as ONNX Runtime does. */
double hone_recurrent_activate_whole(const hone_recurrent *net, size_t direction, int function,
                                     double value);
/* Row `gate`, unit `unit` of x w' + its bias, and of h r' + its bias. */
double hone_recurrent_from_input(const hone_recurrent *net, size_t direction, size_t gate,
                                 size_t unit, const double *x);
double hone_recurrent_from_state(const hone_recurrent *net, size_t direction, size_t gate,
                                 size_t unit, const double *h);

#endif
