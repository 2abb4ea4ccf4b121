/* Shape arithmetic with symbols: shape, gather, concat, slice, sums and products of sizes.
 * Room: passes. */
#include "passes/partial.h"

#include <string.h>

static const hone_item unknown = {HONE_ITEM_UNKNOWN, 0};
static hone_item whole(int64_t value) { return (hone_item){HONE_ITEM_INT, value}; }
static hone_item of_dim(hone_dim dim) {
  return (hone_item){hone_dim_known(dim) ? HONE_ITEM_INT : HONE_ITEM_SYMBOL, dim};
}
static bool is_int(hone_item item, int64_t value) {
  return item.kind == HONE_ITEM_INT && item.value == value;
}
static bool same(hone_item a, hone_item b) {
  return a.kind != HONE_ITEM_UNKNOWN && a.kind == b.kind && a.value == b.value;
}

bool hone_partial_is_known(const hone_partial *partial) {
  for (size_t i = 0; i < partial->count; i++)
    if (partial->items[i].kind != HONE_ITEM_INT) return false;
  return true;
}

/* Integer and bool tensors of rank 0 or 1 with few elements are followed. */
static bool is_small(const hone_type *type, size_t *count) {
  hone_dtype_class class = hone_dtype_class_of(type->dtype);
  if (type->kind != HONE_KIND_TENSOR || type->shape.rank < 0 || type->shape.rank > 1) return false;
  if (class != HONE_CLASS_SIGNED && class != HONE_CLASS_UNSIGNED && class != HONE_CLASS_BOOLEAN)
    return false;
  return hone_shape_count(&type->shape, count) && *count <= HONE_PARTIAL_ROOM;
}

static hone_partial *slot(hone_partials *partials, const hone_value *value) {
  if (value->id >= partials->room) {
    size_t room = (size_t)value->id * 2 + 64;
    hone_partial **known = HONE_NEW_ARRAY(&partials->arena, room, hone_partial *);
    partials->failed |= !known;
    if (!known) return NULL;
    if (partials->room) memcpy(known, partials->known, partials->room * sizeof *known);
    partials->known = known;
    partials->room = room;
  }
  if (!partials->known[value->id])
    partials->known[value->id] = HONE_NEW(&partials->arena, hone_partial);
  partials->failed |= !partials->known[value->id];
  return partials->known[value->id];
}

const hone_partial *hone_partial_of(hone_partials *partials, const hone_value *value) {
  size_t count;
  if (!value) return NULL;
  if (value->id < partials->room && partials->known[value->id]) return partials->known[value->id];
  if (!value->constant || !is_small(&value->type, &count)) return NULL;
  hone_partial *partial = slot(partials, value);
  if (!partial) return NULL;
  partial->count = count;
  for (size_t i = 0; i < count; i++)
    partial->items[i] = whole(hone_load_int(value->type.dtype, value->constant, i));
  return partial;
}

/* One element of a pointwise op. A size is at least 0, which decides some comparisons. */
static hone_item combine(const hone_op *op, hone_item a, hone_item b) {
  bool ints = a.kind == HONE_ITEM_INT && b.kind == HONE_ITEM_INT;
  int64_t value = 0;
  if (op == &hone_op_add) {
    if (is_int(a, 0)) return b;
    if (is_int(b, 0)) return a;
    return ints && hone_add_s64(a.value, b.value, &value) ? whole(value) : unknown;
  }
  if (op == &hone_op_sub) {
    if (is_int(b, 0)) return a;
    if (same(a, b)) return whole(0);
    return ints && !__builtin_sub_overflow(a.value, b.value, &value) ? whole(value) : unknown;
  }
  if (op == &hone_op_mul) {
    if (is_int(a, 1)) return b;
    if (is_int(b, 1)) return a;
    return ints && hone_mul_s64(a.value, b.value, &value) ? whole(value) : unknown;
  }
  if (op == &hone_op_div) {
    if (is_int(b, 1)) return a;
    return ints && b.value > 0 ? whole(a.value / b.value) : unknown;
  }
  if (op == &hone_op_equal) {
    bool differ = (a.kind == HONE_ITEM_SYMBOL && b.kind == HONE_ITEM_INT && b.value < 0) ||
                  (b.kind == HONE_ITEM_SYMBOL && a.kind == HONE_ITEM_INT && a.value < 0);
    if (same(a, b)) return whole(1);
    return ints || differ ? whole(0) : unknown;
  }
  if (same(a, b)) return op == &hone_op_min || op == &hone_op_max ? a : unknown;
  if (!ints) return unknown;
  if (op == &hone_op_min) return a.value < b.value ? a : b;
  if (op == &hone_op_max) return a.value > b.value ? a : b;
  if (op == &hone_op_less) return whole(a.value < b.value);
  if (op == &hone_op_greater) return whole(a.value > b.value);
  return unknown;
}

/* Element `index` of an input that may be one element for all. */
static hone_item item_at(const hone_partial *partial, size_t index) {
  return partial ? partial->items[partial->count == 1 ? 0 : index] : unknown;
}

static void do_binary(hone_partials *partials, const hone_node *node, hone_partial *out) {
  const hone_partial *a = hone_partial_of(partials, hone_node_in(node, 0));
  const hone_partial *b = hone_partial_of(partials, hone_node_in(node, 1));
  for (size_t i = 0; i < out->count; i++)
    out->items[i] = combine(node->op, item_at(a, i), item_at(b, i));
}

static void do_select(hone_partials *partials, const hone_node *node, hone_partial *out) {
  const hone_partial *in[3];
  for (int i = 0; i < 3; i++) in[i] = hone_partial_of(partials, hone_node_in(node, i));
  for (size_t i = 0; i < out->count; i++) {
    hone_item condition = item_at(in[0], i), yes = item_at(in[1], i), no = item_at(in[2], i);
    if (condition.kind == HONE_ITEM_INT) out->items[i] = condition.value ? yes : no;
    else if (same(yes, no)) out->items[i] = yes;
  }
}

/* The elements of the first input in another shape, or of another integer type. */
static void do_copy(hone_partials *partials, const hone_node *node, hone_partial *out) {
  const hone_partial *in = hone_partial_of(partials, hone_node_in(node, 0));
  if (in && in->count == out->count) *out = *in;
}

/* Sizes fit in any of the types that hold sizes. */
static void do_cast(hone_partials *partials, const hone_node *node, hone_partial *out) {
  hone_dtype dtype = node->outputs[0]->type.dtype;
  if (dtype == HONE_S64 || dtype == HONE_S32) do_copy(partials, node, out);
}

static void do_shape(hone_partials *partials, const hone_node *node, hone_partial *out) {
  (void)partials;
  const hone_shape *shape = &node->inputs[0].value->type.shape;
  int64_t start = hone_node_int(node, "start");
  if (start < 0) start = start + shape->rank > 0 ? start + shape->rank : 0;
  for (size_t i = 0; i < out->count && start + (int64_t)i < shape->rank; i++)
    out->items[i] = of_dim(shape->dim[start + (int64_t)i]);
}

static void do_size(hone_partials *partials, const hone_node *node, hone_partial *out) {
  (void)partials;
  size_t count;
  if (hone_shape_count(&node->inputs[0].value->type.shape, &count) && count <= INT64_MAX)
    out->items[0] = whole((int64_t)count);
}

static void do_gather(hone_partials *partials, const hone_node *node, hone_partial *out) {
  const hone_partial *in = hone_partial_of(partials, hone_node_in(node, 0));
  const hone_partial *indices = hone_partial_of(partials, hone_node_in(node, 1));
  if (!in || !indices || node->inputs[0].value->type.shape.rank != 1) return;
  for (size_t i = 0; i < out->count && i < indices->count; i++) {
    int64_t index = indices->items[i].value;
    if (index < 0) index += (int64_t)in->count;
    if (indices->items[i].kind == HONE_ITEM_INT && index >= 0 && index < (int64_t)in->count)
      out->items[i] = in->items[index];
  }
}

static void do_concat(hone_partials *partials, const hone_node *node, hone_partial *out) {
  size_t at = 0;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *value = node->inputs[i].value;
    const hone_partial *in = hone_partial_of(partials, value);
    size_t count;
    if (!value || !hone_shape_count(&value->type.shape, &count) || at + count > out->count) return;
    for (size_t k = 0; k < count; k++) out->items[at + k] = in ? in->items[k] : unknown;
    at += count;
  }
}

/* slice(x, starts, ends, axes?, steps?) of a vector. */
static void do_slice(hone_partials *partials, const hone_node *node, hone_partial *out) {
  const hone_partial *in = hone_partial_of(partials, hone_node_in(node, 0));
  const hone_partial *starts = hone_partial_of(partials, hone_node_in(node, 1));
  const hone_partial *steps = hone_partial_of(partials, hone_node_in(node, 4));
  if (!in || !starts || starts->count != 1 || starts->items[0].kind != HONE_ITEM_INT) return;
  if (hone_node_in(node, 4) && (!steps || steps->count != 1)) return;
  int64_t size = (int64_t)in->count, start = starts->items[0].value;
  int64_t step = steps ? steps->items[0].value : 1;
  if (step == 0 || step > size || step < -size) return;
  if (start < 0) start += size;
  if (start < 0) start = 0;
  if (start >= size) start = step < 0 ? size - 1 : size;
  for (size_t i = 0; i < out->count && start >= 0 && start < size; i++, start += step)
    out->items[i] = in->items[start];
}

static void do_product(hone_partials *partials, const hone_node *node, hone_partial *out) {
  const hone_partial *in = hone_partial_of(partials, hone_node_in(node, 0));
  if (!in || out->count != 1 || strcmp(hone_node_text(node, "kind"), "prod") != 0) return;
  hone_item product = whole(1);
  for (size_t i = 0; i < in->count; i++) product = combine(&hone_op_mul, product, in->items[i]);
  out->items[0] = product;
}

static void do_expand(hone_partials *partials, const hone_node *node, hone_partial *out) {
  const hone_partial *in = hone_partial_of(partials, hone_node_in(node, 0));
  if (!in || (in->count != 1 && in->count != out->count)) return;
  for (size_t i = 0; i < out->count; i++) out->items[i] = item_at(in, i);
}

static const struct {
  const hone_op *op;
  void (*run)(hone_partials *partials, const hone_node *node, hone_partial *out);
} rules[] = {
    {&hone_op_shape, do_shape},       {&hone_op_size, do_size},
    {&hone_op_gather, do_gather},     {&hone_op_concat, do_concat},
    {&hone_op_slice, do_slice},       {&hone_op_reduce, do_product},
    {&hone_op_select, do_select},     {&hone_op_expand, do_expand},
    {&hone_op_reshape, do_copy},      {&hone_op_squeeze, do_copy},
    {&hone_op_unsqueeze, do_copy},    {&hone_op_flatten, do_copy},
    {&hone_op_identity, do_copy},     {&hone_op_cast, do_cast},
    {&hone_op_add, do_binary},        {&hone_op_sub, do_binary},
    {&hone_op_mul, do_binary},        {&hone_op_div, do_binary},
    {&hone_op_min, do_binary},        {&hone_op_max, do_binary},
    {&hone_op_equal, do_binary},      {&hone_op_less, do_binary},
    {&hone_op_greater, do_binary},
};

hone_status *hone_partial_node(hone_partials *partials, const hone_node *node) {
  const hone_value *value = hone_node_out(node, 0);
  size_t count;
  if (!value || !is_small(&value->type, &count)) return NULL;
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    if (rules[i].op != node->op) continue;
    hone_partial out = {.count = count};
    rules[i].run(partials, node, &out);
    hone_partial *kept = slot(partials, value);
    HONE_TRY_MEMORY(kept);
    *kept = out;
  }
  return NULL;
}
