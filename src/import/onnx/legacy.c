/* What operators of ONNX meant before opset 7, as the first exporters wrote them. Room: import. */
#include "import/onnx/map.h"

/* Dimensions of 1 behind those of `x`, so that its last one stands on axis `last` of `rank`. */
static hone_value *stand_on(hone_call *call, hone_value *x, int last, int rank) {
  int64_t axes[HONE_MAX_RANK];
  size_t count = 0;
  int own = hone_emit_rank(call, x);
  for (int i = last + 1; i < rank && own + (int)count < HONE_MAX_RANK; i++)
    axes[count] = own + (int64_t)count, count++;
  return count ? HONE_EMIT(call, "unsqueeze", x, hone_emit_ints(call, axes, count)) : x;
}

/* The second operand is spread over the first only with broadcast=1: over its last dimensions, or
 * from `axis` on. */
static hone_value *spread(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0), *y = hone_onnx_need(call, 1);
  bool broadcasts = hone_onnx_flag(call, "broadcast", false);
  if (!hone_onnx_has(call, "axis") || !broadcasts) return y;
  int rank = hone_emit_rank(call, x), own = hone_emit_rank(call, y);
  int axis = hone_emit_axis(call, hone_onnx_int(call, "axis", 0), rank);
  return own ? stand_on(call, y, axis + own - 1, rank) : y;
}

#define BINARY(op)                                                                                 \
  static hone_status *import_##op(hone_call *call) {                                          \
    hone_onnx_return(call, 0, HONE_EMIT(call, #op, hone_onnx_need(call, 0), spread(call)));        \
    return NULL;                                                                                   \
  }
BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)
BINARY(pow)
BINARY(and)
BINARY(or)
BINARY(xor)
BINARY(equal)
BINARY(less)
BINARY(greater)

/* A slope of several values is one a channel. */
static hone_status *import_prelu(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0), *slope = hone_onnx_need(call, 1);
  int rank = hone_emit_rank(call, x);
  if (slope->type.shape.rank == 1 && slope->type.shape.dim[0] != 1 && rank > 2)
    slope = stand_on(call, slope, 1, rank);
  hone_onnx_return(call, 0, HONE_EMIT(call, "prelu", x, slope));
  return NULL;
}

/* Always meant for inference here, whatever is_test says: one output, the statistics given. */
static hone_status *import_batch_norm(hone_call *call) {
  if (!hone_onnx_flag(call, "spatial", true))
    return hone_emit_fail(call, HONE_UNSUPPORTED, "spatial=0 (gone since opset 9)");
  if (!hone_onnx_flag(call, "is_test", false) && hone_onnx_wants(call, 1))
    return hone_emit_fail(call, HONE_UNSUPPORTED, "statistics of training are wanted");
  (void)hone_onnx_real(call, "momentum", 0.9);
  hone_node *node = HONE_EMIT_BEGIN(call, "batch_norm", hone_onnx_need(call, 0),
                                    hone_onnx_need(call, 1), hone_onnx_need(call, 2),
                                    hone_onnx_need(call, 3), hone_onnx_need(call, 4));
  hone_emit_set_int(call, node, "axis", 1);
  hone_emit_set_real(call, node, "epsilon", hone_onnx_real(call, "epsilon", 1e-5));
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

static hone_status *import_dropout(hone_call *call) {
  (void)hone_onnx_flag(call, "is_test", false);
  (void)hone_onnx_real(call, "ratio", 0.5);
  if (hone_onnx_wants(call, 1))
    return hone_emit_fail(call, HONE_UNSUPPORTED, "the mask of training is wanted");
  hone_onnx_return(call, 0, hone_onnx_need(call, 0));
  return NULL;
}

const hone_onnx_row hone_onnx_legacy[] = {
    {"", "Add", 1, 6, .import = import_add},
    {"", "And", 1, 6, .import = import_and},
    {"", "BatchNormalization", 6, 6, .import = import_batch_norm},
    {"", "Div", 1, 6, .import = import_div},
    {"", "Dropout", 6, 6, .import = import_dropout},
    {"", "Equal", 1, 6, .import = import_equal},
    {"", "Greater", 1, 6, .import = import_greater},
    {"", "Less", 1, 6, .import = import_less},
    {"", "Mul", 1, 6, .import = import_mul},
    {"", "Or", 1, 6, .import = import_or},
    {"", "PRelu", 1, 6, .import = import_prelu},
    {"", "Pow", 1, 6, .import = import_pow},
    {"", "Sub", 1, 6, .import = import_sub},
    {"", "Xor", 1, 6, .import = import_xor},
    {0}};
