/* What is known of a shape tensor before its elements are. Room: ops.
 *
 * Exported models compute shapes with nodes: shape -> gather -> concat -> reshape. Following them
 * back keeps the names of unknown dimensions through such code, without folding anything.
 */
#include "ops/dims.h"

#include <string.h>

#include "ops/ops.h"

/* Bounds on following nodes back, which a model could make deep or branching. */
enum { MAX_DEPTH = 24, MAX_STEPS = 512 };

typedef struct effort {
  int depth, steps;
} effort;

typedef struct ints {
  size_t count;
  hone_known_int at[HONE_MAX_TRACED];
} ints;

static bool trace(const hone_value *value, effort *left, ints *out);

static hone_known_int number(int64_t value) {
  return (hone_known_int){HONE_INT_NUMBER, value};
}

static hone_known_int from_dim(hone_dim dim) {
  return (hone_known_int){hone_dim_known(dim) ? HONE_INT_NUMBER : HONE_INT_SYMBOL, dim};
}

static bool from_datum(const hone_datum *value, ints *out) {
  size_t count = hone_datum_count(value);
  if (count > HONE_MAX_TRACED || value->shape.rank > 1) return false;
  out->count = count;
  for (size_t i = 0; i < count; i++)
    out->at[i] = number(hone_load_int(value->dtype, value->data, i));
  return true;
}

/* shape(x), cut to [start, end) as the op's attributes say. */
static bool trace_shape(const hone_node *node, ints *out) {
  const hone_shape *shape = &node->inputs[0].value->type.shape;
  if (shape->rank < 0) return false;
  int64_t start = hone_node_int(node, "start"), end = hone_node_int(node, "end");
  if (start < 0) start += shape->rank;
  if (end < 0) end += shape->rank;
  start = start < 0 ? 0 : start;
  end = end > shape->rank ? shape->rank : end;
  for (out->count = 0; start < end; start++) out->at[out->count++] = from_dim(shape->dim[start]);
  return true;
}

static bool trace_concat(const hone_node *node, effort *left, ints *out) {
  out->count = 0;
  for (int i = 0; i < node->input_count; i++) {
    ints part;
    if (!trace(node->inputs[i].value, left, &part)) return false;
    if (part.count > HONE_MAX_TRACED - out->count) return false;
    memcpy(out->at + out->count, part.at, part.count * sizeof part.at[0]);
    out->count += part.count;
  }
  return true;
}

static bool trace_gather(const hone_node *node, effort *left, ints *out) {
  ints from, index;
  if (!trace(node->inputs[0].value, left, &from) || !trace(node->inputs[1].value, left, &index))
    return false;
  out->count = index.count;
  for (size_t i = 0; i < index.count; i++) {
    int64_t at = index.at[i].value;
    if (index.at[i].kind != HONE_INT_NUMBER) return false;
    if (at < 0) at += (int64_t)from.count;
    if (at < 0 || at >= (int64_t)from.count) return false;
    out->at[i] = from.at[at];
  }
  return true;
}

/* A slice of a 1-D tensor forwards by steps of 1. */
static bool trace_slice(const hone_node *node, effort *left, ints *out) {
  ints from, bound[2], step;
  if (!trace(node->inputs[0].value, left, &from)) return false;
  const hone_value *steps = hone_node_in(node, 4);
  if (steps && (!trace(steps, left, &step) || step.count != 1 || step.at[0].value != 1))
    return false;
  int64_t size = (int64_t)from.count, at[2];
  for (int i = 0; i < 2; i++) {
    if (!trace(node->inputs[1 + i].value, left, &bound[i]) || bound[i].count != 1 ||
        bound[i].at[0].kind != HONE_INT_NUMBER)
      return false;
    at[i] = bound[i].at[0].value;
    if (at[i] < 0) at[i] += size;
    at[i] = at[i] < 0 ? 0 : at[i] > size ? size : at[i];
  }
  out->count = 0;
  for (int64_t i = at[0]; i < at[1]; i++) out->at[out->count++] = from.at[i];
  return true;
}

/* One step of add, sub, mul or div where it can be told. */
static hone_known_int compute(const hone_op *op, hone_known_int a, hone_known_int b) {
  hone_known_int none = {HONE_INT_UNKNOWN, 0};
  int64_t value;
  if (b.kind == HONE_INT_NUMBER) {
    bool neutral = (op == &hone_op_mul || op == &hone_op_div) ? b.value == 1 : b.value == 0;
    if (neutral) return a;
  }
  if (a.kind == HONE_INT_NUMBER && a.value == (op == &hone_op_mul ? 1 : 0) &&
      (op == &hone_op_mul || op == &hone_op_add))
    return b;
  if (a.kind == HONE_INT_SYMBOL && b.kind == HONE_INT_SYMBOL && a.value == b.value &&
      op == &hone_op_sub)
    return number(0);
  if (a.kind != HONE_INT_NUMBER || b.kind != HONE_INT_NUMBER) return none;
  if (op == &hone_op_add) return hone_add_s64(a.value, b.value, &value) ? number(value) : none;
  if (op == &hone_op_mul) return hone_mul_s64(a.value, b.value, &value) ? number(value) : none;
  if (op == &hone_op_sub)
    return !__builtin_sub_overflow(a.value, b.value, &value) ? number(value) : none;
  return b.value > 0 ? number(a.value / b.value) : none;
}

static bool trace_arithmetic(const hone_node *node, effort *left, ints *out) {
  ints a, b;
  if (!trace(node->inputs[0].value, left, &a) || !trace(node->inputs[1].value, left, &b))
    return false;
  if (a.count != b.count && a.count != 1 && b.count != 1) return false;
  out->count = a.count == 1 ? b.count : a.count;
  for (size_t i = 0; i < out->count; i++)
    out->at[i] = compute(node->op, a.at[a.count == 1 ? 0 : i], b.at[b.count == 1 ? 0 : i]);
  return true;
}

/* Elements that keep their place: views of at most one axis, casts between integers. */
static bool is_passage(const hone_node *node) {
  const hone_type *from = &node->inputs[0].value->type, *to = &node->outputs[0]->type;
  bool whole = hone_dtype_class_of(from->dtype) == HONE_CLASS_SIGNED &&
               hone_dtype_class_of(to->dtype) == HONE_CLASS_SIGNED;
  return whole && ((node->op->facts & HONE_VIEW) || node->op == &hone_op_cast);
}

static bool trace_value(const hone_value *value, effort *left, ints *out) {
  if (value->constant && !hone_value_is_absent(value)) {
    hone_datum datum = hone_value_datum(value);
    return from_datum(&datum, out);
  }
  const hone_node *node = value->producer;
  if (!node || !node->input_count || !node->inputs[0].value || value->index != 0) return false;
  if (node->op == &hone_op_shape) return trace_shape(node, out);
  if (value->type.shape.rank > 1) return false;
  if (node->op == &hone_op_concat) return trace_concat(node, left, out);
  if (node->op == &hone_op_gather) return trace_gather(node, left, out);
  if (node->op == &hone_op_slice) return trace_slice(node, left, out);
  if (is_passage(node)) return trace(node->inputs[0].value, left, out);
  if (node->op == &hone_op_add || node->op == &hone_op_sub || node->op == &hone_op_mul ||
      node->op == &hone_op_div)
    return trace_arithmetic(node, left, out);
  return false;
}

static bool trace(const hone_value *value, effort *left, ints *out) {
  if (!value || value->type.kind != HONE_KIND_TENSOR) return false;
  if (left->depth >= MAX_DEPTH || left->steps++ >= MAX_STEPS) return false;
  left->depth++;
  bool found = trace_value(value, left, out);
  left->depth--;
  return found;
}

bool hone_infer_partial(const hone_infer *infer, int index, hone_known_int *out, size_t *count) {
  ints found;
  effort left = {0, 0};
  const hone_datum *value = index < infer->input_count ? infer->value[index] : NULL;
  const hone_type *type = index < infer->input_count ? infer->in[index] : NULL;
  if (value && value->data && value->kind == HONE_KIND_TENSOR) {
    if (!from_datum(value, &found)) return false;
  } else if (!infer->graph || !trace(hone_node_in(infer->node, index), &left, &found)) {
    /* Not the elements, but perhaps how many there are. */
    if (!type || type->shape.rank != 1 || !hone_dim_known(type->shape.dim[0]) ||
        type->shape.dim[0] > HONE_MAX_TRACED)
      return false;
    found = (ints){.count = (size_t)type->shape.dim[0]};
  }
  *count = found.count;
  memcpy(out, found.at, found.count * sizeof *out);
  return true;
}

bool hone_known_dim(hone_infer *infer, hone_known_int from, hone_dim *out) {
  if (from.kind == HONE_INT_UNKNOWN) return *out = hone_infer_fresh(infer), true;
  *out = from.value;
  return from.kind == HONE_INT_SYMBOL || from.value >= 0;
}

hone_shape hone_shape_fresh(hone_infer *infer, int rank) {
  hone_shape shape = {.rank = rank};
  for (int i = 0; i < rank; i++) shape.dim[i] = hone_infer_fresh(infer);
  return shape;
}
