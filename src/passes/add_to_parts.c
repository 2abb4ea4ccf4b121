/* A constant that is added to joined parts, as positions are to a class token and the patches of a
 * picture, is added to each part instead: to constants it is folded, and a product takes it in as
 * it finishes. Only where that leaves no more sums than there were. Room: passes. */
#include "passes/passes.h"
#include "passes/reading.h"

enum { MOST_PARTS = 16 };

typedef struct joined {
  hone_node *concat;
  hone_value *constant;
  int axis;     /* of the result, */
  int own_axis; /* and of the constant */
} joined;

/* A concat that only the sum reads, and a constant that has a number for each place along its axis.
 */
static bool find_joined(const hone_node *add, int index, joined *j) {
  hone_value *whole = add->inputs[index].value, *constant = add->inputs[1 - index].value;
  hone_node *concat = whole->producer;
  const hone_shape *y = &whole->type.shape, *c = &constant->type.shape;
  if (!concat || concat->op != &hone_op_concat || !hone_value_is_constant(constant) ||
      !hone_used_only_by(whole, add) || !hone_same_type(whole, add->outputs[0]) ||
      !hone_is_float(whole) || concat->input_count > MOST_PARTS ||
      !hone_axis(hone_node_int(concat, "axis"), y->rank, &j->axis))
    return false;
  j->concat = concat;
  j->constant = constant;
  j->own_axis = j->axis - (y->rank - c->rank);
  return j->own_axis >= 0 && c->dim[j->own_axis] > 1 && c->dim[j->own_axis] == y->dim[j->axis];
}

/* Whether the sum of a constant and one part of the other, which is a constant but for being
 * repeated, is no larger than that part. */
static hone_node *repeats(const joined *j, const hone_value *part) {
  hone_node *expand = part->producer;
  if (!expand || expand->op != &hone_op_expand || !hone_value_has_one_use(part) ||
      !hone_value_is_constant(expand->inputs[0].value))
    return NULL;
  const hone_shape *x = &expand->inputs[0].value->type.shape, *c = &j->constant->type.shape;
  if (x->rank < c->rank || x->rank != part->type.shape.rank) return NULL;
  for (int i = 0; i < c->rank; i++) {
    hone_dim own = x->dim[x->rank - c->rank + i];
    hone_dim more = i == j->own_axis ? part->type.shape.dim[j->axis] : c->dim[i];
    if (more != 1 && more != own) return NULL;
  }
  return expand;
}

/* A product with a matrix of weights, behind views at most, that nothing else reads. */
static bool is_product(const hone_value *part) {
  while (hone_value_has_one_use(part) && part->producer && (part->producer->op->facts & HONE_VIEW))
    part = part->producer->inputs[0].value;
  const hone_node *node = part->producer;
  return node && node->op == &hone_op_matmul && hone_value_has_one_use(part) &&
         hone_value_is_constant(node->inputs[1].value);
}

static bool is_worth(const joined *j) {
  int sums = 0, saved = 0;
  for (int i = 0; i < j->concat->input_count; i++) {
    const hone_value *part = j->concat->inputs[i].value;
    if (!hone_dim_known(part->type.shape.dim[j->axis])) return false;
    bool free = part->constant || repeats(j, part) || is_product(part);
    sums += !free;
    saved += free;
  }
  return saved > 0 && sums <= 1;
}

/* The constant's numbers for the places from `at` on, added to the part. */
static hone_status *add_part(hone_node *add, const joined *j, int64_t at, hone_value *part,
                             hone_value **out) {
  hone_node *expand = repeats(j, part);
  hone_value *in[2] = {expand ? expand->inputs[0].value : part};
  int64_t size = part->type.shape.dim[j->axis];
  HONE_TRY(hone_make_slice(add, j->constant, j->own_axis, at, at + size, &in[1]));
  HONE_TRY(hone_make(add, &hone_op_add, in, 2, out));
  if (!expand) return NULL;
  HONE_TRY(
      hone_make(add, &hone_op_expand, (hone_value *[]){*out, expand->inputs[1].value}, 2, out));
  (*out)->type.shape = part->type.shape;
  return hone_node_add_sources((*out)->producer, expand);
}

static hone_status *add_parts(hone_node *add, const joined *j) {
  hone_value *parts[MOST_PARTS], *y;
  hone_node *concat;
  int64_t at = 0;
  for (int i = 0; i < j->concat->input_count; i++) {
    hone_value *part = j->concat->inputs[i].value;
    HONE_TRY(add_part(add, j, at, part, &parts[i]));
    at += part->type.shape.dim[j->axis];
  }
  HONE_TRY(hone_node_start(add, &hone_op_concat, parts, j->concat->input_count, &concat));
  HONE_TRY(hone_node_add_sources(concat, j->concat));
  HONE_TRY(hone_node_set_int(concat, "axis", j->axis));
  HONE_TRY(hone_node_finish(concat, &y));
  y->type.shape = add->outputs[0]->type.shape;
  return hone_substitute(add, 0, y);
}

static hone_status *split(hone_node *node, hone_pass_context *context) {
  joined j;
  if (node->op != &hone_op_add) return NULL;
  for (int i = 0; i < 2; i++) {
    if (!find_joined(node, i, &j) || !is_worth(&j)) continue;
    hone_pass_fired(context, "add to parts");
    return add_parts(node, &j);
  }
  return NULL;
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  return hone_each_node(graph, context, split);
}

const hone_pass hone_pass_add_to_parts = {"add_to_parts", run};
