/* quantize and dequantize by constant scales as pointwise nodes, which join the groups around them.
 * The same bits: quotients, differences and products of f32 are rounded once either way, and sums
 * that f32 could not hold are beyond what the clamp keeps. Runs after the last algebraic pass, which
 * would turn the quotient into a product. Room: passes. */
#include <math.h>

#include "passes/affine.h"
#include "passes/passes.h"

enum { X, SCALE, ZERO };

/* The shape that makes one scale, or one an axis position, broadcast over x. */
static bool broadcast_shape(const hone_node *node, hone_shape *out) {
  const hone_shape *x = &node->inputs[X].value->type.shape;
  const hone_shape *scale = &node->inputs[SCALE].value->type.shape;
  int axis;
  size_t count;
  if (!hone_shape_count(scale, &count) || x->rank < 0) return false;
  *out = (hone_shape){.rank = 0};
  if (count == 1) return true;
  if (hone_node_int(node, "block") != 0 || scale->rank != 1) return false;
  if (!hone_axis(hone_node_int(node, "axis"), x->rank, &axis)) return false;
  out->rank = x->rank - axis;
  out->dim[0] = scale->dim[0];
  for (int i = 1; i < out->rank; i++) out->dim[i] = 1;
  return true;
}

/* Integers that f32 holds exactly. */
static bool is_short_integer(hone_dtype dtype) {
  hone_dtype_class class = hone_dtype_class_of(dtype);
  unsigned bits = hone_dtype_bits(dtype);
  return (class == HONE_CLASS_SIGNED || class == HONE_CLASS_UNSIGNED) && bits >= 8 && bits <= 16;
}

static bool is_f32_constant(const hone_value *value) {
  return hone_value_is_constant(value) && value->type.dtype == HONE_F32;
}

/* The zero point as f32 in `shape`; NULL where it is absent or all 0. */
static hone_status *zero_point(hone_node *node, const hone_shape *shape, hone_value **out) {
  const hone_value *zero = hone_node_in(node, ZERO);
  double same;
  *out = NULL;
  if (!zero || (hone_uniform(zero, &same) && same == 0)) return NULL;
  hone_arena scratch = {0};
  size_t count;
  const double *data = hone_constant_reals(zero, &scratch, &count);
  hone_status *status = data ? hone_constant_from(node->graph, HONE_F32, shape, data, out)
                             : hone_error_memory();
  hone_arena_free(&scratch);
  return status;
}

static hone_status *scale_of(hone_node *node, const hone_shape *shape, hone_value **out) {
  const hone_value *scale = node->inputs[SCALE].value;
  return hone_graph_constant(node->graph, NULL, HONE_F32, *shape, scale->constant,
                             scale->constant_size, out);
}

static hone_status *cast(hone_node *from, hone_value *value, hone_dtype to, hone_value **out) {
  hone_node *node;
  HONE_TRY(hone_node_start(from, &hone_op_cast, &value, 1, &node));
  HONE_TRY(hone_node_set_int(node, "to", to));
  return hone_node_finish(node, out);
}

/* cast(clip(round(x / scale) + zero)) */
static hone_status *lower_quantize(hone_node *node, const hone_shape *shape, hone_value **out) {
  hone_dtype to = node->outputs[0]->type.dtype;
  bool is_signed = hone_dtype_class_of(to) == HONE_CLASS_SIGNED;
  int bits = (int)hone_dtype_bits(to);
  hone_value *in[3] = {node->inputs[X].value}, *zero;
  HONE_TRY(scale_of(node, shape, &in[1]));
  HONE_TRY(zero_point(node, shape, &zero));
  HONE_TRY(hone_make(node, &hone_op_div, in, 2, &in[0]));
  HONE_TRY(hone_make(node, &hone_op_round, in, 1, &in[0]));
  in[1] = zero;
  if (zero) HONE_TRY(hone_make(node, &hone_op_add, in, 2, &in[0]));
  HONE_TRY(hone_graph_real(node->graph, NULL, HONE_F32, is_signed ? -ldexp(1, bits - 1) : 0, &in[1]));
  HONE_TRY(hone_graph_real(node->graph, NULL, HONE_F32, ldexp(1, bits - is_signed) - 1, &in[2]));
  HONE_TRY(hone_make(node, &hone_op_clip, in, 3, &in[0]));
  return cast(node, in[0], to, out);
}

/* (cast(x) - zero) * scale */
static hone_status *lower_dequantize(hone_node *node, const hone_shape *shape, hone_value **out) {
  hone_value *in[2];
  HONE_TRY(cast(node, node->inputs[X].value, HONE_F32, &in[0]));
  HONE_TRY(zero_point(node, shape, &in[1]));
  if (in[1]) HONE_TRY(hone_make(node, &hone_op_sub, in, 2, &in[0]));
  HONE_TRY(scale_of(node, shape, &in[1]));
  return hone_make(node, &hone_op_mul, in, 2, out);
}

static bool may_lower(const hone_node *node, bool quantizes, hone_shape *shape) {
  const hone_value *zero = hone_node_in(node, ZERO), *scale = node->inputs[SCALE].value;
  const hone_value *real = quantizes ? node->inputs[X].value : node->outputs[0];
  const hone_value *whole = quantizes ? node->outputs[0] : node->inputs[X].value;
  hone_dtype precision = quantizes ? hone_node_dtype(node, "precision") : HONE_DTYPE_NONE;
  if (real->type.dtype != HONE_F32 || !is_short_integer(whole->type.dtype)) return false;
  if (!is_f32_constant(scale) || (zero && !hone_value_is_constant(zero))) return false;
  if (precision != HONE_DTYPE_NONE && precision != HONE_F32) return false;
  return (!zero || hone_shape_equal(&zero->type.shape, &scale->type.shape)) &&
         broadcast_shape(node, shape);
}

static hone_status *lower_node(hone_node *node, hone_pass_context *context) {
  bool quantizes = node->op == &hone_op_quantize;
  hone_shape shape;
  hone_value *to;
  if (!quantizes && node->op != &hone_op_dequantize) return NULL;
  if (!hone_node_out(node, 0) || !may_lower(node, quantizes, &shape)) return NULL;
  if (quantizes) HONE_TRY(lower_quantize(node, &shape, &to));
  else HONE_TRY(lower_dequantize(node, &shape, &to));
  hone_pass_fired(context, quantizes ? "quantize as pointwise" : "dequantize as pointwise");
  return hone_substitute(node, 0, to);
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  return hone_each_node(graph, context, lower_node);
}

const hone_pass hone_pass_lower_quantize = {"lower_quantize", run};
