/* A scale or shift along the channels after a product goes into the product's weights and bias, which
 * is how batch normalisation costs nothing; so does a scale before it, and on a device those of a norm
 * before it. Room: passes. */
#include <math.h>

#include "passes/affine.h"
#include "passes/passes.h"

enum { X, WEIGHTS, BIAS };

static bool is_product(const hone_node *node) {
  return node && (node->op == &hone_op_conv || node->op == &hone_op_matmul ||
                  node->op == &hone_op_conv_transpose);
}

/* The channel axis of the weights; false where scaling them along it does not scale the results. */
static bool weight_axis(const hone_node *product, int *axis) {
  int rank = product->inputs[WEIGHTS].value->type.shape.rank;
  *axis = rank - 1;
  if (product->op == &hone_op_conv) return rank >= 3;
  if (product->op == &hone_op_conv_transpose) {
    *axis = rank - 2;
    return rank >= 3 && hone_node_int(product, "groups") == 1;
  }
  if (hone_node_flag(product, "transpose_b")) *axis = rank - 2;
  return rank >= 2;
}

/* A constant that has one element for each channel of `like`, or one for all. */
static bool is_channel_constant(const hone_value *value, const hone_value *like) {
  const hone_shape *shape = &value->type.shape;
  if (!hone_value_is_constant(value) || value->type.dtype != like->type.dtype) return false;
  hone_dim channels = like->type.shape.dim[like->type.shape.rank - 1];
  for (int i = 0; i + 1 < shape->rank; i++)
    if (shape->dim[i] != 1) return false;
  hone_dim last = shape->rank ? shape->dim[shape->rank - 1] : 1;
  return hone_dim_known(channels) && (last == 1 || last == channels);
}

/* The constant as one double a channel. */
static double *channel_reals(const hone_value *value, size_t channels, hone_arena *arena) {
  size_t count;
  double *data = hone_constant_reals(value, arena, &count);
  if (!data || count == channels) return data;
  double *wide = HONE_NEW_ARRAY(arena, channels + 1, double);
  for (size_t i = 0; wide && i < channels; i++) wide[i] = data[0];
  return wide;
}

/* The parts of "product, then by constant": which input of `node` is which. */
typedef struct site {
  hone_node *node, *product;
  const hone_value *constant;
  size_t channels;
} site;

static bool find_site(hone_node *node, site *s) {
  if (node->op != &hone_op_mul && node->op != &hone_op_add && node->op != &hone_op_sub) return false;
  for (int i = 0; i < (node->op == &hone_op_sub ? 1 : 2); i++) {
    hone_value *value = node->inputs[i].value;
    const hone_value *other = node->inputs[1 - i].value;
    if (!value->producer || !is_product(value->producer) || !hone_is_float(value)) continue;
    if (!hone_value_has_one_use(value) || value->type.shape.rank < 2) continue;
    if (!hone_same_type(value, node->outputs[0]) || !is_channel_constant(other, value)) continue;
    const hone_value *bias = hone_node_in(value->producer, BIAS);
    if (bias && !is_channel_constant(bias, value)) continue;
    *s = (site){node, value->producer, other,
                (size_t)value->type.shape.dim[value->type.shape.rank - 1]};
    return true;
  }
  return false;
}

static hone_status *set_bias(const site *s, const double *data) {
  hone_value *bias;
  hone_shape shape = {.rank = 1, .dim = {(hone_dim)s->channels}};
  HONE_TRY(hone_constant_from(s->node->graph, s->constant->type.dtype, &shape, data, &bias));
  while (s->product->input_count <= BIAS) HONE_TRY(hone_node_add_input(s->product, NULL));
  hone_node_set_input(s->product, BIAS, bias);
  return NULL;
}

static hone_status *fold_shift(const site *s, hone_arena *arena) {
  const hone_value *bias = hone_node_in(s->product, BIAS);
  double sign = s->node->op == &hone_op_sub ? -1 : 1;
  double *shift = channel_reals(s->constant, s->channels, arena);
  double *old = bias ? channel_reals(bias, s->channels, arena) : shift;
  if (!shift || !old) return hone_error_memory();
  for (size_t i = 0; i < s->channels; i++) shift[i] = sign * shift[i] + (bias ? old[i] : 0);
  return set_bias(s, shift);
}

static hone_status *scale_weights(const site *s, int axis, const double *scale,
                                  hone_arena *arena) {
  const hone_value *weights = s->product->inputs[WEIGHTS].value;
  const hone_shape *shape = &weights->type.shape;
  size_t count, inner = hone_shape_span(shape, axis + 1, shape->rank);
  size_t channels = (size_t)shape->dim[axis];
  double *data = hone_constant_reals(weights, arena, &count);
  HONE_TRY_MEMORY(data);
  for (size_t i = 0; i < count; i++) data[i] *= scale[i / inner % channels];
  hone_value *scaled;
  HONE_TRY(hone_constant_from(s->node->graph, weights->type.dtype, shape, data, &scaled));
  hone_node_set_input(s->product, WEIGHTS, scaled);
  return NULL;
}

static hone_status *fold_scale(const site *s, int axis, hone_arena *arena) {
  const hone_value *bias = hone_node_in(s->product, BIAS);
  double *scale = channel_reals(s->constant, s->channels, arena);
  HONE_TRY_MEMORY(scale);
  HONE_TRY(scale_weights(s, axis, scale, arena));
  if (!bias) return NULL;
  double *shift = channel_reals(bias, s->channels, arena);
  HONE_TRY_MEMORY(shift);
  for (size_t i = 0; i < s->channels; i++) shift[i] *= scale[i];
  return set_bias(s, shift);
}

/* Weights that more than one node reads would be kept twice. */
static bool may_scale(const site *s, int *axis) {
  const hone_value *weights = s->product->inputs[WEIGHTS].value;
  return hone_value_is_constant(weights) && hone_value_has_one_use(weights) &&
         weight_axis(s->product, axis) &&
         weights->type.shape.dim[*axis] == (hone_dim)s->channels;
}

/* ---- Before the product ---------------------------------------------------------------------- */

/* The axis of the weights that what goes in is multiplied along; false where there is not one. */
static bool input_axis(const hone_node *product, int *axis) {
  const hone_value *weights = product->inputs[WEIGHTS].value;
  int rank = weights->type.shape.rank;
  *axis = rank - 2;
  if (!hone_value_is_constant(weights) || !hone_value_has_one_use(weights)) return false;
  if (product->op == &hone_op_matmul) {
    if (hone_node_flag(product, "transpose_b")) *axis = rank - 1;
    return rank == 2 && !hone_node_flag(product, "transpose_a");
  }
  if (product->op == &hone_op_conv_transpose) *axis = rank - 1;
  return rank >= 3 && hone_node_int(product, "groups") == 1;
}

/* x and the numbers that it is multiplied by before `product`, where whatever else reads the result is a
 * product that can take them too. */
static bool find_scale_before(hone_node *product, hone_value **x, site *s) {
  hone_value *scaled = product->inputs[X].value;
  hone_node *mul = scaled->producer;
  int axis;
  if (!mul || mul->op != &hone_op_mul || !hone_is_float(scaled) || scaled->type.shape.rank < 2)
    return false;
  for (const hone_use *use = scaled->uses; use; use = use->next)
    if (!use->user || !is_product(use->user) || use->user->inputs[X].value != scaled ||
        use->user->inputs[WEIGHTS].value == scaled || !input_axis(use->user, &axis))
      return false;
  for (int i = 0; i < 2; i++) {
    const hone_value *numbers = mul->inputs[1 - i].value;
    *x = mul->inputs[i].value;
    if (!hone_same_type(*x, scaled) || !is_channel_constant(numbers, scaled)) continue;
    *s = (site){mul, product, numbers,
                (size_t)scaled->type.shape.dim[scaled->type.shape.rank - 1]};
    return true;
  }
  return false;
}

/* (x s) w = x (s w) */
static hone_status *fold_before(hone_node *product, hone_pass_context *context) {
  site s;
  hone_value *x;
  int axis;
  if (context->strict || !is_product(product) || !find_scale_before(product, &x, &s)) return NULL;
  const hone_value *weights = product->inputs[WEIGHTS].value;
  if (!input_axis(product, &axis) || weights->type.dtype != s.constant->type.dtype ||
      weights->type.shape.dim[axis] != (hone_dim)s.channels)
    return NULL;
  hone_arena arena = {0};
  double *scale = channel_reals(s.constant, s.channels, &arena);
  hone_status *status =
      scale ? scale_weights(&s, axis, scale, &arena) : hone_error_memory();
  hone_arena_free(&arena);
  HONE_TRY(status);
  HONE_TRY(hone_node_add_sources(product, s.node));
  hone_node_set_input(product, X, x);
  hone_remove_unused(s.node);
  hone_pass_fired(context, "scale before into weights");
  return NULL;
}

/* ---- A norm before products ------------------------------------------------------------------ */

enum { SCALE = 1, SHIFT }; /* a norm's */
#define LEAST_SCALE 0.0625 /* of the largest, so that weights times scales keep their bits in f16, */
#define MOST_SCALE  256.0  /* and are none beyond it */

/* Where values are stored in 16 bits on a device: there a kernel of the product brings rows to mean 0
 * and variance 1 by itself. */
static bool wants_bare_norms(const hone_pass_context *context) {
  bool narrow = context->compute == HONE_F16 || context->compute == HONE_BF16;
  return narrow && context->takes && !context->strict;
}

static bool fits_f16(const double *scale, size_t channels) {
  double most = 0;
  for (size_t i = 0; scale && i < channels; i++)
    if (fabs(scale[i]) > most) most = fabs(scale[i]);
  return !scale || (most >= LEAST_SCALE && most <= MOST_SCALE);
}

/* Whether every reader of the norm is a product by a matrix of its own. */
static bool only_products_read(const hone_value *y) {
  for (const hone_use *use = y->uses; use; use = use->next) {
    int axis;
    const hone_node *user = use->user;
    if (!user || user->op != &hone_op_matmul || user->inputs[X].value != y ||
        user->inputs[WEIGHTS].value == y || !input_axis(user, &axis))
      return false;
    const hone_value *bias = hone_node_in(user, BIAS), *weights = user->inputs[WEIGHTS].value;
    if (weights->type.dtype != y->type.dtype || !weight_axis(user, &axis) ||
        (bias && !is_channel_constant(bias, user->outputs[0])))
      return false;
  }
  return y->uses != NULL;
}

static bool is_dressed_norm(const hone_node *node) {
  if (node->op != &hone_op_layer_norm && node->op != &hone_op_rms_norm) return false;
  const hone_value *y = node->outputs[0], *scale = hone_node_in(node, SCALE),
                   *shift = hone_node_in(node, SHIFT);
  int rank = y ? y->type.shape.rank : 0, axis;
  if (rank < 2 || hone_node_out(node, 1) || hone_node_out(node, 2) || y->type.dtype != HONE_F32 ||
      !hone_axis(hone_node_int(node, "axis"), rank, &axis) || axis != rank - 1)
    return false;
  return (scale || shift) && (!scale || is_channel_constant(scale, y)) &&
         (!shift || is_channel_constant(shift, y)) && only_products_read(y);
}

/* bias + alpha shift w, by the weights as they were; `shift` NULL: nothing. */
static hone_status *shift_product(hone_node *product, const double *shift, hone_arena *arena) {
  const hone_value *weights = product->inputs[WEIGHTS].value, *bias = hone_node_in(product, BIAS);
  bool turned = hone_node_flag(product, "transpose_b");
  size_t depth = (size_t)weights->type.shape.dim[turned], count;
  site s = {product, product, weights, (size_t)weights->type.shape.dim[!turned]};
  if (!shift) return NULL;
  double *data = hone_constant_reals(weights, arena, &count);
  double *sum = bias ? channel_reals(bias, s.channels, arena)
                     : HONE_NEW_ARRAY(arena, s.channels + 1, double);
  if (!data || !sum) return hone_error_memory();
  double alpha = hone_node_real(product, "alpha");
  for (size_t k = 0; k < depth; k++)
    for (size_t n = 0; n < s.channels; n++)
      sum[n] += alpha * shift[k] * data[turned ? n * depth + k : k * s.channels + n];
  return set_bias(&s, sum);
}

static hone_status *undress(hone_node *norm, const double *scale, const double *shift,
                            size_t channels, hone_arena *arena) {
  size_t count = 0, at = 0;
  int axis;
  for (const hone_use *use = norm->outputs[0]->uses; use; use = use->next) count++;
  hone_node **products = HONE_NEW_ARRAY(arena, count + 1, hone_node *); /* uses move as inputs come */
  HONE_TRY_MEMORY(products);
  for (const hone_use *use = norm->outputs[0]->uses; use; use = use->next) products[at++] = use->user;
  for (size_t i = 0; i < count; i++) {
    site s = {norm, products[i], NULL, channels};
    HONE_TRY(shift_product(products[i], shift, arena));
    if (scale && input_axis(products[i], &axis)) HONE_TRY(scale_weights(&s, axis, scale, arena));
  }
  for (int i = SCALE; i <= SHIFT && i < norm->input_count; i++) hone_node_set_input(norm, i, NULL);
  return NULL;
}

/* (n s + b) w = n (s w) + b w, where n is the norm without scale and shift */
static hone_status *fold_norm(hone_node *norm, hone_pass_context *context) {
  if (!wants_bare_norms(context) || !is_dressed_norm(norm)) return NULL;
  const hone_shape *shape = &norm->outputs[0]->type.shape;
  const hone_value *scale = hone_node_in(norm, SCALE), *shift = hone_node_in(norm, SHIFT);
  size_t channels = (size_t)shape->dim[shape->rank - 1];
  hone_arena arena = {0};
  double *scales = scale ? channel_reals(scale, channels, &arena) : NULL;
  double *shifts = shift ? channel_reals(shift, channels, &arena) : NULL;
  bool there = (scales || !scale) && (shifts || !shift), fits = fits_f16(scales, channels);
  hone_status *status = there ? NULL : hone_error_memory();
  if (there && fits) {
    status = undress(norm, scales, shifts, channels, &arena);
    hone_pass_fired(context, "norm's scale and shift into weights");
  }
  hone_arena_free(&arena);
  return status;
}

static hone_status *fold_node(hone_node *node, hone_pass_context *context) {
  if (hone_node_out(node, 0)) HONE_TRY(fold_before(node, context));
  if (hone_node_out(node, 0)) HONE_TRY(fold_norm(node, context));
  site s;
  int axis;
  bool scales = node->op == &hone_op_mul;
  if (!hone_node_out(node, 0) || !find_site(node, &s)) return NULL;
  if (scales && (context->strict || !may_scale(&s, &axis))) return NULL;
  hone_arena arena = {0};
  hone_status *status = scales ? fold_scale(&s, axis, &arena) : fold_shift(&s, &arena);
  hone_arena_free(&arena);
  HONE_TRY(status);
  HONE_TRY(hone_node_add_sources(s.product, node));
  hone_pass_fired(context, scales ? "scale into weights" : "shift into bias");
  return hone_substitute(node, 0, s.product->outputs[0]);
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  return hone_each_node(graph, context, fold_node);
}

const hone_pass hone_pass_fold_affine = {"fold_affine", run};
