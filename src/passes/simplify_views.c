/* Copies, casts, reshapes and transposes that do nothing, or less than they seem to. Room: passes. */
#include <string.h>

#include "passes/simplify.h"

typedef const hone_pass_context context_t;

/* Whether the output may give way to `to`: it must not leave a copy that is this very node. */
static bool may_become(const hone_node *node, const hone_value *to) {
  return !hone_substitute_copies(node->outputs[0], to);
}

static hone_status *drop_identity(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  hone_value *x = node->inputs[0].value;
  if (may_become(node, x)) *to = x;
  return NULL;
}

/* A move that leaves type and shape as they are moves nothing, where every element stays in its
 * place: views, casts, and expand. */
static hone_status *drop_same_shape(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  bool keeps_order = (node->op->facts & HONE_VIEW) || node->op == &hone_op_cast ||
                     node->op == &hone_op_expand;
  if (!keeps_order || node->op == &hone_op_identity) return NULL;
  hone_value *x = node->inputs[0].value;
  if (hone_same_type(x, node->outputs[0]) && may_become(node, x)) *to = x;
  return NULL;
}

/* Whether the first `count` dims are the same, given that their products are: one symbol a side may
 * differ, which then stands for the same size. */
static bool same_dims(const hone_shape *a, const hone_shape *b, int count) {
  int differ = 0;
  for (int i = 0; i < count; i++) {
    if (a->dim[i] == 0) return false;
    if (a->dim[i] == b->dim[i]) continue;
    if (hone_dim_known(a->dim[i]) || hone_dim_known(b->dim[i])) return false;
    differ++;
  }
  return differ <= 1;
}

/* A view of views whose shape one of them had already. */
static hone_status *return_to_shape(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  if (!(node->op->facts & HONE_VIEW)) return NULL;
  hone_value *x = node->inputs[0].value;
  for (int depth = 0; depth < 8 && x->producer && (x->producer->op->facts & HONE_VIEW); depth++) {
    x = x->producer->inputs[0].value;
    const hone_shape *a = &x->type.shape, *b = &node->outputs[0]->type.shape;
    if (a->rank < 0 || a->rank != b->rank || !same_dims(a, b, a->rank)) continue;
    if (!may_become(node, x)) continue;
    *to = x;
    return NULL;
  }
  return NULL;
}

static bool symbols_of(const hone_shape *shape, int *count) {
  *count = 0;
  for (int i = 0; i < shape->rank; i++) *count += !hone_dim_known(shape->dim[i]);
  return shape->rank != HONE_RANK_UNKNOWN;
}

/* reshape(view(x)) = reshape(x), where the result's shape can be said in numbers. */
static hone_status *merge_views(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  int symbols;
  const hone_value *inner = node->inputs[0].value;
  if (!(node->op->facts & HONE_VIEW) || node->op == &hone_op_identity) return NULL;
  if (!inner->producer || !(inner->producer->op->facts & HONE_VIEW)) return NULL;
  const hone_shape *shape = &node->outputs[0]->type.shape;
  if (!symbols_of(shape, &symbols) || symbols > 1) return NULL;
  return hone_make_reshape(node, inner->producer->inputs[0].value, shape, to);
}

static bool perm_of(const hone_node *node, int *perm) {
  size_t count;
  int rank = node->inputs[0].value->type.shape.rank;
  const int64_t *given = hone_node_ints(node, "perm", &count);
  if (rank == HONE_RANK_UNKNOWN) return false;
  for (int i = 0; i < rank; i++) perm[i] = count ? (int)given[i] : rank - 1 - i;
  return true;
}

static hone_status *drop_transpose(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  int perm[HONE_MAX_RANK];
  hone_value *x = node->inputs[0].value;
  if (!perm_of(node, perm)) return NULL;
  for (int i = 0; i < x->type.shape.rank; i++)
    if (perm[i] != i) return NULL;
  if (may_become(node, x)) *to = x;
  return NULL;
}

static hone_status *merge_transposes(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  int outer[HONE_MAX_RANK], inner[HONE_MAX_RANK], both[HONE_MAX_RANK];
  const hone_node *maker = node->inputs[0].value->producer;
  if (!maker || maker->op != &hone_op_transpose) return NULL;
  if (!perm_of(node, outer) || !perm_of(maker, inner)) return NULL;
  for (int i = 0; i < node->inputs[0].value->type.shape.rank; i++) both[i] = inner[outer[i]];
  return hone_make_transpose(node, maker->inputs[0].value, both, to);
}

/* A transpose that moves only axes of size 1 past others leaves the elements in order. */
static hone_status *transpose_to_view(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  int perm[HONE_MAX_RANK], last = -1, symbols;
  const hone_shape *in = &node->inputs[0].value->type.shape;
  const hone_shape *out = &node->outputs[0]->type.shape;
  if (!perm_of(node, perm) || !symbols_of(out, &symbols) || symbols > 1) return NULL;
  for (int i = 0; i < in->rank; i++) {
    if (in->dim[perm[i]] == 1) continue;
    if (perm[i] < last) return NULL;
    last = perm[i];
  }
  return hone_make_reshape(node, node->inputs[0].value, out, to);
}

/* Two views of other kinds than reshape become one kind, so that fewer rules meet more. */
static hone_status *view_to_reshape(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  int symbols;
  bool other = node->op == &hone_op_squeeze || node->op == &hone_op_unsqueeze ||
               node->op == &hone_op_flatten;
  const hone_shape *out = &node->outputs[0]->type.shape;
  if (!other || !symbols_of(out, &symbols) || symbols > 1) return NULL;
  return hone_make_reshape(node, node->inputs[0].value, out, to);
}

/* cast(cast(x)) = cast(x) where the inner one loses nothing. */
static hone_status *merge_casts(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  const hone_value *middle = node->inputs[0].value;
  const hone_node *inner = middle->producer;
  if (!inner || inner->op != &hone_op_cast) return NULL;
  hone_value *x = inner->inputs[0].value;
  hone_dtype from = x->type.dtype, via = middle->type.dtype;
  hone_dtype_class a = hone_dtype_class_of(from), b = hone_dtype_class_of(via);
  bool wider = hone_dtype_bits(via) > hone_dtype_bits(from) &&
               ((a == b && (a != HONE_CLASS_FLOAT || via == HONE_F32 || via == HONE_F64)) ||
                (a == HONE_CLASS_BOOLEAN && b != HONE_CLASS_STRING));
  if (!wider) return NULL;
  hone_node *cast;
  HONE_TRY(hone_node_start(node, &hone_op_cast, &x, 1, &cast));
  HONE_TRY(hone_node_set_int(cast, "to", node->outputs[0]->type.dtype));
  return hone_node_finish(cast, to);
}

/* A broadcast before an op that would broadcast anyway: the other input has the full shape. */
static hone_status *drop_expand(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  if (!(node->op->facts & HONE_POINTWISE)) return NULL;
  for (int i = 0; i < node->input_count; i++) {
    hone_value *wide = node->inputs[i].value;
    if (!wide || !wide->producer || wide->producer->op != &hone_op_expand) continue;
    for (int k = 0; k < node->input_count; k++) {
      const hone_value *other = node->inputs[k].value;
      if (k == i || !other || other->type.shape.rank != node->outputs[0]->type.shape.rank) continue;
      if (!hone_shape_equal(&other->type.shape, &node->outputs[0]->type.shape)) continue;
      hone_node_set_input(node, i, wide->producer->inputs[0].value);
      hone_remove_unused(wide->producer);
      *to = node->outputs[0];
      return NULL;
    }
  }
  return NULL;
}

/* What the rows of `flat` are before the views that made it, where those of `y` are the same in another
 * shape: itself, or a view of it. */
static hone_status *rows_before(hone_node *from, hone_value *x, const hone_shape *flat,
                                const hone_shape *y, hone_value **out) {
  hone_shape rows = *y;
  int symbols;
  *out = NULL;
  if (y->rank < 2) return NULL;
  rows.dim[y->rank - 1] = flat->dim[flat->rank - 1];
  if (x->type.shape.rank == y->rank && same_dims(&x->type.shape, y, y->rank - 1) &&
      x->type.shape.dim[y->rank - 1] == rows.dim[y->rank - 1])
    *out = x;
  else if (symbols_of(&rows, &symbols) && symbols <= 1)
    return hone_make_reshape(from, x, &rows, out);
  return NULL;
}

/* f(expand(x), numbers) = expand(f(x, numbers)): less to compute, and what reads it may broadcast by
 * itself. */
static hone_status *lift_over_expand(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  hone_value *inputs[HONE_MAX_RANK], *wide = NULL;
  if (!(node->op->facts & HONE_POINTWISE) || node->output_count != 1 ||
      node->input_count > HONE_MAX_RANK)
    return NULL;
  for (int i = 0; i < node->input_count; i++) {
    hone_value *in = inputs[i] = node->inputs[i].value;
    size_t count;
    if (!in || (in->constant && hone_shape_count(&in->type.shape, &count) && count == 1)) continue;
    if (wide || !in->producer || in->producer->op != &hone_op_expand) return NULL;
    wide = in;
    inputs[i] = in->producer->inputs[0].value;
  }
  if (!wide || !hone_value_has_one_use(wide) ||
      !hone_shape_equal(&wide->type.shape, &node->outputs[0]->type.shape))
    return NULL;
  hone_node *narrow, *expand = wide->producer;
  hone_value *operands[2] = {NULL, expand->inputs[1].value};
  HONE_TRY(hone_node_start(node, node->op, inputs, node->input_count, &narrow));
  hone_copy_attrs(narrow, node);
  HONE_TRY(hone_node_finish(narrow, &operands[0]));
  HONE_TRY(hone_node_start(node, &hone_op_expand, operands, 2, &narrow));
  HONE_TRY(hone_node_add_sources(narrow, expand));
  return hone_node_finish(narrow, to);
}

/* view(matmul(view(x), w)) = matmul(view(x), w), or matmul(x, w), where the outer view leaves the last
 * axis: how a dense layer on sequences is spelled. */
static hone_status *unwrap_product(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  if (!(node->op->facts & HONE_VIEW)) return NULL;
  hone_node *product = node->inputs[0].value->producer, *made;
  if (!product || product->op != &hone_op_matmul || hone_node_flag(product, "transpose_a"))
    return NULL;
  const hone_node *inner = product->inputs[0].value->producer;
  if (!inner || !(inner->op->facts & HONE_VIEW)) return NULL;
  hone_value *inputs[3] = {NULL, product->inputs[1].value, hone_node_in(product, 2)};
  const hone_shape *y = &node->outputs[0]->type.shape;
  const hone_shape *flat = &product->inputs[0].value->type.shape;
  bool fits = flat->rank >= 2 && y->rank >= 2 && inputs[1]->type.shape.rank == 2 &&
              product->outputs[0]->type.shape.dim[flat->rank - 1] == y->dim[y->rank - 1] &&
              (!inputs[2] || inputs[2]->type.shape.rank <= 1) &&
              hone_value_has_one_use(product->outputs[0]);
  if (fits) HONE_TRY(rows_before(node, inner->inputs[0].value, flat, y, &inputs[0]));
  if (!inputs[0]) return NULL;
  HONE_TRY(hone_node_start(node, &hone_op_matmul, inputs, inputs[2] ? 3 : 2, &made));
  HONE_TRY(hone_node_add_sources(made, product));
  hone_copy_attrs(made, product);
  return hone_node_finish(made, to);
}

static hone_status *drop_concat(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  if (node->input_count == 1 && may_become(node, node->inputs[0].value))
    *to = node->inputs[0].value;
  return NULL;
}

/* slice(x) from 0 in steps of 1 to the end of every axis. */
static hone_status *drop_slice(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  int64_t starts[HONE_MAX_RANK], steps[HONE_MAX_RANK];
  size_t count, step_count = 0;
  hone_value *x = node->inputs[0].value;
  if (!hone_same_type(x, node->outputs[0]) || !may_become(node, x)) return NULL;
  if (!hone_constant_ints(hone_node_in(node, 1), starts, HONE_MAX_RANK, &count)) return NULL;
  if (hone_node_in(node, 4) &&
      !hone_constant_ints(hone_node_in(node, 4), steps, HONE_MAX_RANK, &step_count))
    return NULL;
  for (size_t i = 0; i < step_count; i++)
    if (steps[i] != 1) return NULL;
  *to = x; /* same sizes and steps of 1: it starts at 0 */
  return NULL;
}

const hone_simplify_rule hone_view_rules[] = {
    {"drop identity", &hone_op_identity, drop_identity},
    {"drop move to the same shape", NULL, drop_same_shape},
    {"drop views there and back", NULL, return_to_shape},
    {"merge casts", &hone_op_cast, merge_casts},
    {"drop transpose", &hone_op_transpose, drop_transpose},
    {"merge transposes", &hone_op_transpose, merge_transposes},
    {"unwrap product", NULL, unwrap_product},
    {"view to reshape", NULL, view_to_reshape},
    {"merge views", NULL, merge_views},
    {"drop expand", NULL, drop_expand},
    {"lift over expand", NULL, lift_over_expand},
    {"drop concat of one", &hone_op_concat, drop_concat},
    {"drop whole slice", &hone_op_slice, drop_slice},
    {0}};

/* Products by matrices, no view of whose results would meet this one. */
static bool only_products_read(const hone_value *value) {
  for (const hone_use *use = value->uses; use; use = use->next) {
    const hone_node *user = use->user;
    if (!user || user->op != &hone_op_matmul || user->inputs[0].value != value ||
        user->inputs[1].value->type.shape.rank != 2 || hone_node_flag(user, "transpose_a"))
      return false;
    for (const hone_use *next = user->outputs[0]->uses; next; next = next->next)
      if (next->user && (next->user->op->facts & HONE_VIEW)) return false;
  }
  return value->uses != NULL;
}

/* A norm of the last axis alone, whose scale and shift go with that axis. */
static bool is_norm_of_rows(const hone_node *norm) {
  int axis, rank = norm->inputs[0].value->type.shape.rank;
  if ((norm->op != &hone_op_layer_norm && norm->op != &hone_op_rms_norm) ||
      hone_node_out(norm, 1) || hone_node_out(norm, 2) ||
      !hone_axis(hone_node_int(norm, "axis"), rank, &axis) || axis != rank - 1)
    return false;
  for (int i = 1; i < norm->input_count; i++)
    if (norm->inputs[i].value && norm->inputs[i].value->type.shape.rank != 1) return false;
  return true;
}

/* view(norm(x)) = norm(view(x)) where the view leaves the rows: next to a product the norm can become
 * part of it. */
static hone_status *view_before_norm(hone_node *node, context_t *context, hone_value **to) {
  (void)context;
  if (!(node->op->facts & HONE_VIEW)) return NULL;
  hone_value *normed = node->inputs[0].value, *inputs[HONE_MAX_RANK];
  const hone_shape *in = &normed->type.shape, *out = &node->outputs[0]->type.shape;
  hone_node *norm = normed->producer, *made;
  int symbols;
  if (!norm || !hone_used_only_by(normed, node) || in->rank < 1 || out->rank < 1 ||
      !symbols_of(out, &symbols) || symbols > 1 ||
      in->dim[in->rank - 1] != out->dim[out->rank - 1] || !is_norm_of_rows(norm) ||
      norm->input_count > HONE_MAX_RANK || !only_products_read(node->outputs[0]))
    return NULL;
  HONE_TRY(hone_make_reshape(node, norm->inputs[0].value, out, &inputs[0]));
  for (int i = 1; i < norm->input_count; i++) inputs[i] = norm->inputs[i].value;
  HONE_TRY(hone_node_start(node, norm->op, inputs, norm->input_count, &made));
  hone_copy_attrs(made, norm);
  HONE_TRY(hone_node_set_int(made, "axis", -1));
  HONE_TRY(hone_node_add_sources(made, norm));
  return hone_node_finish(made, to);
}

/* Before transposes have met their inverses this would hide them. */
const hone_simplify_rule hone_late_rules[] = {
    {"transpose to view", &hone_op_transpose, transpose_to_view},
    {"view before norm", NULL, view_before_norm},
    {0}};
