/* Arithmetic, comparisons, logic, activations, casts. Room: import. */
#include "import/tensorflow/map.h"

/* A scalar of x's element type. */
static hone_value *scalar(hone_call *call, const hone_value *x, double value) {
  return hone_emit_real(call, x->type.dtype, value);
}

static hone_status *import_square(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0);
  hone_tf_return(call, 0, HONE_EMIT(call, "mul", x, x));
  return NULL;
}

static hone_status *import_squared_difference(hone_call *call) {
  hone_value *d = HONE_EMIT(call, "sub", hone_tf_in(call, 0), hone_tf_in(call, 1));
  hone_tf_return(call, 0, HONE_EMIT(call, "mul", d, d));
  return NULL;
}

static bool is_integer(const hone_value *x) {
  hone_dtype_class class = hone_dtype_class_of(x->type.dtype);
  return class == HONE_CLASS_SIGNED || class == HONE_CLASS_UNSIGNED;
}

/* floor(x / y); for integers from what `mod` with the divisor's sign leaves. */
static hone_status *import_floor_div(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0), *y = hone_tf_in(call, 1);
  if (is_integer(x))
    hone_tf_return(call, 0,
                   HONE_EMIT(call, "div", HONE_EMIT(call, "sub", x, HONE_EMIT(call, "mod", x, y)),
                             y));
  else
    hone_tf_return(call, 0, HONE_EMIT(call, "floor", HONE_EMIT(call, "div", x, y)));
  return NULL;
}

/* 0 where the divisor is 0, also for a NaN over it. */
static hone_value *divide_no_nan(hone_call *call, hone_value *x, hone_value *y) {
  hone_value *zero = scalar(call, y, 0);
  hone_value *broken = HONE_EMIT(call, "equal", y, zero);
  return HONE_EMIT(call, "select", broken, zero, HONE_EMIT(call, "div", x, y));
}

static hone_status *import_div_no_nan(hone_call *call) {
  hone_tf_return(call, 0, divide_no_nan(call, hone_tf_in(call, 0), hone_tf_in(call, 1)));
  return NULL;
}

static hone_status *import_mul_no_nan(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0), *y = hone_tf_in(call, 1), *zero = scalar(call, y, 0);
  hone_value *none = HONE_EMIT(call, "equal", y, zero);
  hone_tf_return(call, 0, HONE_EMIT(call, "select", none, zero, HONE_EMIT(call, "mul", x, y)));
  return NULL;
}

/* x op y, but 0 where x is 0. */
static hone_status *where_x(hone_call *call, hone_value *x, hone_value *result) {
  hone_value *zero = scalar(call, x, 0);
  hone_value *none = HONE_EMIT(call, "equal", x, zero);
  hone_tf_return(call, 0, HONE_EMIT(call, "select", none, zero, result));
  return NULL;
}

static hone_status *import_xdivy(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0);
  return where_x(call, x, HONE_EMIT(call, "div", x, hone_tf_in(call, 1)));
}

static hone_status *import_xlogy(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0);
  return where_x(call, x, HONE_EMIT(call, "mul", x, HONE_EMIT(call, "log", hone_tf_in(call, 1))));
}

/* log(1 + x) without the loss near 0: Kahan's correction, as in HP-15C Advanced Functions. */
static hone_status *import_log1p(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0), *one = scalar(call, x, 1);
  hone_value *u = HONE_EMIT(call, "add", x, one), *less = HONE_EMIT(call, "sub", u, one);
  hone_value *log = HONE_EMIT(call, "log", u);
  hone_value *right = HONE_EMIT(call, "mul", log, HONE_EMIT(call, "div", x, less));
  hone_value *tiny = HONE_EMIT(call, "equal", u, one), *wide = HONE_EMIT(call, "is_inf", x);
  hone_value *safe = HONE_EMIT(call, "select", wide, log, right);
  hone_tf_return(call, 0, HONE_EMIT(call, "select", tiny, x, safe));
  return NULL;
}

/* exp(x) - 1 likewise. */
static hone_status *import_expm1(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0), *one = scalar(call, x, 1), *lost = scalar(call, x, -1);
  hone_value *u = HONE_EMIT(call, "exp", x), *less = HONE_EMIT(call, "sub", u, one);
  hone_value *right = HONE_EMIT(call, "div", HONE_EMIT(call, "mul", less, x),
                                HONE_EMIT(call, "log", u));
  hone_value *end = HONE_EMIT(call, "or", HONE_EMIT(call, "equal", less, lost),
                              HONE_EMIT(call, "is_inf", u));
  hone_value *safe = HONE_EMIT(call, "select", end, less, right);
  hone_tf_return(call, 0, HONE_EMIT(call, "select", HONE_EMIT(call, "equal", u, one), x, safe));
  return NULL;
}

static hone_status *import_erfc(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0);
  hone_tf_return(call, 0, HONE_EMIT(call, "sub", scalar(call, x, 1), HONE_EMIT(call, "erf", x)));
  return NULL;
}

static hone_status *import_relu6(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0);
  hone_tf_return(call, 0, HONE_EMIT(call, "clip", x, scalar(call, x, 0), scalar(call, x, 6)));
  return NULL;
}

static hone_status *import_is_finite(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0);
  hone_value *odd = HONE_EMIT(call, "or", HONE_EMIT(call, "is_nan", x),
                              HONE_EMIT(call, "is_inf", x));
  hone_tf_return(call, 0, HONE_EMIT(call, "not", odd));
  return NULL;
}

static hone_status *import_add_n(hone_call *call) {
  hone_value *sum = hone_tf_in(call, 0);
  for (int i = 1; i < hone_tf_input_count(call); i++)
    sum = HONE_EMIT(call, "add", sum, hone_tf_in(call, i));
  hone_tf_return(call, 0, sum);
  return NULL;
}

static hone_status *import_bitcast(hone_call *call) {
  hone_value *x = hone_tf_in(call, 0);
  hone_dtype to = hone_tf_dtype(call, "type", HONE_DTYPE_NONE);
  if (to != x->type.dtype) {
    hone_node *node = HONE_EMIT_BEGIN(call, "bitcast", x);
    hone_emit_set_int(call, node, "to", to);
    x = hone_emit_end(call, node);
  }
  hone_tf_return(call, 0, x);
  return NULL;
}

static hone_status *import_cast(hone_call *call) {
  hone_dtype to = hone_tf_dtype(call, "DstT", HONE_DTYPE_NONE);
  if (!to) return hone_emit_fail(call, HONE_UNSUPPORTED, "the type to cast to is not known here");
  hone_tf_return(call, 0, hone_emit_cast(call, hone_tf_in(call, 0), to));
  return NULL;
}

/* Select's condition may be a vector that chooses whole rows. */
static hone_status *import_select(hone_call *call) {
  hone_value *condition = hone_tf_in(call, 0), *x = hone_tf_in(call, 1);
  int rank = x->type.shape.rank;
  if (condition->type.shape.rank == 1 && rank > 1) {
    int64_t axes[HONE_MAX_RANK];
    for (int i = 1; i < rank; i++) axes[i - 1] = i;
    condition =
        HONE_EMIT(call, "unsqueeze", condition, hone_emit_ints(call, axes, (size_t)rank - 1));
  }
  hone_tf_return(call, 0, HONE_EMIT(call, "select", condition, x, hone_tf_in(call, 2)));
  return NULL;
}

static hone_status *fill_like(hone_call *call, double value) {
  hone_value *x = hone_tf_in(call, 0);
  hone_value *shape = HONE_EMIT(call, "shape", x);
  hone_tf_return(call, 0, HONE_EMIT(call, "expand", scalar(call, x, value), shape));
  return NULL;
}
static hone_status *import_zeros_like(hone_call *call) { return fill_like(call, 0); }
static hone_status *import_ones_like(hone_call *call) { return fill_like(call, 1); }

const hone_tf_row hone_tf_pointwise[] = {
    {"Abs", "abs"},
    {"Acos", "acos"},
    {"Acosh", "acosh"},
    {"Add", "add"},
    {"AddN", .import = import_add_n},
    {"AddV2", "add"},
    {"Asin", "asin"},
    {"Asinh", "asinh"},
    {"Atan", "atan"},
    {"Atan2", "atan2"},
    {"Atanh", "atanh"},
    {"BitwiseAnd", "bit_and"},
    {"BitwiseOr", "bit_or"},
    {"BitwiseXor", "bit_xor"},
    {"Bitcast", .import = import_bitcast},
    {"Cast", .import = import_cast},
    {"Ceil", "ceil"},
    {"ClipByValue", "clip"},
    {"Cos", "cos"},
    {"Cosh", "cosh"},
    {"Div", "div"},
    {"DivNoNan", .import = import_div_no_nan},
    {"Elu", "elu"},
    {"Equal", "equal"},
    {"Erf", "erf"},
    {"Erfc", .import = import_erfc},
    {"Exp", "exp"},
    {"Expm1", .import = import_expm1},
    {"Floor", "floor"},
    {"FloorDiv", .import = import_floor_div},
    {"FloorMod", "mod"},
    {"Greater", "greater"},
    {"GreaterEqual", "greater_equal"},
    {"Inv", "reciprocal"},
    {"Invert", "bit_not"},
    {"IsFinite", .import = import_is_finite},
    {"IsInf", "is_inf"},
    {"IsNan", "is_nan"},
    {"LeakyRelu", "leaky_relu", "alpha=0.2 alpha"},
    {"LeftShift", "shift_left"},
    {"Less", "less"},
    {"LessEqual", "less_equal"},
    {"Log", "log"},
    {"Log1p", .import = import_log1p},
    {"LogicalAnd", "and"},
    {"LogicalNot", "not"},
    {"LogicalOr", "or"},
    {"Maximum", "max"},
    {"Minimum", "min"},
    {"Mod", "mod", "fmod=true"},
    {"Mul", "mul"},
    {"MulNoNan", .import = import_mul_no_nan},
    {"Neg", "neg"},
    {"NotEqual", "not_equal"},
    {"OnesLike", .import = import_ones_like},
    {"Pow", "pow"},
    {"RealDiv", "div"},
    {"Reciprocal", "reciprocal"},
    {"Relu", "relu"},
    {"Relu6", .import = import_relu6},
    {"RightShift", "shift_right"},
    {"Rint", "round"},
    {"Round", "round"},
    {"Rsqrt", "rsqrt"},
    {"Select", .import = import_select},
    {"SelectV2", "select"},
    {"Selu", "selu"},
    {"Sigmoid", "sigmoid"},
    {"Sign", "sign"},
    {"Sin", "sin"},
    {"Sinh", "sinh"},
    {"Softplus", "softplus"},
    {"Softsign", "softsign"},
    {"Sqrt", "sqrt"},
    {"Square", .import = import_square},
    {"SquaredDifference", .import = import_squared_difference},
    {"Sub", "sub"},
    {"Tan", "tan"},
    {"Tanh", "tanh"},
    {"TruncateDiv", "div"},
    {"TruncateMod", "mod", "fmod=true"},
    {"Xdivy", .import = import_xdivy},
    {"Xlogy", .import = import_xlogy},
    {"ZerosLike", .import = import_zeros_like},
    {0},
};
