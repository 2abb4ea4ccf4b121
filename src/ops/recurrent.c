/* What lstm, gru and rnn share: operands, activations, the walk over time. Room: ops. */
#include <math.h>
#include <string.h>

#include "ops/operand.h"
#include "ops/recurrent.h"

/* Activations with the defaults of ONNX's RNN operators. */
typedef struct activation_row {
  const char *name;
  bool has_alpha, has_beta;
  double alpha, beta;
} activation_row;

static const activation_row activation_rows[] = {
    {"sigmoid", false, false, 0, 0},      {"tanh", false, false, 0, 0},
    {"relu", false, false, 0, 0},         {"affine", true, true, 1, 0},
    {"leaky_relu", true, false, 0.01, 0}, {"thresholded_relu", true, false, 1, 0},
    {"scaled_tanh", true, true, 1, 1},    {"hard_sigmoid", true, true, 0.2, 0.5},
    {"elu", true, false, 1, 0},           {"softsign", false, false, 0, 0},
    {"softplus", false, false, 0, 0},
};

static const activation_row *find_activation(const char *name) {
  for (size_t i = 0; i < sizeof activation_rows / sizeof *activation_rows; i++)
    if (strcmp(activation_rows[i].name, name) == 0) return &activation_rows[i];
  return NULL;
}

static double activate(const hone_recurrent_function *f, double x) {
  switch (f->name[0]) {
    case 'a':
      return f->alpha * x + f->beta;
    case 'l':
      return x >= 0 ? x : f->alpha * x;
    case 'r':
      return x > 0 ? x : 0;
    case 'h':
      return fmax(0, fmin(1, f->alpha * x + f->beta));
    case 'e':
      return x >= 0 ? x : f->alpha * expm1(x);
    case 't':
      return f->name[1] == 'a' ? tanh(x) : x > f->alpha ? x : 0;
    default:
      break;
  }
  if (strcmp(f->name, "scaled_tanh") == 0) return f->alpha * tanh(f->beta * x);
  if (strcmp(f->name, "softsign") == 0) return x / (1 + fabs(x));
  if (strcmp(f->name, "softplus") == 0) return fmax(x, 0) + log1p(exp(-fabs(x)));
  return 1 / (1 + exp(-x));
}

double hone_recurrent_activate(const hone_recurrent *net, size_t direction, int function,
                               double value) {
  if (net->clip > 0) value = fmax(-net->clip, fmin(net->clip, value));
  return hone_recurrent_activate_whole(net, direction, function, value);
}

double hone_recurrent_activate_whole(const hone_recurrent *net, size_t direction, int function,
                                     double value) {
  return activate(&net->activations[(int)direction * net->functions + function], value);
}

static double dot(const double *a, const double *b, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
  return sum;
}

double hone_recurrent_from_input(const hone_recurrent *net, size_t direction, size_t gate,
                                 size_t unit, const double *x) {
  size_t row = (direction * net->gates + gate) * net->hidden + unit;
  double bias = net->b ? net->b[row + direction * net->gates * net->hidden] : 0;
  return dot(net->w + row * net->input, x, net->input) + bias;
}

double hone_recurrent_from_state(const hone_recurrent *net, size_t direction, size_t gate,
                                 size_t unit, const double *h) {
  size_t row = (direction * net->gates + gate) * net->hidden + unit;
  double bias = net->b ? net->b[row + (direction + 1) * net->gates * net->hidden] : 0;
  return dot(net->r + row * net->hidden, h, net->hidden) + bias;
}

static int direction_count(const hone_node *node) {
  return hone_node_text(node, "direction")[0] == 'b' ? 2 : 1;
}

/* Input `index`, where given with a known rank, has these dims; -1 takes any. */
static hone_status *check_dims(const hone_infer *infer, int index, int rank, const hone_dim *dims) {
  const hone_type *type = hone_infer_in(infer, index);
  HONE_TRY(hone_infer_rank(infer, index, rank));
  for (int i = 0; type && type->shape.rank == rank && i < rank; i++) {
    hone_dim both;
    if (!hone_dim_unify(type->shape.dim[i], dims[i], &both))
      return hone_infer_fail(infer, "axis %d of input %d is %lld, not %lld", i, index,
                             (long long)type->shape.dim[i], (long long)dims[i]);
  }
  return NULL;
}

static hone_status *check_activations(const hone_infer *infer, int functions) {
  const hone_attr *names = hone_node_attr(infer->node, "activations");
  if (names->count && names->count != (size_t)functions * (size_t)direction_count(infer->node))
    return hone_infer_fail(infer, "%zu activations", names->count);
  for (size_t i = 0; i < names->count; i++)
    if (!find_activation(names->texts[i]))
      return hone_infer_fail(infer, "there is no activation '%.40s'", names->texts[i]);
  return NULL;
}

hone_status *hone_recurrent_infer(hone_infer *infer, int gates, int functions) {
  static const int ranks[] = {3, 3, 3, 2, 1, 3, 3, 2};
  int64_t directions = direction_count(infer->node);
  for (int i = 0; i < infer->input_count; i++) {
    HONE_TRY(hone_infer_class(infer, i, i == HONE_RNN_LENGTHS ? HONE_INTEGERS : HONE_FLOATS));
    if (i != HONE_RNN_LENGTHS) HONE_TRY(hone_infer_same_dtype(infer, i));
    HONE_TRY(hone_infer_rank(infer, i, ranks[i]));
  }
  HONE_TRY(check_activations(infer, functions));
  hone_dim steps = hone_infer_dim(infer, HONE_RNN_X, 0),
           batch = hone_infer_dim(infer, HONE_RNN_X, 1);
  hone_dim input = hone_infer_dim(infer, HONE_RNN_X, 2);
  hone_dim hidden = hone_infer_dim(infer, HONE_RNN_R, 2), rows = -1, biases = -1, holes = -1;
  if (hone_dim_known(hidden) &&
      (!hone_mul_s64(hidden, gates, &rows) || !hone_mul_s64(hidden, 2 * gates, &biases) ||
       !hone_mul_s64(hidden, 3, &holes)))
    return hone_infer_fail(infer, "the hidden size overflows");
  HONE_TRY(check_dims(infer, HONE_RNN_W, 3, (hone_dim[]){directions, rows, input}));
  HONE_TRY(check_dims(infer, HONE_RNN_R, 3, (hone_dim[]){directions, rows, hidden}));
  HONE_TRY(check_dims(infer, HONE_RNN_B, 2, (hone_dim[]){directions, biases}));
  HONE_TRY(check_dims(infer, HONE_RNN_LENGTHS, 1, (hone_dim[]){batch}));
  HONE_TRY(check_dims(infer, HONE_RNN_H, 3, (hone_dim[]){directions, batch, hidden}));
  HONE_TRY(check_dims(infer, HONE_RNN_C, 3, (hone_dim[]){directions, batch, hidden}));
  HONE_TRY(check_dims(infer, HONE_RNN_PEEPHOLE, 2, (hone_dim[]){directions, holes}));
  hone_dtype dtype = infer->in[HONE_RNN_X]->dtype;
  hone_type state =
      hone_tensor_type(dtype, hone_shape_of(3, (hone_dim[]){directions, batch, hidden}));
  infer->out[0] =
      hone_tensor_type(dtype, hone_shape_of(4, (hone_dim[]){steps, directions, batch, hidden}));
  for (int i = 1; i < infer->output_count; i++) infer->out[i] = state;
  return NULL;
}

void hone_recurrent_functions(const hone_node *node, int functions, const char *const *defaults,
                              hone_recurrent_function *out) {
  const hone_attr *names = hone_node_attr(node, "activations");
  size_t alphas, betas, alpha = 0, beta = 0;
  const double *alpha_values = hone_node_reals(node, "alphas", &alphas);
  const double *beta_values = hone_node_reals(node, "betas", &betas);
  for (int i = 0; i < functions * direction_count(node); i++) {
    const char *name = names->count ? names->texts[i] : defaults[i % functions];
    const activation_row *row = find_activation(name);
    out[i] = (hone_recurrent_function){row->name, row->alpha, row->beta};
    if (row->has_alpha && alpha < alphas) out[i].alpha = alpha_values[alpha++];
    if (row->has_beta && beta < betas) out[i].beta = beta_values[beta++];
  }
}

static hone_status *read_net(hone_reference *ref, int gates, int functions,
                             const char *const *defaults, hone_recurrent *net) {
  const hone_shape *x = &ref->in[HONE_RNN_X]->shape, *r = &ref->in[HONE_RNN_R]->shape;
  *net = (hone_recurrent){.steps = (size_t)x->dim[0],
                          .batch = (size_t)x->dim[1],
                          .input = (size_t)x->dim[2],
                          .hidden = (size_t)r->dim[2],
                          .gates = (size_t)gates,
                          .directions = (size_t)direction_count(ref->node),
                          .functions = functions,
                          .clip = hone_node_real(ref->node, "clip")};
  HONE_TRY(hone_operand_reals(ref, HONE_RNN_X, &net->x));
  HONE_TRY(hone_operand_reals(ref, HONE_RNN_W, &net->w));
  HONE_TRY(hone_operand_reals(ref, HONE_RNN_R, &net->r));
  HONE_TRY(hone_operand_reals(ref, HONE_RNN_B, &net->b));
  HONE_TRY(hone_operand_reals(ref, HONE_RNN_PEEPHOLE, &net->peephole));
  hone_recurrent_functions(ref->node, functions, defaults, net->activations);
  return NULL;
}

/* All steps of one sequence in one direction; h and c are its states. */
static void run_sequence(const hone_recurrent *net, hone_cell *cell, size_t direction, bool reverse,
                         size_t sequence, size_t length, double *h, double *c, double *work,
                         double *y) {
  for (size_t step = 0; step < length; step++) {
    size_t t = reverse ? length - 1 - step : step;
    cell(net, direction, net->x + (t * net->batch + sequence) * net->input, h, c, work);
    memcpy(y + ((t * net->directions + direction) * net->batch + sequence) * net->hidden, h,
           net->hidden * sizeof *h);
  }
}

/* The state that output `index` ends as, in scratch, started from input `from` or zeros. */
static hone_status *state_of(hone_reference *ref, const hone_recurrent *net, int from,
                             double **out) {
  HONE_TRY(hone_operand_reals(ref, from, out));
  if (*out) return NULL;
  return hone_scratch_reals(ref, net->directions * net->batch * net->hidden, out);
}

static void store_state(hone_reference *ref, int index, const double *state) {
  hone_datum *out = hone_ref_out(ref, index);
  if (out) hone_store_reals(out->dtype, out->data, 0, hone_datum_count(out), state);
}

hone_status *hone_recurrent_run(hone_reference *ref, int gates, int functions,
                                const char *const *defaults, hone_cell *cell) {
  hone_recurrent net;
  double *h, *c, *y, *work;
  int64_t *lengths;
  HONE_TRY(read_net(ref, gates, functions, defaults, &net));
  HONE_TRY(hone_operand_ints(ref, HONE_RNN_LENGTHS, &lengths));
  HONE_TRY(state_of(ref, &net, HONE_RNN_H, &h));
  HONE_TRY(state_of(ref, &net, HONE_RNN_C, &c));
  HONE_TRY(hone_scratch_reals(ref, net.steps * net.directions * net.batch * net.hidden, &y));
  HONE_TRY(hone_scratch_reals(ref, 2 * net.gates * net.hidden, &work));
  bool reversed = hone_node_text(ref->node, "direction")[0] == 'r';
  for (size_t d = 0; d < net.directions; d++) {
    for (size_t n = 0; n < net.batch; n++) {
      int64_t length = lengths ? lengths[n] : (int64_t)net.steps;
      if (length < 0 || length > (int64_t)net.steps)
        return hone_error(HONE_INVALID_ARGUMENT, "a sequence of length %lld in %zu steps",
                          (long long)length, net.steps);
      size_t state = (d * net.batch + n) * net.hidden;
      run_sequence(&net, cell, d, reversed || d == 1, n, (size_t)length, h + state, c + state, work,
                   y);
    }
  }
  store_state(ref, 0, y);
  store_state(ref, 1, h);
  store_state(ref, 2, c);
  return NULL;
}
