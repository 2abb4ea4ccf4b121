/* Losses of ONNX: compositions of what picks the target's logarithm and weighs it. Room: import. */
#include <string.h>

#include "import/onnx/map.h"

static hone_value *reduce(hone_call *call, const char *kind, hone_value *x) {
  hone_node *node = HONE_EMIT_BEGIN(call, "reduce", x);
  hone_emit_set_text(call, node, "kind", kind);
  hone_emit_set_int(call, node, "keep", false);
  return hone_emit_end(call, node);
}

/* logs[n, target[n, …], …] */
static hone_value *picked(hone_call *call, hone_value *logs, hone_value *target) {
  hone_value *axis = hone_emit_ints(call, (const int64_t[]){1}, 1);
  hone_node *gather =
      HONE_EMIT_BEGIN(call, "gather_elements", logs, HONE_EMIT(call, "unsqueeze", target, axis));
  hone_emit_set_int(call, gather, "axis", 1);
  return HONE_EMIT(call, "squeeze", hone_emit_end(call, gather), axis);
}

/* The mean is weighted; what is ignored has the weight 0. */
static hone_value *loss(hone_call *call, hone_value *logs) {
  hone_value *target = hone_onnx_need(call, 1), *weights = hone_onnx_in(call, 2);
  hone_dtype dtype = logs->type.dtype;
  hone_value *ignored = NULL, *weight = NULL;
  if (hone_onnx_has(call, "ignore_index")) {
    hone_value *index = hone_emit_int(call, hone_onnx_int(call, "ignore_index", 0));
    hone_value *zero = hone_emit_int(call, 0);
    target = hone_emit_cast(call, target, HONE_S64);
    ignored = HONE_EMIT(call, "equal", target, index);
    target = HONE_EMIT(call, "select", ignored, zero, target);
    weight = hone_emit_real(call, dtype, 1);
  }
  if (weights) weight = HONE_EMIT(call, "gather", weights, target);
  if (ignored)
    weight =
        HONE_EMIT(call, "select", ignored, hone_emit_real(call, dtype, 0), weight);
  hone_value *each = HONE_EMIT(call, "neg", picked(call, logs, target));
  if (weight) each = HONE_EMIT(call, "mul", each, weight);
  const char *reduction = hone_onnx_text(call, "reduction", "mean");
  if (strcmp(reduction, "none") == 0) return each;
  if (strcmp(reduction, "sum") == 0) return reduce(call, "sum", each);
  if (strcmp(reduction, "mean") != 0)
    (void)hone_emit_fail(call, HONE_INVALID_MODEL, "a reduction that is none of ONNX's");
  if (!weight) return reduce(call, "mean", each);
  return HONE_EMIT(call, "div", reduce(call, "sum", each), reduce(call, "sum", weight));
}

static hone_status *import_log_likelihood(hone_call *call) {
  hone_onnx_return(call, 0, loss(call, hone_onnx_need(call, 0)));
  return NULL;
}

static hone_status *import_cross_entropy(hone_call *call) {
  hone_node *softmax = HONE_EMIT_BEGIN(call, "log_softmax", hone_onnx_need(call, 0));
  hone_emit_set_int(call, softmax, "axis", 1);
  hone_value *logs = hone_emit_end(call, softmax);
  hone_onnx_return(call, 0, loss(call, logs));
  if (hone_onnx_wants(call, 1)) hone_onnx_return(call, 1, logs);
  return NULL;
}

const hone_onnx_row hone_onnx_loss[] = {
    {"", "NegativeLogLikelihoodLoss", 12, 0, .import = import_log_likelihood},
    {"", "SoftmaxCrossEntropyLoss", 12, 0, .import = import_cross_entropy},
    {0}};
