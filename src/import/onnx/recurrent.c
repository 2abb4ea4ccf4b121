/* LSTM, GRU and RNN. Room: import. */
#include <string.h>

#include "import/onnx/map.h"

static const struct {
  const char *onnx, *hone;
} activations[] = {{"Sigmoid", "sigmoid"},
                   {"Tanh", "tanh"},
                   {"Relu", "relu"},
                   {"Affine", "affine"},
                   {"LeakyRelu", "leaky_relu"},
                   {"ThresholdedRelu", "thresholded_relu"},
                   {"ScaledTanh", "scaled_tanh"},
                   {"HardSigmoid", "hard_sigmoid"},
                   {"Elu", "elu"},
                   {"Softsign", "softsign"},
                   {"Softplus", "softplus"}};

enum { MOST_ACTIVATIONS = 6 };

static bool same_letters(const hone_string *name, const char *text) {
  return strlen(text) == name->size && strncasecmp(text, name->data, name->size) == 0;
}

static hone_status *set_activations(hone_call *call, hone_node *node) {
  const char *names[MOST_ACTIVATIONS];
  size_t count, reals;
  const hone_string *given = hone_onnx_strings(call, "activations", &count);
  if (count > MOST_ACTIVATIONS)
    return hone_emit_fail(call, HONE_INVALID_MODEL, "%zu activations", count);
  for (size_t i = 0; i < count; i++) {
    names[i] = NULL;
    for (size_t k = 0; k < sizeof activations / sizeof *activations; k++)
      if (same_letters(&given[i], activations[k].onnx)) names[i] = activations[k].hone;
    if (!names[i]) return hone_emit_fail(call, HONE_INVALID_MODEL, "an unknown activation");
  }
  if (count && node) HONE_TRY(hone_node_set_texts(node, "activations", names, count));
  const double *values = hone_onnx_reals(call, "activation_alpha", &reals);
  if (reals) hone_emit_set_reals(call, node, "alphas", values, reals);
  values = hone_onnx_reals(call, "activation_beta", &reals);
  if (reals) hone_emit_set_reals(call, node, "betas", values, reals);
  return NULL;
}

/* layout 1 has the batch first. */
static hone_value *swap_first(hone_call *call, hone_value *value) {
  return value ? hone_emit_transpose(call, value, 3, (const int64_t[]){1, 0, 2}) : NULL;
}

enum { X, W, R, B, LENGTHS, H, C, P, MOST_INPUTS };

/* The operands in the op's order, which is ONNX's. */
static void read_inputs(hone_call *call, int count, hone_value **in) {
  for (int i = 0; i < count; i++) in[i] = i <= R ? hone_onnx_need(call, i) : hone_onnx_in(call, i);
}

/* `flag`: the one attribute that two of the three have; NULL for none. */
static hone_status *import_recurrent(hone_call *call, const char *op, hone_value **in,
                                     int inputs, int outputs, const char *flag) {
  bool batch_first = hone_onnx_int_in(call, "layout", 0, 0, 1) == 1;
  if (batch_first) {
    in[X] = swap_first(call, in[X]);
    in[H] = swap_first(call, in[H]);
    in[C] = swap_first(call, in[C]);
  }
  hone_node *node = hone_emit_begin(call, op, in, inputs, outputs);
  HONE_TRY(set_activations(call, node));
  hone_emit_set_text(call, node, "direction", hone_onnx_text(call, "direction", "forward"));
  hone_emit_set_real(call, node, "clip", hone_onnx_real(call, "clip", 0));
  if (flag) hone_emit_set_int(call, node, flag, hone_onnx_flag(call, flag, false));
  if (!batch_first) {
    hone_onnx_end_return(call, node);
    return NULL;
  }
  hone_value *y = hone_emit_end(call, node);
  if (hone_onnx_wants(call, 0))
    hone_onnx_return(call, 0, hone_emit_transpose(call, y, 4, (const int64_t[]){2, 0, 1, 3}));
  for (int i = 1; i < outputs; i++)
    if (hone_onnx_wants(call, i))
      hone_onnx_return(call, i, swap_first(call, hone_emit_out(call, node, i)));
  return NULL;
}

static hone_status *import_lstm(hone_call *call) {
  hone_value *in[MOST_INPUTS] = {NULL};
  read_inputs(call, MOST_INPUTS, in);
  return import_recurrent(call, "lstm", in, MOST_INPUTS, 3, "input_forget");
}

static hone_status *import_gru(hone_call *call) {
  hone_value *in[MOST_INPUTS] = {NULL};
  read_inputs(call, H + 1, in);
  return import_recurrent(call, "gru", in, H + 1, 2, "linear_before_reset");
}

static hone_status *import_rnn(hone_call *call) {
  hone_value *in[MOST_INPUTS] = {NULL};
  read_inputs(call, H + 1, in);
  return import_recurrent(call, "rnn", in, H + 1, 2, NULL);
}

/* A scale or zero point, [d] or [d, 4 h], ready to broadcast over [d, i, 4 h]. */
static hone_value *spread(hone_call *call, hone_value *value) {
  int64_t axes[] = {1, 2};
  size_t count = hone_emit_rank(call, value) == 1 ? 2 : 1;
  value = hone_emit_cast(call, value, HONE_F32);
  return HONE_EMIT(call, "unsqueeze", value, hone_emit_ints(call, axes, count));
}

/* Quantised weights [d, i, 4 h] as lstm's floats [d, 4 h, i]; scale and zero point are inputs
 * `at` and `at` + 1. */
static hone_value *dequantised(hone_call *call, hone_value *w, int at) {
  hone_value *scale = spread(call, hone_onnx_need(call, at));
  hone_value *zero = spread(call, hone_onnx_need(call, at + 1));
  w = HONE_EMIT(call, "sub", hone_emit_cast(call, w, HONE_F32), zero);
  return hone_emit_transpose(call, HONE_EMIT(call, "mul", w, scale), 3, (const int64_t[]){0, 2, 1});
}

/* The weights are quantised; x and h, which the original rounds on the fly, stay exact here. */
static hone_status *import_quantised_lstm(hone_call *call) {
  hone_value *in[MOST_INPUTS] = {NULL};
  read_inputs(call, MOST_INPUTS, in);
  in[W] = dequantised(call, in[W], 8);
  in[R] = dequantised(call, in[R], 10);
  return import_recurrent(call, "lstm", in, MOST_INPUTS, 3, "input_forget");
}

const hone_onnx_row hone_onnx_recurrent[] = {
    {"", "LSTM", 7, 0, .import = import_lstm},
    {"", "GRU", 7, 0, .import = import_gru},
    {"", "RNN", 7, 0, .import = import_rnn},
    {"com.microsoft", "DynamicQuantizeLSTM", 1, 0, .import = import_quantised_lstm},
    {0}};
