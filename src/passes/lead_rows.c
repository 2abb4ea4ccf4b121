/* Constant rows before those of a product, as a class token stands before the patches of a picture: a
 * row of zeros times a matrix is zeros, so the product is made with rows of zeros before its own, and
 * the constants come with the positions that are added to its rows anyway. Rows of zeros before others
 * are the padding of a convolution by one tap, which brings none of them from anywhere. That saves
 * whatever repeats the constants for each picture, and the copies that put rows behind rows.
 *
 * For a device whose values have 16 bits, or that multiplies in TF32: there kernels of few
 * microseconds are as long as what lies between them, and a convolution of one tap has all kernels that
 * a product has. Room: passes. */
#include "passes/passes.h"
#include "passes/rewrite.h"

enum { X, MATRIX, BIAS, EIGHT = 8 };

/* y = concat(rows of `lead`, product + positions) along the rows of [n, rows, columns]. */
typedef struct lead {
  hone_value *constants; /* [1, count, columns] */
  hone_node *sum, *product;
  hone_value *positions; /* [rows, columns], perhaps behind an axis of 1 */
  int64_t count, rows, columns, depth;
} lead;

/* Constant, or a constant that is repeated for each picture. */
static bool find_constants(hone_value *first, const hone_shape *y, lead *l) {
  const hone_node *maker = first->producer;
  bool repeats = maker && maker->op == &hone_op_expand;
  l->constants = repeats ? maker->inputs[0].value : first;
  const hone_shape *shape = &l->constants->type.shape;
  return hone_value_is_constant(l->constants) && shape->rank == 3 && shape->dim[0] == 1 &&
         shape->dim[1] == l->count && shape->dim[2] == l->columns && (repeats || y->dim[0] == 1);
}

static bool are_positions(const hone_value *value, const lead *l) {
  const hone_shape *shape = &value->type.shape;
  int rank = shape->rank;
  return hone_value_is_constant(value) && (rank == 2 || (rank == 3 && shape->dim[0] == 1)) &&
         shape->dim[rank - 2] == l->rows && shape->dim[rank - 1] == l->columns;
}

/* A product by a matrix of weights whose rows are picture by picture, behind views. */
static bool find_product(hone_value *value, const hone_shape *y, lead *l) {
  while (hone_value_has_one_use(value) && value->producer && (value->producer->op->facts & HONE_VIEW))
    value = value->producer->inputs[0].value;
  hone_node *node = l->product = value->producer;
  if (!node || node->op != &hone_op_matmul || !hone_value_has_one_use(value)) return false;
  const hone_value *bias = hone_node_in(node, BIAS), *matrix = node->inputs[MATRIX].value;
  const hone_shape *x = &node->inputs[X].value->type.shape;
  if (!hone_value_is_constant(matrix) || matrix->type.shape.rank != 2 || x->rank < 3 ||
      hone_node_flag(node, "transpose_a") || hone_node_flag(node, "transpose_b") ||
      hone_node_real(node, "alpha") != 1 || (bias && !hone_value_is_constant(bias)) ||
      (bias && bias->type.shape.rank > 1) || x->dim[0] != y->dim[0])
    return false;
  l->depth = matrix->type.shape.dim[0];
  for (int i = 1; i + 1 < x->rank; i++)
    if (!hone_dim_known(x->dim[i])) return false;
  return (int64_t)hone_shape_span(x, 1, x->rank - 1) == l->rows && l->depth % EIGHT == 0 &&
         l->columns % EIGHT == 0;
}

static bool find_lead(hone_node *concat, lead *l) {
  int axis;
  if (concat->op != &hone_op_concat || concat->input_count != 2) return false;
  const hone_value *y = concat->outputs[0], *sum = concat->inputs[1].value;
  const hone_shape *all = &y->type.shape, *own = &sum->type.shape;
  if (y->type.dtype != HONE_F32 || all->rank != 3 || own->rank != 3 ||
      !hone_axis(hone_node_int(concat, "axis"), 3, &axis) || axis != 1 ||
      !hone_dim_known(all->dim[1]) || !hone_dim_known(own->dim[1]) || !hone_dim_known(all->dim[2]) ||
      own->dim[0] != all->dim[0] || !hone_used_only_by(sum, concat) || !sum->producer ||
      sum->producer->op != &hone_op_add)
    return false;
  *l = (lead){.sum = sum->producer, .rows = own->dim[1], .columns = all->dim[2]};
  l->count = all->dim[1] - l->rows;
  if (!find_constants(concat->inputs[0].value, all, l)) return false;
  for (int i = 0; i < 2; i++) {
    l->positions = l->sum->inputs[i].value;
    if (are_positions(l->positions, l) && find_product(l->sum->inputs[1 - i].value, all, l))
      return true;
  }
  return false;
}

/* [1, count + rows, 1, columns]: the constants, then positions and bias. */
static hone_status *make_addend(hone_node *from, const lead *l, hone_value **out) {
  hone_shape own = {.rank = 3, .dim = {1, l->rows, l->columns}},
             all = {.rank = 4, .dim = {1, l->count + l->rows, 1, l->columns}};
  hone_value *bias = hone_node_in(l->product, BIAS), *parts[2] = {l->constants};
  hone_node *concat;
  HONE_TRY(hone_make_reshape(from, l->positions, &own, &parts[1]));
  if (bias) HONE_TRY(hone_make(from, &hone_op_add, (hone_value *[]){parts[1], bias}, 2, &parts[1]));
  HONE_TRY(hone_node_start(from, &hone_op_concat, parts, 2, &concat));
  HONE_TRY(hone_node_set_int(concat, "axis", 1));
  HONE_TRY(hone_node_finish(concat, out));
  return hone_make_reshape(from, *out, &all, out);
}

/* [n, count + rows, 1, columns], of which the first rows are zeros. */
static hone_status *make_product(hone_node *from, const lead *l, hone_dim pictures, hone_value **out) {
  hone_shape x = {.rank = 4, .dim = {pictures, l->rows, 1, l->depth}},
             filters = {.rank = 4, .dim = {1, 1, l->depth, l->columns}};
  const int64_t pads[] = {l->count, 0, 0, 0};
  hone_value *in[2];
  hone_node *conv;
  HONE_TRY(hone_make_reshape(from, l->product->inputs[X].value, &x, &in[0]));
  HONE_TRY(hone_make_reshape(from, l->product->inputs[MATRIX].value, &filters, &in[1]));
  HONE_TRY(hone_node_start(from, &hone_op_conv, in, 2, &conv));
  HONE_TRY(hone_node_set_ints(conv, "pads", pads, sizeof pads / sizeof *pads));
  HONE_TRY(hone_node_add_sources(conv, l->product));
  return hone_node_finish(conv, out);
}

static hone_status *put_before(hone_node *concat, hone_pass_context *context) {
  lead l;
  if (!find_lead(concat, &l) || hone_pass_keeps_f32(context, l.product) ||
      !context->takes(l.product))
    return NULL;
  const hone_shape *y = &concat->outputs[0]->type.shape;
  hone_value *parts[2], *out;
  HONE_TRY(make_product(concat, &l, y->dim[0], &parts[0]));
  HONE_TRY(make_addend(concat, &l, &parts[1]));
  HONE_TRY(hone_make(concat, &hone_op_add, parts, 2, &out));
  HONE_TRY(hone_node_add_sources(out->producer, l.sum));
  HONE_TRY(hone_make_reshape(concat, out, y, &out));
  hone_pass_fired(context, "constant rows into a product");
  return hone_substitute(concat, 0, out);
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  bool narrow = context->compute == HONE_F16 || context->compute == HONE_BF16;
  if (!context->takes || context->strict || (!narrow && !context->tf32)) return NULL;
  return hone_each_node(graph, context, put_before);
}

const hone_pass hone_pass_lead_rows = {"lead_rows", run};
