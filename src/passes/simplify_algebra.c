/* Arithmetic with constants, and chains of activations. Room: passes. */
#include <math.h>
#include <string.h>

#include "passes/affine.h"
#include "passes/simplify.h"

typedef const hone_pass_context context_t;

/* Input `index` as one number whose broadcast does not widen the result, which then has the other
 * input's type. */
static bool is_number(const hone_node *node, int index, double *value) {
  const hone_value *other = hone_node_in(node, 1 - index);
  return node->input_count == 2 && other && hone_uniform(node->inputs[index].value, value) &&
         hone_same_type(other, node->outputs[0]);
}

static hone_status *keep_input(hone_node *node, int index, hone_value **to) {
  hone_value *x = node->inputs[index].value;
  if (!hone_substitute_copies(node->outputs[0], x)) *to = x;
  return NULL;
}

/* x + 0, x * 1 in either order; x - 0, x / 1, x ^ 1. */
static hone_status *drop_neutral(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  static const struct { const hone_op *op; double neutral; } rows[] = {
      {&hone_op_add, 0}, {&hone_op_sub, 0}, {&hone_op_mul, 1}, {&hone_op_div, 1},
      {&hone_op_pow, 1}};
  double value;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].op != node->op) continue;
    if (is_number(node, 1, &value) && value == rows[i].neutral) return keep_input(node, 0, to);
    if ((node->op->facts & HONE_COMMUTATIVE) && is_number(node, 0, &value) &&
        value == rows[i].neutral)
      return keep_input(node, 1, to);
  }
  return NULL;
}

/* A constant of the type of `like`'s elements. */
static hone_status *number(const hone_value *like, double value, hone_value **out) {
  return hone_graph_real(like->graph, NULL, like->type.dtype, value, out);
}

static bool is_power_of_two(double value) {
  int exponent;
  return fabs(frexp(value, &exponent)) == 0.5;
}

/* x / c = x * (1 / c): exact for powers of two, otherwise one rounding more. */
static hone_status *divide_by_product(hone_node *node, context_t *context, hone_value **to) {
  double value;
  hone_value *in[2] = {node->inputs[0].value};
  if (!hone_is_float(in[0]) || !hone_uniform(hone_node_in(node, 1), &value)) return NULL;
  if (value == 0 || !isfinite(value) || !isfinite(1 / value)) return NULL;
  if (!is_power_of_two(value) && (context->strict || node->inputs[1].value->type.shape.rank > 0))
    return NULL;
  if (!is_number(node, 1, &value)) return NULL;
  HONE_TRY(number(in[0], 1 / value, &in[1]));
  return hone_make(node, &hone_op_mul, in, 2, to);
}

/* Powers that have an op of their own. */
static hone_status *expand_power(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  double power;
  hone_value *in[2] = {node->inputs[0].value, node->inputs[0].value};
  if (!hone_is_float(in[0]) || !is_number(node, 1, &power)) return NULL;
  if (power == 2) return hone_make(node, &hone_op_mul, in, 2, to);
  if (power == 0.5) return hone_make(node, &hone_op_sqrt, in, 1, to);
  if (power == -0.5) return hone_make(node, &hone_op_rsqrt, in, 1, to);
  if (power == -1) return hone_make(node, &hone_op_reciprocal, in, 1, to);
  return NULL;
}

/* 1 / sqrt(x) and reciprocal(sqrt(x)) */
static hone_status *invert_root(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  bool quotient = node->op == &hone_op_div;
  double one;
  if (!quotient && node->op != &hone_op_reciprocal) return NULL;
  if (quotient && (!is_number(node, 0, &one) || one != 1)) return NULL;
  const hone_value *root = node->inputs[quotient].value;
  if (!hone_is_float(root)) return NULL;
  if (root->producer && root->producer->op == &hone_op_sqrt)
    return hone_make(node, &hone_op_rsqrt, &root->producer->inputs[0].value, 1, to);
  return quotient ? hone_make(node, &hone_op_reciprocal, &node->inputs[1].value, 1, to) : NULL;
}

/* f(f(x)) = f(x) or x */
static hone_status *repeat_once(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  static const struct { const hone_op *op; bool undoes; } rows[] = {
      {&hone_op_relu, false}, {&hone_op_abs, false},  {&hone_op_floor, false},
      {&hone_op_ceil, false}, {&hone_op_round, false}, {&hone_op_sign, false},
      {&hone_op_neg, true},   {&hone_op_not, true}};
  const hone_value *input = hone_node_in(node, 0);
  hone_node *inner = input ? input->producer : NULL;
  if (!inner || inner->op != node->op) return NULL;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].op != node->op) continue;
    hone_value *x = rows[i].undoes ? inner->inputs[0].value : node->inputs[0].value;
    if (!hone_substitute_copies(node->outputs[0], x)) *to = x;
  }
  return NULL;
}

/* (x + a) + b, (x * a) * b with numbers a and b: one operation, one rounding less. */
static hone_status *merge_numbers(hone_node *node, context_t *context, hone_value **to) {
  double outer, inner;
  if (context->strict || (node->op != &hone_op_add && node->op != &hone_op_mul)) return NULL;
  for (int i = 0; i < 2; i++) {
    if (!is_number(node, i, &outer)) continue;
    hone_value *middle = node->inputs[1 - i].value;
    hone_node *maker = middle->producer;
    if (!maker || maker->op != node->op || !hone_is_float(middle)) continue;
    if (!hone_value_has_one_use(middle)) continue;
    for (int k = 0; k < 2; k++) {
      if (!is_number(maker, k, &inner)) continue;
      hone_value *in[2] = {maker->inputs[1 - k].value};
      double value = node->op == &hone_op_add ? outer + inner : outer * inner;
      if (!isfinite(value) || (node->op == &hone_op_mul && value == 0)) return NULL;
      HONE_TRY(number(middle, value, &in[1]));
      return hone_make(node, node->op, in, 2, to);
    }
  }
  return NULL;
}

/* The bounds that a node clamps its input to; false when it is no clamp to numbers. */
static bool bounds_of(const hone_node *node, double *low, double *high) {
  double value;
  *low = -INFINITY;
  *high = INFINITY;
  if (node->op == &hone_op_relu) {
    *low = 0;
    return true;
  }
  if (node->op == &hone_op_clip)
    return (!hone_node_in(node, 1) || hone_uniform(node->inputs[1].value, low)) &&
           (!hone_node_in(node, 2) || hone_uniform(node->inputs[2].value, high));
  if ((node->op != &hone_op_min && node->op != &hone_op_max) || !is_number(node, 1, &value))
    return false;
  *(node->op == &hone_op_max ? low : high) = value;
  return true;
}

/* clamp(x) with these bounds, in its plainest spelling. */
static hone_status *make_clamp(hone_node *node, hone_value *x, double low, double high,
                               hone_value **to) {
  hone_value *in[3] = {x, NULL, NULL};
  if (low == 0 && high == INFINITY) return hone_make(node, &hone_op_relu, in, 1, to);
  if (low != -INFINITY) HONE_TRY(number(x, low, &in[1]));
  if (high != INFINITY) HONE_TRY(number(x, high, &in[2]));
  return hone_make(node, &hone_op_clip, in, 3, to);
}

/* max(number, x) is max(x, number), which is a clamp. */
static hone_status *number_behind(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  double value;
  bool bound = node->op == &hone_op_min || node->op == &hone_op_max;
  if (!bound || node->input_count != 2 || !is_number(node, 0, &value)) return NULL;
  if (is_number(node, 1, &value)) return NULL;
  hone_value *number = node->inputs[0].value;
  hone_node_set_input(node, 0, node->inputs[1].value);
  hone_node_set_input(node, 1, number);
  *to = node->outputs[0];
  return NULL;
}

/* min, max, clip and relu of each other are one clamp. */
static hone_status *merge_clamps(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  double low, high, inner_low, inner_high;
  if (!node->input_count || !hone_is_float(node->outputs[0])) return NULL;
  hone_value *x = node->inputs[0].value;
  if (!x || !bounds_of(node, &low, &high) || low > high) return NULL;
  hone_node *maker = x->producer;
  if (maker && bounds_of(maker, &inner_low, &inner_high) && inner_low <= inner_high &&
      maker->inputs[0].value && fmax(low, inner_low) <= fmin(high, inner_high))
    return make_clamp(node, maker->inputs[0].value, fmax(low, inner_low), fmin(high, inner_high),
                      to);
  bool plain = node->op == &hone_op_relu ||
               (node->op == &hone_op_clip && !(low == 0 && high == INFINITY));
  return plain ? NULL : make_clamp(node, x, low, high, to);
}

/* select with a known condition of one element, or of equal ones, and branches of full shape. */
static hone_status *choose_branch(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  double condition;
  if (!hone_uniform(node->inputs[0].value, &condition)) return NULL;
  hone_value *chosen = node->inputs[condition != 0 ? 1 : 2].value;
  if (hone_same_type(chosen, node->outputs[0]) && !hone_substitute_copies(node->outputs[0], chosen))
    *to = chosen;
  return NULL;
}

/* Scale and shift of a normalisation by stored statistics: x * s + t. */
static hone_status *affine_of_norm(const hone_node *node, const hone_shape *shape,
                                   hone_arena *arena, hone_value **scale, hone_value **shift) {
  enum { SCALE = 1, BIAS, MEAN, VARIANCE, END };
  double *data[END], epsilon = hone_node_real(node, "epsilon");
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  size_t count = 0, first = 0;
  for (int i = SCALE; i < END; i++) {
    data[i] = hone_constant_reals(node->inputs[i].value, arena, &count);
    HONE_TRY_MEMORY(data[i]);
    if (i == SCALE) first = count;
    if (count != first)
      return hone_error(HONE_INVALID_MODEL, "node '%s': its statistics differ in size",
                        hone_node_label(node));
  }
  for (size_t i = 0; i < count; i++) {
    data[SCALE][i] /= sqrt(data[VARIANCE][i] + epsilon);
    data[BIAS][i] -= data[MEAN][i] * data[SCALE][i];
  }
  HONE_TRY(hone_constant_from(node->graph, dtype, shape, data[SCALE], scale));
  return hone_constant_from(node->graph, dtype, shape, data[BIAS], shift);
}

static hone_status *split_batch_norm(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  hone_value *product[2] = {node->inputs[0].value}, *sum[2];
  int rank = product[0]->type.shape.rank, axis;
  for (int i = 1; i < 5; i++)
    if (!hone_value_is_constant(hone_node_in(node, i)) || !hone_is_float(node->inputs[i].value))
      return NULL;
  if (rank < 1 || !hone_axis(hone_node_int(node, "axis"), rank, &axis)) return NULL;
  const hone_shape *scale = &node->inputs[1].value->type.shape;
  if (scale->rank != 1 || !hone_is_float(product[0])) return NULL;
  hone_shape shape = {.rank = rank - axis, .dim = {scale->dim[0]}};
  for (int i = 1; i < shape.rank; i++) shape.dim[i] = 1;
  hone_arena scratch = {0};
  hone_status *status = affine_of_norm(node, &shape, &scratch, &product[1], &sum[1]);
  hone_arena_free(&scratch);
  HONE_TRY(status);
  HONE_TRY(hone_make(node, &hone_op_mul, product, 2, &sum[0]));
  return hone_make(node, &hone_op_add, sum, 2, to);
}

const hone_simplify_rule hone_algebra_rules[] = {
    {"drop neutral number", NULL, drop_neutral},
    {"one over root", NULL, invert_root},
    {"divide by product", &hone_op_div, divide_by_product},
    {"expand power", &hone_op_pow, expand_power},
    {"repeat once", NULL, repeat_once},
    {"merge numbers", NULL, merge_numbers},
    {"number behind", NULL, number_behind},
    {"merge clamps", NULL, merge_clamps},
    {"choose branch", &hone_op_select, choose_branch},
    {"split batch_norm", &hone_op_batch_norm, split_batch_norm},
    {0}};
