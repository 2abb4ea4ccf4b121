/* Following triangles through the few ops by which exporters make causal masks. Room: passes. */
#include "passes/triangle.h"

#include <math.h>
#include <string.h>

#include "ops/pointwise.h"

enum { MOST_VALUES = 32 };   /* that a mask is made of */
enum { MOST_MATRICES = 64 }; /* that a constant repeats */

/* `left`: how many values may still be looked at. */
static bool find(const hone_value *value, int *left, hone_triangle *out);

/* Rows and columns; false where the value is no matrix. */
static bool matrix_of(const hone_value *value, hone_dim *rows, hone_dim *columns) {
  const hone_shape *shape = &value->type.shape;
  if (shape->rank < 2) return false;
  *rows = shape->dim[shape->rank - 2];
  *columns = shape->dim[shape->rank - 1];
  return true;
}

static bool is_flat(const hone_triangle *triangle) {
  return triangle->low == triangle->high;
}

/* Whether places are the same in both: the last two axes are, or it is one number anyhow. */
static bool keeps_places(const hone_value *from, const hone_triangle *triangle,
                         const hone_value *to) {
  hone_dim rows, columns, to_rows, to_columns;
  if (is_flat(triangle)) return true;
  return matrix_of(from, &rows, &columns) && matrix_of(to, &to_rows, &to_columns) &&
         rows == to_rows && columns == to_columns;
}

static bool read_constant(const hone_value *value, hone_triangle *out) {
  hone_dim rows, columns;
  size_t count;
  if (hone_uniform(value, &out->low)) {
    out->high = out->low;
    return true;
  }
  hone_dtype dtype = value->type.dtype;
  hone_dtype_class class = hone_dtype_class_of(dtype);
  if (class != HONE_CLASS_FLOAT && class != HONE_CLASS_BOOLEAN && class != HONE_CLASS_SIGNED &&
      class != HONE_CLASS_UNSIGNED)
    return false;
  if (!hone_shape_count(&value->type.shape, &count) || count == 0 ||
      !matrix_of(value, &rows, &columns) || columns < 2 ||
      count / (size_t)rows / (size_t)columns > MOST_MATRICES)
    return false;
  *out = (hone_triangle){hone_load_real(dtype, value->constant, 0),
                         hone_load_real(dtype, value->constant, 1), rows, columns};
  for (size_t at = 0; at < count; at++) {
    int64_t row = (int64_t)(at / (size_t)columns) % rows, column = (int64_t)(at % (size_t)columns);
    if (hone_load_real(dtype, value->constant, at) != (column > row ? out->high : out->low))
      return false;
  }
  return true;
}

/* Views and expand leave matrices whole where the last two axes stay. */
static bool follow_copy(const hone_node *node, int *left, hone_triangle *out) {
  const hone_value *x = node->inputs[0].value;
  return find(x, left, out) && keeps_places(x, out, node->outputs[0]);
}

/* The size that the first number of `ends` is; 0 where that is not known to be one. */
static hone_dim size_read(const hone_value *ends) {
  int axis;
  const hone_node *shape = ends->producer;
  if (!shape || shape->op != &hone_op_shape) return 0;
  const hone_shape *of = &shape->inputs[0].value->type.shape;
  return of->rank > 0 && hone_axis(hone_node_int(shape, "start"), of->rank, &axis) ? of->dim[axis] : 0;
}

/* A slice from the first row and column on, step by step; along one axis perhaps to a size that is read
 * somewhere. */
static bool follow_slice(const hone_node *node, int *left, hone_triangle *out) {
  double start, step = 1;
  const hone_value *axes = hone_node_in(node, 3), *steps = hone_node_in(node, 4);
  const hone_shape *x = &node->inputs[0].value->type.shape, *y = &node->outputs[0]->type.shape;
  int64_t given;
  size_t count;
  int axis, rank = x->rank;
  if (!find(node->inputs[0].value, left, out)) return false;
  if (is_flat(out)) return true;
  if (!hone_uniform(node->inputs[1].value, &start) || start != 0 ||
      (steps && (!hone_uniform(steps, &step) || step != 1)))
    return false;
  hone_dim end = size_read(node->inputs[2].value);
  if (x->dim[rank - 2] != y->dim[rank - 2]) out->rows = y->dim[rank - 2];
  if (x->dim[rank - 1] != y->dim[rank - 1]) out->columns = y->dim[rank - 1];
  if (end == 0 || !axes || !hone_constant_ints(axes, &given, 1, &count) || count != 1 ||
      !hone_axis(given, rank, &axis))
    return true;
  if (axis == rank - 2) out->rows = end;
  if (axis == rank - 1) out->columns = end;
  return true;
}

/* What is above the diagonal, or not above it, is cut out. */
static bool follow_trilu(const hone_node *node, int *left, hone_triangle *out) {
  double diagonal = 0;
  const hone_value *k = hone_node_in(node, 1);
  bool upper = hone_node_flag(node, "upper");
  if (!find(node->inputs[0].value, left, out) || (k && !hone_uniform(k, &diagonal))) return false;
  if (diagonal != (upper ? 1 : 0)) return false;
  if (is_flat(out)) (void)matrix_of(node->outputs[0], &out->rows, &out->columns);
  *(upper ? &out->low : &out->high) = 0;
  return true;
}

static bool follow_cast(const hone_node *node, int *left, hone_triangle *out) {
  hone_dtype_class class = hone_dtype_class_of(node->outputs[0]->type.dtype);
  if (!find(node->inputs[0].value, left, out)) return false;
  if (class == HONE_CLASS_BOOLEAN) out->low = out->low != 0, out->high = out->high != 0;
  bool small = fabs(out->low) < 128 && fabs(out->high) < 128; /* in any type of numbers */
  return class == HONE_CLASS_BOOLEAN || class == HONE_CLASS_FLOAT || (small && out->low >= 0);
}

/* The first of `count` that has sizes. */
static hone_triangle sized_as(const hone_triangle *of, int count) {
  int i = 0;
  while (i < count - 1 && is_flat(&of[i])) i++;
  return of[i];
}

static bool follow_select(const hone_node *node, int *left, hone_triangle *out) {
  hone_triangle in[3] = {{0}};
  for (int i = 0; i < 3; i++) {
    const hone_value *x = node->inputs[i].value;
    if (!find(x, left, &in[i]) || !keeps_places(x, &in[i], node->outputs[0])) return false;
  }
  *out = sized_as(in, 3);
  out->low = in[in[0].low != 0 ? 1 : 2].low;
  out->high = in[in[0].high != 0 ? 1 : 2].high;
  return true;
}

/* What the node makes of both numbers of its inputs, by its meaning for floats or for truths. */
static bool evaluate(const hone_node *node, const hone_triangle *from, bool real,
                     hone_triangle *out) {
  const hone_pointwise_meaning *meaning = hone_pointwise_meaning_of(node->op);
  hone_block in[3] = {0}, result = {0};
  double attrs[2];
  hone_block_loop *loop = real ? meaning->real : meaning->natural;
  if (!loop) return false;
  for (int i = 0; i < node->input_count; i++) {
    if (real) memcpy(in[i].real, (double[]){from[i].low, from[i].high}, 2 * sizeof(double));
    else
      memcpy(in[i].natural, (uint64_t[]){from[i].low != 0, from[i].high != 0}, 2 * sizeof(uint64_t));
  }
  hone_pointwise_attrs(node, attrs);
  loop(2, &in[0], &in[1], &in[2], attrs, &result);
  *out = sized_as(from, node->input_count);
  out->low = real ? result.real[0] : (double)result.natural[0];
  out->high = real ? result.real[1] : (double)result.natural[1];
  return true;
}

/* ---- Comparisons of positions ------------------------------------------------------------------ */

/* i + offset in row i, or j + offset in column j. */
typedef struct positions {
  bool rows;
  hone_dim size;
  double offset;
} positions;

/* range from a constant on, by 1, through views and sums with constants. */
static bool find_positions(const hone_value *value, int *left, positions *out) {
  double offset = 0, term, step;
  const hone_shape *shape = &value->type.shape;
  int last = shape->rank - 1;
  if (last < 0) return false;
  out->rows = last > 0 && shape->dim[last] == 1;
  out->size = shape->dim[out->rows ? last - 1 : last];
  for (int i = 0; i < last - out->rows; i++)
    if (shape->dim[i] != 1) return false;
  const hone_node *node = value->producer;
  for (; node && (*left)-- > 0; node = node->inputs[0].value->producer) {
    hone_dtype dtype = node->outputs[0]->type.dtype;
    if (dtype != HONE_S64 && dtype != HONE_S32) return false;
    if (node->op == &hone_op_cast || ((node->op->facts & HONE_VIEW) && node->op != &hone_op_bitcast))
      continue;
    if (node->op != &hone_op_add || !hone_uniform(node->inputs[1].value, &term)) break;
    if (!hone_shape_equal(&node->outputs[0]->type.shape, &node->inputs[0].value->type.shape)) break;
    offset += term;
  }
  if (!node || node->op != &hone_op_range || !hone_uniform(node->inputs[0].value, &term) ||
      !hone_uniform(node->inputs[2].value, &step))
    return false;
  out->offset = offset + term;
  return step == 1;
}

/* One of i + a and j + b against the other. `turn` is the difference j - i at which the truth changes:
 * a - b, and 1 more where a column that equals its row counts with those before. */
static bool follow_comparison(const hone_node *node, int *left, hone_triangle *out) {
  positions x, y;
  bool less = node->op == &hone_op_less || node->op == &hone_op_less_equal;
  bool equal = node->op == &hone_op_less_equal || node->op == &hone_op_greater_equal;
  bool greater = node->op == &hone_op_greater || node->op == &hone_op_greater_equal;
  if ((!less && !greater) || !find_positions(node->inputs[0].value, left, &x) ||
      !find_positions(node->inputs[1].value, left, &y) || x.rows == y.rows)
    return false;
  const positions *i = x.rows ? &x : &y, *j = x.rows ? &y : &x;
  bool below = less != x.rows; /* true where columns come first */
  double turn = i->offset - j->offset + (below == equal);
  *out = (hone_triangle){below, !below, i->size, j->size};
  return turn == 1;
}

static bool follow_pointwise(const hone_node *node, int *left, hone_triangle *out) {
  hone_triangle in[3] = {{0}};
  if (!hone_pointwise_meaning_of(node->op) || node->input_count > 3) return false;
  hone_dtype_class class = hone_dtype_class_of(node->inputs[0].value->type.dtype);
  if (class == HONE_CLASS_SIGNED) return follow_comparison(node, left, out);
  if (class != HONE_CLASS_FLOAT && class != HONE_CLASS_BOOLEAN) return false;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *x = node->inputs[i].value;
    if (!x || !find(x, left, &in[i]) || !keeps_places(x, &in[i], node->outputs[0])) return false;
  }
  return evaluate(node, in, class == HONE_CLASS_FLOAT, out);
}

static bool find(const hone_value *value, int *left, hone_triangle *out) {
  const hone_node *node = value->producer;
  if (value->type.kind != HONE_KIND_TENSOR || (*left)-- <= 0) return false;
  if (hone_value_is_constant(value)) return read_constant(value, out);
  if (!node || node->outputs[0] != value) return false;
  if (node->op == &hone_op_slice) return follow_slice(node, left, out);
  if (node->op == &hone_op_trilu) return follow_trilu(node, left, out);
  if (node->op == &hone_op_cast) return follow_cast(node, left, out);
  if (node->op == &hone_op_select) return follow_select(node, left, out);
  bool copies = node->op == &hone_op_expand || node->op == &hone_op_reshape ||
                node->op == &hone_op_squeeze || node->op == &hone_op_unsqueeze;
  return copies ? follow_copy(node, left, out) : follow_pointwise(node, left, out);
}

bool hone_triangle_of(const hone_value *value, hone_triangle *out) {
  int left = MOST_VALUES;
  return find(value, &left, out);
}
