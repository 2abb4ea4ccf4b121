/* quantize and dequantize by constant scales as pointwise nodes, which join the groups around them.
 * Differences and products of f32 are rounded once either way, and sums that f32 could not hold are
 * beyond what the clamp keeps. Runs after the last algebraic pass, which would turn the quotient into a
 * product.
 *
 * Where x is a product with a constant already (sums of integers times their scale), the quotient goes
 * into that constant, which moves x / scale by a rounding of f32 and so, rarely, the result by a
 * step; not in fp32-strict. A dequantize that alone reads a quantize of its own scale never leaves
 * floats. Room: passes. */
#include <math.h>

#include "passes/affine.h"
#include "passes/passes.h"
#include "passes/rescale.h"

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

/* The value before a relu that nobody else reads; else `x` itself. */
static hone_value *before_relu(hone_value *x) {
  const hone_node *node = x->producer;
  bool alone = !x->uses || !x->uses->next; /* what was just made has no use yet */
  return node && node->op == &hone_op_relu && alone ? node->inputs[0].value : x;
}

/* x / scale. */
static hone_status *quotient(hone_node *node, const hone_shape *shape,
                             const hone_pass_context *context, hone_value **out) {
  hone_value *in[2] = {node->inputs[X].value};
  double scale;
  *out = NULL;
  if (!context->strict && hone_uniform(node->inputs[SCALE].value, &scale) && scale > 0)
    HONE_TRY(hone_rescale(in[0], 1 / scale, out));
  if (*out) return NULL;
  HONE_TRY(scale_of(node, shape, &in[1]));
  return hone_make(node, &hone_op_div, in, 2, out);
}

/* cast(clip(round(x / scale) + zero)); a relu before it is a higher lower limit. */
static hone_status *lower_quantize(hone_node *node, const hone_shape *shape,
                                   const hone_pass_context *context, hone_value **out) {
  hone_dtype to = node->outputs[0]->type.dtype;
  bool is_signed = hone_dtype_class_of(to) == HONE_CLASS_SIGNED;
  int bits = (int)hone_dtype_bits(to);
  double least = is_signed ? -ldexp(1, bits - 1) : 0, same = 0;
  hone_value *in[3], *zero, *before;
  HONE_TRY(quotient(node, shape, context, &in[0]));
  HONE_TRY(zero_point(node, shape, &zero));
  before = before_relu(in[0]);
  if (before != in[0] && (!zero || hone_uniform(zero, &same))) {
    in[0] = before;
    if (same > least) least = same;
  }
  HONE_TRY(hone_make(node, &hone_op_round, in, 1, &in[0]));
  in[1] = zero;
  if (zero) HONE_TRY(hone_make(node, &hone_op_add, in, 2, &in[0]));
  HONE_TRY(hone_graph_real(node->graph, NULL, HONE_F32, least, &in[1]));
  HONE_TRY(hone_graph_real(node->graph, NULL, HONE_F32, ldexp(1, bits - is_signed) - 1, &in[2]));
  HONE_TRY(hone_make(node, &hone_op_clip, in, 3, &in[0]));
  return cast(node, in[0], to, out);
}

static hone_node *made_by(const hone_value *value, const hone_op *op) {
  return value && value->producer && value->producer->op == op ? value->producer : NULL;
}

/* Of a lowered quantize that `node` alone reads and whose zero point it has: the rounded quotient and
 * the limits less the zero point. */
static bool find_trip(const hone_node *node, hone_value **rounded, double *low, double *high) {
  const hone_value *x = node->inputs[X].value, *zero = hone_node_in(node, ZERO);
  const hone_node *to_bytes = made_by(x, &hone_op_cast);
  const hone_node *clip = to_bytes ? made_by(to_bytes->inputs[0].value, &hone_op_clip) : NULL;
  double off = 0, added = 0;
  if (!clip || !hone_value_has_one_use(x) || !hone_value_has_one_use(clip->outputs[0]) ||
      (zero && !hone_uniform(zero, &off)) || clip->input_count < 3 ||
      !hone_uniform(clip->inputs[1].value, low) || !hone_uniform(clip->inputs[2].value, high))
    return false;
  *rounded = clip->inputs[0].value;
  const hone_node *add = made_by(*rounded, &hone_op_add);
  if (add) {
    if (!hone_uniform(add->inputs[1].value, &added)) return false;
    *rounded = add->inputs[0].value;
  }
  *low -= off;
  *high -= off;
  return off == added && made_by(*rounded, &hone_op_round);
}

/* clip(rounded) * scale */
static hone_status *lower_trip(hone_node *node, const hone_shape *shape, hone_value *rounded,
                               double low, double high, hone_value **out) {
  hone_value *in[3] = {rounded};
  HONE_TRY(hone_graph_real(node->graph, NULL, HONE_F32, low, &in[1]));
  HONE_TRY(hone_graph_real(node->graph, NULL, HONE_F32, high, &in[2]));
  HONE_TRY(hone_make(node, &hone_op_clip, in, 3, &in[0]));
  HONE_TRY(scale_of(node, shape, &in[1]));
  return hone_make(node, &hone_op_mul, in, 2, out);
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
  hone_value *to, *rounded;
  double low, high;
  if (!quantizes && node->op != &hone_op_dequantize) return NULL;
  if (!hone_node_out(node, 0) || !may_lower(node, quantizes, &shape)) return NULL;
  bool trip = !quantizes && find_trip(node, &rounded, &low, &high);
  if (quantizes) HONE_TRY(lower_quantize(node, &shape, context, &to));
  else if (trip) HONE_TRY(lower_trip(node, &shape, rounded, low, high, &to));
  else HONE_TRY(lower_dequantize(node, &shape, &to));
  hone_pass_fired(context, quantizes ? "quantize as pointwise"
                           : trip    ? "quantize and back"
                                     : "dequantize as pointwise");
  return hone_substitute(node, 0, to);
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  return hone_each_node(graph, context, lower_node);
}

const hone_pass hone_pass_lower_quantize = {"lower_quantize", run};
