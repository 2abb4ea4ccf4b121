/* What attention does by itself: heads of keys and values shared by groups of query heads, factors of
 * queries and keys, masks that broadcast, choose between 0 and -infinity, hide nothing, or hide the
 * keys that come later.
 * Room: passes. */
#include <math.h>

#include "passes/simplify.h"
#include "passes/triangle.h"

enum { Q, K, V, MASK, LENGTHS, OFFSET };
enum { MOST_LINKS = 8 }; /* between a factor and attention */

typedef const hone_pass_context context_t;

/* One operand as exporters repeat it: expand makes an axis of 1 behind the heads `times`, a view merges
 * the two, and perhaps a transpose brings the heads to their place. */
typedef struct repeated {
  hone_value *base;      /* before expand */
  hone_shape shape;      /* as the view makes it, but with the heads unrepeated */
  const hone_node *turn; /* the transpose, or NULL */
  int64_t times;
} repeated;

/* The axis where `wide` has `times` elements and `narrow` one, all others being the same; -1 if it
 * is not so. */
static int widened_axis(const hone_shape *narrow, const hone_shape *wide, int64_t *times) {
  int found = -1;
  if (narrow->rank < 0 || narrow->rank != wide->rank) return -1;
  for (int i = 0; i < wide->rank; i++) {
    if (narrow->dim[i] == wide->dim[i]) continue;
    if (found >= 0 || narrow->dim[i] != 1 || !hone_dim_known(wide->dim[i])) return -1;
    found = i;
    *times = wide->dim[i];
  }
  return found;
}

/* Which axis of `shape` is axis `axis` of `wide` merged with the one before it, where the two shapes
 * are the same otherwise but for axes of 1; -1 if they are not. */
static int merged_axis(const hone_shape *shape, const hone_shape *wide, int axis) {
  int found = -1, at = 0;
  if (axis < 1 || !hone_dim_known(wide->dim[axis - 1])) return -1;
  for (int i = 0; i < wide->rank; i++) {
    hone_dim size = wide->dim[i];
    if (i == axis) continue;
    if (i == axis - 1) size *= wide->dim[axis];
    if (size == 1) continue;
    while (at < shape->rank && shape->dim[at] == 1) at++;
    if (at == shape->rank || shape->dim[at] != size) return -1;
    if (i == axis - 1) found = at;
    at++;
  }
  for (; at < shape->rank; at++)
    if (shape->dim[at] != 1) return -1;
  return found;
}

/* Where axis `axis` before the transpose is after it. */
static int place_after(const hone_node *turn, int axis) {
  size_t count;
  const int64_t *perm = turn ? hone_node_ints(turn, "perm", &count) : NULL;
  for (int i = 0; perm && i < (int)count; i++)
    if (perm[i] == axis) return i;
  return turn ? -1 : axis;
}

static bool find_repeated(hone_value *value, repeated *out) {
  const hone_node *maker = value->producer;
  out->times = 1;
  out->turn = maker && maker->op == &hone_op_transpose ? maker : NULL;
  if (out->turn) value = out->turn->inputs[0].value;
  const hone_node *merge = value->producer;
  if (!merge || !(merge->op->facts & HONE_VIEW)) return false;
  const hone_node *widen = merge->inputs[0].value->producer;
  if (!widen || widen->op != &hone_op_expand) return false;
  const hone_shape *wide = &widen->outputs[0]->type.shape;
  out->base = widen->inputs[0].value;
  out->shape = value->type.shape;
  int heads = merged_axis(&out->shape, wide, widened_axis(&out->base->type.shape, wide, &out->times));
  if (heads < 0 || place_after(out->turn, heads) != 1) return false;
  out->shape.dim[heads] /= out->times;
  int symbols = 0;
  for (int i = 0; i < out->shape.rank; i++) symbols += !hone_dim_known(out->shape.dim[i]);
  return symbols <= 1;
}

/* The operand unrepeated, its heads on axis 1. */
static hone_status *restore(hone_node *node, const repeated *operand, hone_value **out) {
  size_t count;
  int perm[HONE_MAX_RANK];
  HONE_TRY(hone_make_reshape(node, operand->base, &operand->shape, out));
  if (!operand->turn) return NULL;
  const int64_t *wide = hone_node_ints(operand->turn, "perm", &count);
  for (size_t i = 0; i < count; i++) perm[i] = (int)wide[i];
  return hone_make_transpose(node, *out, perm, out);
}

static hone_status *share_heads(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  repeated k, v;
  hone_value *operands[2];
  if (!find_repeated(node->inputs[K].value, &k) || !find_repeated(node->inputs[V].value, &v) ||
      k.times != v.times)
    return NULL;
  HONE_TRY(restore(node, &k, &operands[0]));
  HONE_TRY(restore(node, &v, &operands[1]));
  for (int i = 0; i < 2; i++) {
    hone_node *old = node->inputs[K + i].value->producer;
    hone_node_set_input(node, K + i, operands[i]);
    hone_remove_unused(old);
  }
  *to = node->outputs[0];
  return hone_node_infer(node);
}

/* ---- Factors ------------------------------------------------------------------------------------ */

/* The factor by which mul or div changes all of `*x`, which is as large as the result. */
static bool find_factor(const hone_node *node, hone_value **x, double *factor) {
  if (!node || (node->op != &hone_op_mul && node->op != &hone_op_div)) return false;
  bool divides = node->op == &hone_op_div;
  for (int i = 1; i >= divides; i--) {
    *x = node->inputs[1 - i].value;
    if (!hone_uniform(node->inputs[i].value, factor) || !hone_same_type(*x, node->outputs[0]))
      continue;
    if (divides) *factor = 1 / *factor;
    return isfinite(*factor) && *factor != 0;
  }
  return false;
}

/* The scale as a number; 0 where it depends on a width that is not known. */
static double scale_of(const hone_node *node) {
  double scale = hone_node_real(node, "scale");
  const hone_shape *q = &node->inputs[Q].value->type.shape;
  return scale != 0 || q->rank != 4 || q->dim[3] <= 0 ? scale : 1 / sqrt((double)q->dim[3]);
}

/* attention(q * c, k, v) = attention(q, k, v) with c times the scale, likewise for k, also where the
 * factor stands before transposes and views that attention alone reads. */
static hone_status *take_factor(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  for (int i = Q; i <= K; i++) {
    hone_node *user = node, *maker = node->inputs[i].value->producer;
    int at = i, links = 0;
    while (maker && links++ < MOST_LINKS && hone_value_has_one_use(maker->outputs[0]) &&
           (maker->op == &hone_op_transpose || (maker->op->facts & HONE_VIEW))) {
      user = maker;
      at = 0;
      maker = user->inputs[0].value->producer;
    }
    hone_value *x;
    double factor, scale = scale_of(node);
    if (!find_factor(maker, &x, &factor) || !isfinite(scale * factor) || scale * factor == 0) continue;
    HONE_TRY(hone_node_set_real(node, "scale", scale * factor));
    hone_node_set_input(user, at, x);
    hone_remove_unused(maker);
    *to = node->outputs[0];
    return NULL;
  }
  return NULL;
}

/* ---- Masks -------------------------------------------------------------------------------------- */

static hone_status *set_mask(hone_node *node, hone_value *mask, hone_value **to) {
  hone_node *old = node->inputs[MASK].value->producer;
  hone_node_set_input(node, MASK, mask);
  if (old) hone_remove_unused(old);
  *to = node->outputs[0];
  return hone_node_infer(node);
}

/* Whether the last axis of a mask speaks of all keys, one by one or all alike. */
static bool has_all_keys(const hone_node *node, const hone_shape *mask) {
  const hone_shape *k = &node->inputs[K].value->type.shape;
  if (mask->rank == 0) return true;
  if (mask->rank < 0 || k->rank != 4) return false;
  return mask->dim[mask->rank - 1] == 1 || mask->dim[mask->rank - 1] == k->dim[2];
}

/* What is added is 0 or -infinity: the mask says which. A finite number, which hides nothing where it
 * is added to all keys, stays. */
static hone_status *take_truths(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  hone_value *mask = hone_node_in(node, MASK);
  const hone_node *choice = mask ? mask->producer : NULL;
  double yes, no;
  if (!choice || choice->op != &hone_op_select || !hone_uniform(choice->inputs[1].value, &yes) ||
      !hone_uniform(choice->inputs[2].value, &no))
    return NULL;
  hone_value *may = choice->inputs[0].value;
  if (!hone_shape_equal(&may->type.shape, &mask->type.shape)) return NULL;
  if (yes == 0 && no == -INFINITY) return set_mask(node, may, to);
  if (no != 0 || yes != -INFINITY) return NULL;
  HONE_TRY(hone_make(node, &hone_op_not, &may, 1, &may));
  return set_mask(node, may, to);
}

/* A mask broadcasts by itself, but for a last axis that stops short of the keys. */
static hone_status *take_narrow_mask(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  const hone_value *mask = hone_node_in(node, MASK);
  if (!mask || !mask->producer || mask->producer->op != &hone_op_expand) return NULL;
  hone_value *x = mask->producer->inputs[0].value;
  if (x->type.shape.rank < 0 || !has_all_keys(node, &mask->type.shape)) return NULL;
  return set_mask(node, x, to);
}

static hone_status *drop_mask(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  const hone_value *mask = hone_node_in(node, MASK);
  double element;
  if (!mask || !hone_uniform(mask, &element)) return NULL;
  if (element != (mask->type.dtype == HONE_BOOL ? 1 : 0) || !has_all_keys(node, &mask->type.shape))
    return NULL;
  return set_mask(node, NULL, to);
}

/* Whether `value` lets each query look at the keys up to its own place: true or 0 there, and beyond it
 * false or so low that the exponential vanishes beside that of the query's own place. */
static bool is_causal(const hone_node *node, const hone_value *value, double low) {
  hone_triangle is;
  const hone_shape *q = &node->inputs[Q].value->type.shape, *k = &node->inputs[K].value->type.shape;
  if (q->rank != 4 || k->rank != 4 || !hone_triangle_of(value, &is) || is.low == is.high ||
      is.rows != q->dim[2] || is.columns != k->dim[2])
    return false;
  return value->type.dtype == HONE_BOOL ? is.low == 1 && is.high == 0
                                        : is.low == 0 && is.high <= low;
}

/* The mask that is left where `mask` joins it with a causal one. What hides there must be -infinity:
 * where all keys are hidden by one or the other, lesser numbers would still weigh them. */
static hone_value *beside_causal(const hone_node *node, const hone_value *mask) {
  double low;
  const hone_node *join = mask->producer;
  if (!join) return NULL;
  if (join->op == &hone_op_select && hone_uniform(join->inputs[2].value, &low) &&
      low == -INFINITY && is_causal(node, join->inputs[0].value, low))
    return join->inputs[1].value;
  if (join->op != &hone_op_and && join->op != &hone_op_add) return NULL;
  for (int i = 0; i < 2; i++)
    if (is_causal(node, join->inputs[i].value, -INFINITY)) return join->inputs[1 - i].value;
  return NULL;
}

static hone_status *take_causal(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  hone_value *mask = hone_node_in(node, MASK), *rest = NULL;
  if (!mask || hone_node_in(node, OFFSET) || hone_node_out(node, 1)) return NULL;
  if (!is_causal(node, mask, -1e4) && !(rest = beside_causal(node, mask))) return NULL;
  HONE_TRY(hone_node_set_int(node, "causal", true));
  return set_mask(node, rest, to);
}

const hone_simplify_rule hone_attention_rules[] = {
    {"share heads", &hone_op_attention, share_heads},
    {"factor into attention", &hone_op_attention, take_factor},
    {"truths as mask", &hone_op_attention, take_truths},
    {"causal mask", &hone_op_attention, take_causal},
    {"narrow mask", &hone_op_attention, take_narrow_mask},
    {"drop mask", &hone_op_attention, drop_mask},
    {0}};
