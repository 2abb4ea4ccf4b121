/* einsum as transposes, slices, sums, products and matrix products, two operands at a time from the
 * left. What stays is einsum: a label of unknown size twice in one operand, a label of different
 * sizes that broadcast, and axes to be joined of which more than one is unknown. Room: passes. */
#include <string.h>

#include "ops/einsum.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

/* A set of labels. */
typedef struct labels {
  bool has[HONE_EINSUM_LABELS];
} labels;

/* A value whose axes have labels, and the node before which new ones are made. */
typedef struct operand {
  hone_node *before;
  hone_value *value; /* NULL: it could not be made */
  hone_einsum_term term;
} operand;

static void add_labels(labels *set, const hone_einsum_term *term) {
  for (int i = 0; i < term->rank; i++) set->has[term->label[i]] = true;
}

static bool term_has(const hone_einsum_term *term, int label) {
  for (int i = 0; i < term->rank; i++)
    if (term->label[i] == label) return true;
  return false;
}

/* Whether each label is everywhere of the same size, and of a known one where an operand has it
 * twice. */
static bool is_plain(const hone_node *node, const hone_einsum *e) {
  for (int i = 0; i < e->operands; i++) {
    const hone_shape *shape = &node->inputs[i].value->type.shape;
    for (int k = 0; k < e->in[i].rank; k++) {
      int label = e->in[i].label[k];
      if (shape->dim[k] != e->size[label]) return false;
      for (int j = 0; j < k; j++)
        if (e->in[i].label[j] == label && !hone_dim_known(shape->dim[k])) return false;
    }
  }
  return true;
}

/* ---- One operand ---------------------------------------------------------------------------- */

/* Adds up the axes whose labels are not in `keep`. */
static hone_status *sum_away(operand *x, const labels *keep) {
  int64_t axes[HONE_MAX_RANK];
  size_t count = 0;
  hone_einsum_term left = {.rank = 0};
  for (int i = 0; i < x->term.rank; i++) {
    if (keep->has[x->term.label[i]]) left.label[left.rank++] = x->term.label[i];
    else axes[count++] = i;
  }
  if (count == 0) return NULL;
  hone_node *node;
  hone_value *inputs[2] = {x->value};
  HONE_TRY(hone_graph_ints(x->before->graph, NULL, 1, axes, count, &inputs[1]));
  HONE_TRY(hone_node_start(x->before, &hone_op_reduce, inputs, 2, &node));
  HONE_TRY(hone_node_set_text(node, "kind", "sum"));
  HONE_TRY(hone_node_set_int(node, "keep", 0));
  x->term = left;
  return hone_node_finish(node, &x->value);
}

/* Brings the axes into the order of `term`, which has the same labels. */
static hone_status *reorder(operand *x, const hone_einsum_term *term) {
  int perm[HONE_MAX_RANK] = {0};
  bool same = true;
  for (int i = 0; i < term->rank; i++) {
    for (int k = 0; k < x->term.rank; k++)
      if (x->term.label[k] == term->label[i]) perm[i] = k;
    same = same && perm[i] == i;
  }
  x->term = *term;
  return same ? NULL : hone_make_transpose(x->before, x->value, perm, &x->value);
}

/* The same elements in another shape; no value where that cannot be said. */
static hone_status *reshape(operand *x, const hone_shape *shape) {
  int symbols = 0;
  if (!x->value || hone_shape_equal(&x->value->type.shape, shape)) return NULL;
  for (int i = 0; i < shape->rank; i++) symbols += !hone_dim_known(shape->dim[i]);
  if (symbols > 1) {
    x->value = NULL;
    return NULL;
  }
  return hone_make_reshape(x->before, x->value, shape, &x->value);
}

/* A slice of axis `axis` with a step, from its beginning to its end. */
static hone_status *make_steps(operand *x, int axis, int64_t step) {
  hone_graph *graph = x->before->graph;
  int64_t size = x->value->type.shape.dim[axis], at = axis, zero = 0;
  hone_value *inputs[5] = {x->value};
  HONE_TRY(hone_graph_ints(graph, NULL, 1, &zero, 1, &inputs[1]));
  HONE_TRY(hone_graph_ints(graph, NULL, 1, &size, 1, &inputs[2]));
  HONE_TRY(hone_graph_ints(graph, NULL, 1, &at, 1, &inputs[3]));
  HONE_TRY(hone_graph_ints(graph, NULL, 1, &step, 1, &inputs[4]));
  return hone_make(x->before, &hone_op_slice, inputs, 5, &x->value);
}

/* Axes `first` < `second` of one label become one: the diagonal is every (n + 1)th of n * n. */
static hone_status *take_diagonal(operand *x, int first, int second) {
  hone_shape shape = {.rank = 0};
  hone_einsum_term left = {.rank = 0};
  int perm[HONE_MAX_RANK], count = 0;
  for (int i = 0; i < x->term.rank; i++) {
    if (i == second) continue;
    left.label[left.rank++] = x->term.label[i];
    perm[count++] = i;
    if (i == first) perm[count++] = second;
  }
  int64_t size = x->value->type.shape.dim[first];
  if (second != first + 1) HONE_TRY(hone_make_transpose(x->before, x->value, perm, &x->value));
  const hone_shape *turned = &x->value->type.shape;
  for (int i = 0; i < turned->rank; i++)
    if (i != first + 1) shape.dim[shape.rank++] = turned->dim[i];
  x->term = left;
  if (!hone_mul_s64(size, size, &shape.dim[first])) x->value = NULL;
  HONE_TRY(reshape(x, &shape));
  return x->value ? make_steps(x, first, size + 1) : NULL;
}

/* Each label once. */
static hone_status *take_diagonals(operand *x) {
  for (int i = 1; x->value && i < x->term.rank; i++)
    for (int j = 0; x->value && j < i && i < x->term.rank; j++)
      if (x->term.label[i] == x->term.label[j]) {
        HONE_TRY(take_diagonal(x, j, i));
        j = -1; /* another axis is in its place */
      }
  return NULL;
}

/* ---- Two operands --------------------------------------------------------------------------- */

enum { BATCH, ROW, SUM, COLUMN, ROLES };

/* The labels of a product of two, by what they do. */
typedef struct roles {
  const hone_einsum *e;
  hone_einsum_term of[ROLES];
} roles;

static roles roles_of(const hone_einsum *e, const hone_einsum_term *a, const hone_einsum_term *b,
                      const labels *later) {
  roles r = {.e = e};
  for (int i = 0; i < a->rank; i++) {
    int label = a->label[i], role = !term_has(b, label) ? ROW : later->has[label] ? BATCH : SUM;
    r.of[role].label[r.of[role].rank++] = label;
  }
  for (int i = 0; i < b->rank; i++)
    if (!term_has(a, b->label[i])) r.of[COLUMN].label[r.of[COLUMN].rank++] = b->label[i];
  return r;
}

static hone_einsum_term join(const roles *r, int first, int second, int third) {
  const int order[] = {first, second, third};
  hone_einsum_term all = {.rank = 0};
  for (int i = 0; i < 3; i++)
    for (int k = 0; order[i] != ROLES && k < r->of[order[i]].rank; k++)
      all.label[all.rank++] = r->of[order[i]].label[k];
  return all;
}

/* The product of the sizes of a role; false where it cannot be said. */
static bool joined_size(const roles *r, int role, hone_dim *out) {
  const hone_einsum_term *term = &r->of[role];
  *out = 1;
  for (int i = 0; i < term->rank; i++) {
    hone_dim size = r->e->size[term->label[i]];
    if (hone_dim_known(size) && hone_dim_known(*out)) {
      if (!hone_mul_s64(*out, size, out)) return false;
    } else if (i == 0) {
      *out = size;
    } else {
      return false;
    }
  }
  return true;
}

/* The shape [batch…, joined first, joined second]. */
static bool matrix_shape(const roles *r, int first, int second, hone_shape *out) {
  out->rank = 0;
  for (int i = 0; i < r->of[BATCH].rank; i++)
    out->dim[out->rank++] = r->e->size[r->of[BATCH].label[i]];
  return joined_size(r, first, &out->dim[out->rank++]) &&
         joined_size(r, second, &out->dim[out->rank++]);
}

/* The operand's axes as [batch…, first, second] matrices. */
static hone_status *as_matrices(operand *x, const roles *r, int first, int second) {
  hone_einsum_term order = join(r, BATCH, first, second);
  hone_shape shape;
  HONE_TRY(reorder(x, &order));
  if (r->of[BATCH].rank + 2 > HONE_MAX_RANK || !matrix_shape(r, first, second, &shape)) {
    x->value = NULL;
    return NULL;
  }
  return reshape(x, &shape);
}

static hone_status *multiply_matrices(operand *a, operand *b, const roles *r) {
  HONE_TRY(as_matrices(a, r, ROW, SUM));
  HONE_TRY(as_matrices(b, r, SUM, COLUMN));
  if (!a->value || !b->value) {
    a->value = NULL;
    return NULL;
  }
  hone_value *inputs[2] = {a->value, b->value};
  hone_shape whole = {.rank = 0};
  a->term = join(r, BATCH, ROW, COLUMN);
  for (int i = 0; i < a->term.rank; i++) whole.dim[whole.rank++] = r->e->size[a->term.label[i]];
  HONE_TRY(hone_make(a->before, &hone_op_matmul, inputs, 2, &a->value));
  return reshape(a, &whole);
}

/* The operand's axes as [batch…, row…, column…], those that it has not of size 1. */
static hone_status *spread(operand *x, const roles *r, int own) {
  hone_einsum_term order = join(r, BATCH, own, ROLES), all = join(r, BATCH, ROW, COLUMN);
  int64_t axes[HONE_MAX_RANK];
  size_t count = 0;
  HONE_TRY(reorder(x, &order));
  for (int i = 0; i < all.rank; i++)
    if (!term_has(&order, all.label[i])) axes[count++] = i;
  x->term = all;
  if (count == 0) return NULL;
  hone_value *inputs[2] = {x->value};
  HONE_TRY(hone_graph_ints(x->before->graph, NULL, 1, axes, count, &inputs[1]));
  return hone_make(x->before, &hone_op_unsqueeze, inputs, 2, &x->value);
}

/* Dot products one by one, as products of elements and their sums. */
static hone_status *multiply_and_sum(operand *a, operand *b, const roles *r, const labels *later) {
  hone_einsum_term order = join(r, BATCH, SUM, ROLES);
  HONE_TRY(reorder(a, &order));
  HONE_TRY(reorder(b, &order));
  hone_value *inputs[2] = {a->value, b->value};
  HONE_TRY(hone_make(a->before, &hone_op_mul, inputs, 2, &a->value));
  return sum_away(a, later);
}

/* a becomes the product of both, the labels that nobody needs later added up. */
static hone_status *multiply(operand *a, operand *b, const hone_einsum *e, const labels *later) {
  labels of_a = *later, of_b = *later;
  add_labels(&of_a, &b->term);
  add_labels(&of_b, &a->term);
  HONE_TRY(sum_away(a, &of_a));
  HONE_TRY(sum_away(b, &of_b));
  roles r = roles_of(e, &a->term, &b->term, later);
  if (r.of[BATCH].rank + r.of[ROW].rank + r.of[COLUMN].rank > HONE_MAX_RANK) {
    a->value = NULL;
    return NULL;
  }
  bool dots = r.of[BATCH].rank && !r.of[ROW].rank && !r.of[COLUMN].rank;
  if (dots && r.of[SUM].rank) return multiply_and_sum(a, b, &r, later);
  if (r.of[SUM].rank) return multiply_matrices(a, b, &r);
  HONE_TRY(spread(a, &r, ROW));
  HONE_TRY(spread(b, &r, COLUMN));
  hone_value *inputs[2] = {a->value, b->value};
  return hone_make(a->before, &hone_op_mul, inputs, 2, &a->value);
}

static hone_status *lower_node(hone_node *node, hone_pass_context *context) {
  const hone_shape *shapes[HONE_EINSUM_OPERANDS];
  hone_einsum e;
  if (node->op != &hone_op_einsum || node->input_count > HONE_EINSUM_OPERANDS) return NULL;
  for (int i = 0; i < node->input_count; i++) {
    shapes[i] = &node->inputs[i].value->type.shape;
    if (shapes[i]->rank < 0) return NULL;
  }
  HONE_TRY(hone_einsum_read(node, node->input_count, shapes, &e));
  if (!is_plain(node, &e)) return NULL;
  operand all = {node, node->inputs[0].value, e.in[0]};
  HONE_TRY(take_diagonals(&all));
  for (int i = 1; i < e.operands && all.value; i++) {
    operand next = {node, node->inputs[i].value, e.in[i]};
    HONE_TRY(take_diagonals(&next));
    if (!next.value) return NULL;
    labels later = {{false}};
    add_labels(&later, &e.out);
    for (int k = i + 1; k < e.operands; k++) add_labels(&later, &e.in[k]);
    HONE_TRY(multiply(&all, &next, &e, &later));
  }
  if (!all.value) return NULL; /* what was made so far is unused */
  labels kept = {{false}};
  add_labels(&kept, &e.out);
  HONE_TRY(sum_away(&all, &kept));
  HONE_TRY(reorder(&all, &e.out));
  hone_pass_fired(context, "einsum as products");
  return hone_substitute(node, 0, all.value);
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  return hone_each_node(graph, context, lower_node);
}

const hone_pass hone_pass_lower_einsum = {"lower_einsum", run};
