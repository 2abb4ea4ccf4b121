/* Products of dequantized bytes as sums of integers: with x = (p - z) s and w = (q - y) t, x w = s t
 * times the sum of (p - z)(q - y), which is exact. So what is stored between layers stays bytes, and
 * the result is nearer to what the model says than in floats. A bias of whole multiples of s t, as
 * quantisers make it, goes into the sums. Runs once transposes have sunk below quantize and dequantize;
 * until then the bytes of weights are kept. Room: passes. */
#include "passes/integers.h"

#include <math.h>
#include <string.h>

#include "passes/affine.h"
#include "passes/layout.h"
#include "passes/passes.h"

enum { X, SCALE, ZERO };
enum { WEIGHTS = 1, BIAS = 2 };

static bool is_product(const hone_node *node) {
  return node && (node->op == &hone_op_conv || node->op == &hone_op_matmul);
}

/* The dequantize of bytes that makes `value`, or that a transpose takes it from; `*turn` is the
 * transpose's, of rank 0 where there is none. */
static hone_node *find_bytes(const hone_value *value, hone_turn *turn) {
  turn->rank = 0;
  if (hone_turn_of(value, turn)) value = value->producer->inputs[0].value;
  hone_node *node = value ? value->producer : NULL;
  if (!node || node->op != &hone_op_dequantize || hone_node_int(node, "block") != 0) return NULL;
  const hone_value *x = node->inputs[X].value, *scale = node->inputs[SCALE].value;
  const hone_value *zero = hone_node_in(node, ZERO);
  if ((x->type.dtype != HONE_U8 && x->type.dtype != HONE_S8) || scale->type.dtype != HONE_F32 ||
      node->outputs[0]->type.dtype != HONE_F32)
    return NULL;
  return hone_value_is_constant(scale) && (!zero || hone_value_is_constant(zero)) ? node : NULL;
}

static bool is_single(const hone_value *value) {
  size_t count;
  return !value || (hone_shape_count(&value->type.shape, &count) && count == 1);
}

bool hone_is_byte_weight(const hone_node *node) {
  hone_turn turn;
  if (node->op != &hone_op_dequantize || !hone_value_is_constant(node->inputs[X].value) ||
      !find_bytes(node->outputs[0], &turn))
    return false;
  for (const hone_use *use = node->outputs[0]->uses; use; use = use->next) {
    const hone_node *user = use->user;
    if (user && user->op == &hone_op_transpose && hone_value_has_one_use(user->outputs[0]))
      user = user->outputs[0]->uses->user;
    if (is_product(user) && find_bytes(user->inputs[X].value, &turn) &&
        user->inputs[WEIGHTS].value != user->inputs[X].value)
      return true;
  }
  return false;
}

/* ---- The product ----------------------------------------------------------------------------- */

typedef struct site {
  hone_node *product, *x, *w; /* the dequantizes */
  hone_turn x_turn, w_turn;   /* w's with transpose_b in it */
  size_t columns;
} site;

/* The weights have one scale, or one a column of the result. */
static bool has_column_scales(const site *s) {
  const hone_value *w = s->w->inputs[X].value, *scale = s->w->inputs[SCALE].value;
  const hone_value *zero = hone_node_in(s->w, ZERO);
  int axis, rank = w->type.shape.rank;
  if (is_single(scale)) return is_single(zero);
  int last = s->w_turn.rank ? s->w_turn.perm[rank - 1] : rank - 1;
  return scale->type.shape.rank == 1 && hone_axis(hone_node_int(s->w, "axis"), rank, &axis) &&
         axis == last;
}

static bool find_site(hone_node *node, site *s) {
  if (!is_product(node) || node->outputs[0]->type.dtype != HONE_F32) return false;
  s->product = node;
  s->x = find_bytes(node->inputs[X].value, &s->x_turn);
  s->w = find_bytes(node->inputs[WEIGHTS].value, &s->w_turn);
  if (!s->x || !s->w || !hone_value_is_constant(s->w->inputs[X].value) ||
      !is_single(s->x->inputs[SCALE].value) || !is_single(hone_node_in(s->x, ZERO)))
    return false;
  const hone_shape *w = &s->w->inputs[X].value->type.shape;
  if (node->op == &hone_op_matmul) {
    bool turned = hone_node_flag(node, "transpose_b");
    if (w->rank != 2 || hone_node_flag(node, "transpose_a") ||
        node->inputs[X].value->type.shape.rank < 1 || (turned && s->w_turn.rank))
      return false;
    if (turned) s->w_turn = (hone_turn){.rank = 2, .perm = {1, 0}};
  }
  int last = s->w_turn.rank ? s->w_turn.perm[w->rank - 1] : w->rank - 1;
  if (w->rank < 2 || w->dim[last] < 1) return false;
  s->columns = (size_t)w->dim[last];
  return has_column_scales(s);
}

/* The scale of the sums, a number a column, in `arena`. */
static double *sum_scales(const site *s, hone_arena *arena) {
  size_t count = 0;
  double x = 0, alpha = 1;
  const double *w = hone_constant_reals(s->w->inputs[SCALE].value, arena, &count);
  double *out = HONE_NEW_ARRAY(arena, s->columns, double);
  if (!w || !out || !count || !hone_uniform(s->x->inputs[SCALE].value, &x)) return NULL;
  if (s->product->op == &hone_op_matmul) alpha = hone_node_real(s->product, "alpha");
  for (size_t i = 0; i < s->columns; i++) out[i] = alpha * x * w[i % count];
  return out;
}

/* The bias as multiples of the scales, where it is that: an s32 constant. */
static hone_status *whole_bias(const site *s, const double *scales, hone_arena *arena,
                               hone_value **out) {
  const hone_value *bias = hone_node_in(s->product, BIAS);
  size_t count = 0, last;
  *out = NULL;
  if (!bias || !hone_value_is_constant(bias) || !hone_shape_count(&bias->type.shape, &last) ||
      last != s->columns)
    return NULL;
  const double *data = hone_constant_reals(bias, arena, &count);
  int32_t *wholes = HONE_NEW_ARRAY(arena, s->columns, int32_t);
  if (!data || !wholes) return hone_error_memory();
  for (size_t i = 0; i < count; i++) {
    double multiple = data[i] / scales[i], whole = rint(multiple);
    if (!(fabs(whole) < 1 << 30) || fabs(multiple - whole) > 1e-3 + 3e-7 * fabs(whole)) return NULL;
    wholes[i] = (int32_t)whole;
  }
  hone_shape shape = {.rank = 1, .dim = {(hone_dim)count}};
  return hone_graph_constant_copy(s->product->graph, NULL, HONE_S32, shape, wholes,
                                  count * sizeof *wholes, out);
}

/* A zero point that matters. */
static hone_value *zero_of(const hone_node *dequantize) {
  hone_value *zero = hone_node_in(dequantize, ZERO);
  double same;
  return zero && hone_uniform(zero, &same) && same == 0 ? NULL : zero;
}

static hone_status *turned(const site *s, hone_value *bytes, const hone_turn *turn,
                           hone_value **out) {
  *out = bytes;
  return turn->rank ? hone_make_transpose(s->product, bytes, turn->perm, out) : NULL;
}

static void copy_window(const hone_node *from, hone_node *to) {
  for (int i = 0; i < HONE_MAX_ATTRS && to->op->attrs[i].name; i++)
    to->attrs[i] = *hone_node_attr(from, to->op->attrs[i].name);
}

/* The sums, in s32. */
static hone_status *make_sums(const site *s, hone_value *bias, hone_value **out) {
  bool is_conv = s->product->op == &hone_op_conv;
  hone_value *in[5] = {NULL, NULL, zero_of(s->x), zero_of(s->w), bias};
  hone_node *sums;
  HONE_TRY(turned(s, s->x->inputs[X].value, &s->x_turn, &in[0]));
  HONE_TRY(turned(s, s->w->inputs[X].value, &s->w_turn, &in[1]));
  HONE_TRY(hone_node_start(s->product, is_conv ? &hone_op_conv_integer : &hone_op_matmul_integer, in,
                           5, &sums));
  if (is_conv) copy_window(s->product, sums);
  HONE_TRY(hone_node_add_sources(sums, s->w));
  HONE_TRY(hone_node_finish(sums, out));
  (*out)->type.shape = s->product->outputs[0]->type.shape;
  return NULL;
}

static hone_status *to_f32(const site *s, hone_value **value) {
  hone_node *cast;
  HONE_TRY(hone_node_start(s->product, &hone_op_cast, value, 1, &cast));
  HONE_TRY(hone_node_set_int(cast, "to", HONE_F32));
  return hone_node_finish(cast, value);
}

static hone_status *rewrite(const site *s, hone_arena *arena, hone_value **out) {
  hone_value *bias = hone_node_in(s->product, BIAS), *whole, *in[2];
  hone_shape row = {.rank = 1, .dim = {(hone_dim)s->columns}};
  double *scales = sum_scales(s, arena);
  HONE_TRY_MEMORY(scales);
  HONE_TRY(whole_bias(s, scales, arena, &whole));
  HONE_TRY(make_sums(s, whole, &in[0]));
  HONE_TRY(to_f32(s, &in[0]));
  HONE_TRY(hone_constant_from(s->product->graph, HONE_F32, &row, scales, &in[1]));
  HONE_TRY(hone_make(s->product, &hone_op_mul, in, 2, out));
  if (!bias || whole) return NULL;
  in[0] = *out;
  in[1] = bias;
  return hone_make(s->product, &hone_op_add, in, 2, out);
}

static hone_status *product_node(hone_node *node, hone_pass_context *context) {
  site s;
  hone_value *to;
  if (!find_site(node, &s)) return NULL;
  hone_arena arena = {0};
  hone_status *status = rewrite(&s, &arena, &to);
  hone_arena_free(&arena);
  HONE_TRY(status);
  to->type.shape = node->outputs[0]->type.shape;
  hone_pass_fired(context, "product in integers");
  return hone_substitute(node, 0, to);
}

/* ---- Between products ------------------------------------------------------------------------ */

/* relu(dequantize(quantize(x))) = dequantize(quantize(relu(x))): quantising keeps the order and 0. */
static hone_status *relu_node(hone_node *node, hone_pass_context *context) {
  hone_value *x = node->inputs[0].value, *to;
  hone_node *back = x->producer, *there, *copy;
  double scale;
  if (node->op != &hone_op_relu || !back || back->op != &hone_op_dequantize ||
      !hone_value_has_one_use(x))
    return NULL;
  there = back->inputs[X].value->producer;
  if (!there || there->op != &hone_op_quantize || !hone_value_has_one_use(there->outputs[0]) ||
      !hone_is_float(there->inputs[X].value) || hone_is_float(there->outputs[0]))
    return NULL;
  for (int i = SCALE; i <= ZERO; i++)
    if (hone_node_in(there, i) != hone_node_in(back, i)) return NULL;
  if (!hone_uniform(back->inputs[SCALE].value, &scale) || scale <= 0) return NULL;
  HONE_TRY(hone_make(node, &hone_op_relu, &there->inputs[X].value, 1, &to));
  HONE_TRY(hone_copy_above(there, (hone_value *[]){to, hone_node_in(there, SCALE),
                                                   hone_node_in(there, ZERO)}, 3, &copy));
  hone_node_move(copy, node);
  HONE_TRY(hone_node_finish(copy, &to));
  HONE_TRY(hone_copy_above(back, (hone_value *[]){to, hone_node_in(back, SCALE),
                                                  hone_node_in(back, ZERO)}, 3, &copy));
  hone_node_move(copy, node);
  HONE_TRY(hone_node_finish(copy, &to));
  hone_pass_fired(context, "relu before quantize");
  return hone_substitute(node, 0, to);
}

/* max(dequantize(x)) = dequantize(max(x)) with a positive scale for all: bytes are moved, not floats. */
static hone_status *pool_node(hone_node *node, hone_pass_context *context) {
  hone_value *x = node->inputs[0].value, *to;
  hone_node *back = x->producer, *copy;
  hone_turn turn;
  double scale;
  if (hone_node_text(node, "kind")[0] != 'm' || hone_node_out(node, 1) || !hone_value_has_one_use(x) ||
      !back || find_bytes(x, &turn) != back || !hone_uniform(back->inputs[SCALE].value, &scale) ||
      scale <= 0 || !is_single(hone_node_in(back, ZERO)) || !is_single(back->inputs[SCALE].value))
    return NULL;
  HONE_TRY(hone_node_start(node, node->op, &back->inputs[X].value, 1, &copy));
  hone_copy_attrs(copy, node);
  HONE_TRY(hone_node_finish(copy, &to));
  to->type.shape = node->outputs[0]->type.shape;
  HONE_TRY(hone_copy_above(back, (hone_value *[]){to, hone_node_in(back, SCALE),
                                                  hone_node_in(back, ZERO)}, 3, &copy));
  hone_node_move(copy, node);
  HONE_TRY(hone_node_finish(copy, &to));
  hone_pass_fired(context, "pool of bytes");
  return hone_substitute(node, 0, to);
}

/* All axes but the first and the last, which stay. */
static bool takes_pixels(const hone_node *node) {
  bool axes[HONE_MAX_RANK] = {false};
  int rank = node->inputs[0].value->type.shape.rank;
  if (strcmp(hone_node_text(node, "kind"), "mean") != 0 || !hone_node_flag(node, "keep") ||
      rank < 3 || !hone_reduce_axes(node, axes))
    return false;
  for (int i = 0; i < rank; i++)
    if (axes[i] != (i > 0 && i < rank - 1)) return false;
  return true;
}

/* mean((x - z) s) = (mean(x) - z) s, where the sum of bytes is exact; not in fp32-strict. */
static hone_status *mean_node(hone_node *node, hone_pass_context *context) {
  hone_value *x = node->inputs[0].value, *in[2];
  hone_turn turn;
  hone_node *back = find_bytes(x, &turn);
  double scale, zero = 0;
  if (context->strict || !back || turn.rank || !takes_pixels(node) ||
      !hone_uniform(back->inputs[SCALE].value, &scale) ||
      (hone_node_in(back, ZERO) && !hone_uniform(hone_node_in(back, ZERO), &zero)))
    return NULL;
  HONE_TRY(hone_make(node, &hone_op_byte_mean, &back->inputs[X].value, 1, &in[0]));
  HONE_TRY(hone_graph_real(node->graph, NULL, HONE_F32, zero, &in[1]));
  if (zero != 0) HONE_TRY(hone_make(node, &hone_op_sub, in, 2, &in[0]));
  HONE_TRY(hone_graph_real(node->graph, NULL, HONE_F32, scale, &in[1]));
  HONE_TRY(hone_make(node, &hone_op_mul, in, 2, &in[0]));
  in[0]->type.shape = node->outputs[0]->type.shape;
  hone_pass_fired(context, "mean of bytes");
  return hone_substitute(node, 0, in[0]);
}

/* quantize(dequantize(x)) by the same numbers: x. */
static hone_status *quantize_node(hone_node *node, hone_pass_context *context) {
  hone_turn turn;
  double scale;
  hone_node *back = find_bytes(node->inputs[X].value, &turn);
  if (!back || turn.rank || hone_node_int(node, "block") != 0 ||
      back->inputs[X].value->type.dtype != node->outputs[0]->type.dtype ||
      hone_node_in(node, ZERO) != hone_node_in(back, ZERO) ||
      hone_node_in(node, SCALE) != hone_node_in(back, SCALE) ||
      !hone_uniform(node->inputs[SCALE].value, &scale) || scale <= 0 ||
      !is_single(hone_node_in(node, ZERO)) ||
      hone_substitute_copies(node->outputs[0], back->inputs[X].value))
    return NULL;
  hone_pass_fired(context, "quantize what was bytes");
  return hone_substitute(node, 0, back->inputs[X].value);
}

/* Whether `a` and `b`, each a quantize or dequantize, map bytes of one type to reals alike. */
static bool same_mapping(const hone_node *a, const hone_node *b) {
  double one[2] = {0, 0}, other[2] = {0, 0};
  const hone_node *nodes[2] = {a, b};
  hone_dtype bytes[2];
  for (int i = 0; i < 2; i++) {
    double *numbers = i ? other : one;
    const hone_value *zero = hone_node_in(nodes[i], ZERO);
    bool makes_bytes = nodes[i]->op == &hone_op_quantize;
    bytes[i] = (makes_bytes ? nodes[i]->outputs[0] : nodes[i]->inputs[X].value)->type.dtype;
    if (hone_node_int(nodes[i], "block") != 0 || !is_single(nodes[i]->inputs[SCALE].value) ||
        !hone_uniform(nodes[i]->inputs[SCALE].value, &numbers[0]) || !is_single(zero) ||
        (zero && !hone_uniform(zero, &numbers[1])))
      return false;
  }
  return bytes[0] == bytes[1] && one[0] == other[0] && one[1] == other[1] && one[0] > 0;
}

/* Whether a product of integers can take the bytes that `node` dequantizes. */
static bool feeds_product(const hone_node *node) {
  hone_turn turn;
  for (const hone_use *use = node->outputs[0]->uses; use; use = use->next) {
    const hone_node *user = use->user;
    if (user && user->op == &hone_op_transpose && hone_value_has_one_use(user->outputs[0]))
      user = user->outputs[0]->uses->user;
    if (!is_product(user)) continue;
    const hone_node *weights = find_bytes(user->inputs[WEIGHTS].value, &turn);
    if (weights && hone_value_is_constant(weights->inputs[X].value)) return true;
  }
  return false;
}

/* dequantize(quantize(x)): x, where it is made of such bytes already and was only moved since; but
 * products want bytes. */
static hone_status *dequantize_node(hone_node *node, hone_pass_context *context) {
  enum { MOST_MOVES = 6 };
  const hone_node *there = node->inputs[X].value->producer, *from;
  if (!there || there->op != &hone_op_quantize || !same_mapping(there, node) ||
      feeds_product(node))
    return NULL;
  hone_value *x = there->inputs[X].value;
  from = x->producer;
  for (int i = 0; i < MOST_MOVES && from && from->op != &hone_op_dequantize; i++) {
    if (!(from->op->facts & HONE_VIEW) && from->op != &hone_op_transpose) return NULL;
    from = from->inputs[X].value->producer;
  }
  if (!from || from->op != &hone_op_dequantize || !same_mapping(from, node) ||
      !hone_same_type(x, node->outputs[0]) || hone_substitute_copies(node->outputs[0], x))
    return NULL;
  hone_pass_fired(context, "quantize and back of what was bytes");
  return hone_substitute(node, 0, x);
}

static hone_status *visit(hone_node *node, hone_pass_context *context) {
  if (!hone_node_out(node, 0)) return NULL;
  if (node->op == &hone_op_relu) return relu_node(node, context);
  if (node->op == &hone_op_pool) return pool_node(node, context);
  if (node->op == &hone_op_reduce) return mean_node(node, context);
  if (node->op == &hone_op_quantize) return quantize_node(node, context);
  if (node->op == &hone_op_dequantize) return dequantize_node(node, context);
  return product_node(node, context);
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  context->integers_made = true;
  return hone_each_node(graph, context, visit);
}

const hone_pass hone_pass_integers = {"integers", run};
