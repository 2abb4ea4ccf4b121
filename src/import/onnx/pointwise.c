/* Pointwise operators of ONNX. Room: import. */
#include "import/onnx/map.h"

#include <string.h>

/* A chain x0 op x1 op … of all inputs. */
static hone_value *chain(hone_call *call, const char *op) {
  hone_value *sum = hone_onnx_need(call, 0);
  for (int i = 1; i < hone_onnx_input_count(call); i++)
    sum = HONE_EMIT(call, op, sum, hone_onnx_need(call, i));
  return sum;
}

static hone_status *import_min(hone_call *call) {
  hone_onnx_return(call, 0, chain(call, "min"));
  return NULL;
}

static hone_status *import_max(hone_call *call) {
  hone_onnx_return(call, 0, chain(call, "max"));
  return NULL;
}

static hone_status *import_sum(hone_call *call) {
  hone_onnx_return(call, 0, chain(call, "add"));
  return NULL;
}

static hone_status *import_mean(hone_call *call) {
  hone_value *sum = chain(call, "add");
  hone_value *count =
      hone_emit_real(call, sum->type.dtype, (double)hone_onnx_input_count(call));
  hone_onnx_return(call, 0, HONE_EMIT(call, "div", sum, count));
  return NULL;
}

/* The exponent may be of another type; the result has that of the base. An integer to a real power
 * is computed in f64 and truncated. */
static hone_status *import_pow(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0), *y = hone_onnx_need(call, 1);
  hone_dtype base = x->type.dtype, exponent = y->type.dtype;
  bool widens = hone_dtype_class_of(base) != HONE_CLASS_FLOAT &&
                hone_dtype_class_of(exponent) == HONE_CLASS_FLOAT;
  hone_dtype common = widens ? HONE_F64 : base;
  hone_value *power =
      HONE_EMIT(call, "pow", hone_emit_cast(call, x, common), hone_emit_cast(call, y, common));
  hone_onnx_return(call, 0, hone_emit_cast(call, power, base));
  return NULL;
}

/* Up to opset 10 the bounds are attributes. */
static hone_status *import_clip_6(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0), *bound[2] = {NULL, NULL};
  static const char *const names[2] = {"min", "max"};
  for (int i = 0; i < 2; i++)
    if (hone_onnx_has(call, names[i]))
      bound[i] = hone_emit_real(call, x->type.dtype, hone_onnx_real(call, names[i], 0));
  hone_onnx_return(call, 0, HONE_EMIT(call, "clip", x, bound[0], bound[1]));
  return NULL;
}

static hone_status *import_bit_shift(hone_call *call) {
  bool left = strcmp(hone_onnx_text(call, "direction", ""), "LEFT") == 0;
  hone_onnx_return(call, 0, HONE_EMIT(call, left ? "shift_left" : "shift_right",
                                      hone_onnx_need(call, 0), hone_onnx_need(call, 1)));
  return NULL;
}

static hone_value *cast_to(hone_call *call, hone_value *x, hone_dtype dtype) {
  hone_node *node = HONE_EMIT_BEGIN(call, "cast", x);
  hone_emit_set_int(call, node, "to", dtype);
  hone_emit_set_int(call, node, "saturate", hone_onnx_flag(call, "saturate", true));
  hone_emit_set_text(call, node, "round", hone_onnx_text(call, "round_mode", "up"));
  return hone_emit_end(call, node);
}

static hone_status *import_cast(hone_call *call) {
  hone_dtype to = hone_onnx_dtype(call, "to", HONE_DTYPE_NONE);
  hone_onnx_return(call, 0, cast_to(call, hone_onnx_need(call, 0), to));
  return NULL;
}

static hone_status *import_cast_like(hone_call *call) {
  hone_dtype to = hone_onnx_need(call, 1)->type.dtype;
  hone_onnx_return(call, 0, cast_to(call, hone_onnx_need(call, 0), to));
  return NULL;
}

static hone_status *import_bit_cast(hone_call *call) {
  hone_node *node = HONE_EMIT_BEGIN(call, "bitcast", hone_onnx_need(call, 0));
  hone_emit_set_int(call, node, "to", hone_onnx_dtype(call, "to", HONE_DTYPE_NONE));
  hone_onnx_end_return(call, node);
  return NULL;
}

/* What is dropped in training: each element with probability `ratio`, the rest grows to keep the
 * mean. `trains` is a bool, perhaps known only at run time; then all of it is decided there. */
static hone_value *kept_in_training(hone_call *call, hone_value *x, hone_value *ratio,
                                    hone_value *trains) {
  hone_node *random = HONE_EMIT_BEGIN(call, "random_uniform", HONE_EMIT(call, "shape", x));
  if (hone_onnx_has(call, "seed"))
    hone_emit_set_real(call, random, "seed", (double)hone_onnx_int(call, "seed", 0));
  hone_value *falls = HONE_EMIT(call, "less", hone_emit_end(call, random), ratio);
  return HONE_EMIT(call, "not", HONE_EMIT(call, "and", falls, trains));
}

static void train_dropout(hone_call *call, hone_value *x, hone_value *trains) {
  hone_value *ratio = hone_onnx_in(call, 1), *one = hone_emit_real(call, HONE_F32, 1);
  ratio = ratio ? hone_emit_cast(call, ratio, HONE_F32) : hone_emit_real(call, HONE_F32, 0.5);
  hone_value *kept = kept_in_training(call, x, ratio, trains);
  hone_value *growth = HONE_EMIT(call, "reciprocal", HONE_EMIT(call, "sub", one, ratio));
  growth = hone_emit_cast(call, HONE_EMIT(call, "select", trains, growth, one), x->type.dtype);
  hone_value *zero = hone_emit_real(call, x->type.dtype, 0);
  hone_value *y = HONE_EMIT(call, "select", kept, HONE_EMIT(call, "mul", x, growth), zero);
  hone_onnx_return(call, 0, y);
  if (hone_onnx_wants(call, 1)) hone_onnx_return(call, 1, kept);
}

/* At inference nothing is dropped. */
static hone_status *import_dropout(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0), *training = hone_onnx_in(call, 2);
  int64_t trains = 0;
  size_t count;
  if (training && (!hone_known_ints(training, &trains, 1, &count) || trains)) {
    train_dropout(call, x, training);
    return NULL;
  }
  (void)hone_onnx_real(call, "ratio", 0.5);
  (void)hone_onnx_int(call, "seed", 0);
  hone_onnx_return(call, 0, x);
  if (!hone_onnx_wants(call, 1)) return NULL;
  /* Before opset 12 the standard leaves the mask open; ONNX Runtime gives zeros. */
  hone_dtype dtype = hone_onnx_opset(call) < 10 ? x->type.dtype : HONE_BOOL;
  hone_value *kept = hone_emit_real(call, dtype, hone_onnx_opset(call) >= 12);
  hone_value *shape = HONE_EMIT(call, "shape", x);
  hone_onnx_return(call, 1, HONE_EMIT(call, "expand", kept, shape));
  return NULL;
}

static hone_status *import_identity(hone_call *call) {
  hone_onnx_return(call, 0, hone_onnx_need(call, 0));
  return NULL;
}

const hone_onnx_row hone_onnx_pointwise[] = {
    {"", "Abs", 1, 0, "abs"},
    {"", "Acos", 7, 0, "acos"},
    {"", "Acosh", 9, 0, "acosh"},
    {"", "Add", 7, 0, "add"},
    {"", "And", 7, 0, "and"},
    {"", "Asin", 7, 0, "asin"},
    {"", "Asinh", 9, 0, "asinh"},
    {"", "Atan", 7, 0, "atan"},
    {"", "Atanh", 9, 0, "atanh"},
    {"", "BitCast", 26, 0, .import = import_bit_cast},
    {"", "BitShift", 11, 0, .import = import_bit_shift},
    {"", "BitwiseAnd", 18, 0, "bit_and"},
    {"", "BitwiseNot", 18, 0, "bit_not"},
    {"", "BitwiseOr", 18, 0, "bit_or"},
    {"", "BitwiseXor", 18, 0, "bit_xor"},
    {"", "Cast", 6, 0, .import = import_cast},
    {"", "CastLike", 15, 0, .import = import_cast_like},
    {"", "Ceil", 1, 0, "ceil"},
    {"", "Celu", 12, 0, "celu", "alpha"},
    {"", "Clip", 6, 10, .import = import_clip_6},
    {"", "Clip", 11, 0, "clip"},
    {"", "Cos", 7, 0, "cos"},
    {"", "Cosh", 9, 0, "cosh"},
    {"", "Div", 7, 0, "div"},
    {"", "Dropout", 7, 0, .import = import_dropout},
    {"", "Elu", 6, 0, "elu", "alpha"},
    {"", "Equal", 7, 0, "equal"},
    {"", "Erf", 9, 0, "erf"},
    {"", "Exp", 1, 0, "exp"},
    {"", "Floor", 1, 0, "floor"},
    {"", "Gelu", 20, 0, "gelu", "approximate"},
    {"", "Greater", 7, 0, "greater"},
    {"", "GreaterOrEqual", 12, 0, "greater_equal"},
    {"", "HardSigmoid", 6, 0, "hard_sigmoid", "alpha beta"},
    {"", "HardSwish", 14, 0, "hard_swish"},
    {"", "Identity", 1, 0, .import = import_identity},
    {"", "IsInf", 10, 0, "is_inf", "detect_negative detect_positive"},
    {"", "IsNaN", 9, 0, "is_nan"},
    {"", "LeakyRelu", 6, 0, "leaky_relu", "alpha"},
    {"", "Less", 7, 0, "less"},
    {"", "LessOrEqual", 12, 0, "less_equal"},
    {"", "Log", 1, 0, "log"},
    {"", "Max", 6, 0, .import = import_max},
    {"", "Mean", 6, 0, .import = import_mean},
    {"", "Min", 6, 0, .import = import_min},
    {"", "Mish", 18, 0, "mish"},
    {"", "Mod", 10, 0, "mod", "fmod"},
    {"", "Mul", 7, 0, "mul"},
    {"", "Neg", 1, 0, "neg"},
    {"", "Not", 1, 0, "not"},
    {"", "Or", 7, 0, "or"},
    {"", "PRelu", 7, 0, "prelu"},
    {"", "Pow", 7, 0, .import = import_pow},
    {"", "Reciprocal", 1, 0, "reciprocal"},
    {"", "Relu", 1, 0, "relu"},
    {"", "Round", 11, 0, "round"},
    {"", "Selu", 6, 0, "selu", "alpha gamma"},
    {"", "Shrink", 9, 0, "shrink", "bias lambd"},
    {"", "Sigmoid", 1, 0, "sigmoid"},
    {"", "Sign", 9, 0, "sign"},
    {"", "Sin", 7, 0, "sin"},
    {"", "Sinh", 9, 0, "sinh"},
    {"", "Softplus", 1, 0, "softplus"},
    {"", "Softsign", 1, 0, "softsign"},
    {"", "Sqrt", 1, 0, "sqrt"},
    {"", "Sub", 7, 0, "sub"},
    {"", "Sum", 6, 0, .import = import_sum},
    {"", "Swish", 24, 0, "swish", "alpha"},
    {"", "Tan", 7, 0, "tan"},
    {"", "Tanh", 1, 0, "tanh"},
    {"", "ThresholdedRelu", 10, 0, "thresholded_relu", "alpha"},
    {"", "Where", 9, 0, "select"},
    {"", "Xor", 7, 0, "xor"},
    {0}};
