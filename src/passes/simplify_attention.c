/* Keys and values that are repeated for groups of query heads: attention shares them by itself.
 * Room: passes. */
#include "passes/simplify.h"

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

static hone_status *share_heads(hone_node *node, const hone_pass_context *context,
                                hone_value **to) {
  enum { K = 1, V = 2 };
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

const hone_simplify_rule hone_attention_rules[] = {
    {"share heads", &hone_op_attention, share_heads}, {0}};
