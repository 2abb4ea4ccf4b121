/* Emitting: nodes, constants and common steps for every importer. Room: import. */
#include "import/emit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Constants up to this many elements are folded as nodes are made: shapes, axes, sizes. */
#define FOLD_MOST 64

void hone_emit_keep(hone_call *call, hone_status *status) {
  if (!call->status)
    call->status = status;
  else
    hone_status_free(status);
}

hone_status *hone_emit_fail(hone_call *call, hone_code code, const char *format, ...) {
  char text[600];
  if (call->status) return NULL;
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  call->status = hone_error(code, "%s", text);
  return NULL;
}

/* ---- Nodes ---- */

hone_node *hone_emit_begin(hone_call *call, const char *name, hone_value *const *inputs,
                           int input_count, int output_count) {
  hone_node *node = NULL;
  if (call->status) return NULL;
  const hone_op *op = hone_op_find(name, strlen(name));
  if (!op) {
    hone_emit_fail(call, HONE_UNSUPPORTED, "there is no op %s yet", name);
    return NULL;
  }
  while (input_count > 0 && !inputs[input_count - 1]) input_count--;
  hone_emit_keep(call, call->limits(call));
  if (!call->status)
    hone_emit_keep(call,
         hone_node_new(call->graph, NULL, op, inputs, input_count, output_count, &node));
  if (!call->status) hone_emit_keep(call, hone_node_add_source(node, call->label));
  return call->status ? NULL : node;
}

void hone_emit_set_int(hone_call *call, hone_node *node, const char *attr, int64_t value) {
  if (node) hone_emit_keep(call, hone_node_set_int(node, attr, value));
}
void hone_emit_set_real(hone_call *call, hone_node *node, const char *attr, double value) {
  if (node) hone_emit_keep(call, hone_node_set_real(node, attr, value));
}
void hone_emit_set_text(hone_call *call, hone_node *node, const char *attr,
                        const char *value) {
  if (node) hone_emit_keep(call, hone_node_set_text(node, attr, value));
}
void hone_emit_set_ints(hone_call *call, hone_node *node, const char *attr,
                        const int64_t *values, size_t count) {
  if (node) hone_emit_keep(call, hone_node_set_ints(node, attr, values, count));
}

void hone_emit_set_reals(hone_call *call, hone_node *node, const char *attr, const double *values,
                         size_t count) {
  if (node) hone_emit_keep(call, hone_node_set_reals(node, attr, values, count));
}
void hone_emit_set_texts(hone_call *call, hone_node *node, const char *attr,
                         const char *const *values, size_t count) {
  if (node) hone_emit_keep(call, hone_node_set_texts(node, attr, values, count));
}

/* Whether all that the node's result depends on is known and small. */
static bool can_fold(const hone_node *node) {
  const hone_op *op = node->op;
  size_t count;
  if ((op->facts & (HONE_IMPURE | HONE_HAS_REGIONS | HONE_OBJECTS | HONE_HEAVY)) ||
      !op->reference || node->output_count != 1 || node->input_count == 0)
    return false;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    if (!in) continue;
    if ((op->facts & HONE_SHAPE_ONLY) && in->type.kind == HONE_KIND_TENSOR &&
        hone_shape_known(&in->type.shape))
      continue;
    if (!hone_value_is_constant(in) || !hone_shape_count(&in->type.shape, &count) ||
        count > FOLD_MOST)
      return false;
  }
  const hone_type *type = &node->outputs[0]->type;
  if (type->kind != HONE_KIND_TENSOR || type->dtype == HONE_STR || hone_makes_weight(node))
    return false;
  return (op->facts & HONE_DATA_SHAPED) ||
         (hone_shape_count(&type->shape, &count) && count <= FOLD_MOST);
}

static hone_status *fold(hone_call *call, hone_node *node, hone_value **out) {
  hone_arena memory = {0};
  static const char nothing[16];
  hone_datum result = {0};
  hone_datum *data = HONE_NEW_ARRAY(&memory, node->input_count, hone_datum);
  const hone_datum **in = HONE_NEW_ARRAY(&memory, node->input_count, const hone_datum *);
  hone_status *status = data && in ? NULL : hone_error_memory();
  for (int i = 0; !status && i < node->input_count; i++) {
    const hone_value *value = node->inputs[i].value;
    if (!value) continue;
    if (value->constant && !(node->op->facts & HONE_SHAPE_ONLY)) hone_value_fix(value);
    data[i] = (hone_datum){.dtype = value->type.dtype, .shape = value->type.shape};
    data[i].data = (void *)(uintptr_t)(value->constant ? value->constant : nothing);
    in[i] = &data[i];
  }
  size_t bytes;
  if (!status) status = hone_evaluate(node, in, &result, &memory);
  if (!status && !hone_shape_bytes(&result.shape, result.dtype, &bytes))
    status = hone_error(HONE_LIMIT, "a result is too large");
  if (!status)
    status = hone_graph_constant_copy(call->graph, NULL, result.dtype, result.shape,
                                      result.data, bytes, out);
  hone_arena_free(&memory);
  return status;
}

static void infer_node(hone_call *call, hone_node *node) {
  if (!call->status) hone_emit_keep(call, hone_node_check(node));
  if (!call->status) hone_emit_keep(call, hone_node_infer(node));
}

hone_value *hone_emit_end_weight(hone_call *call, hone_node *node) {
  if (node) infer_node(call, node);
  return node && !call->status ? node->outputs[0] : call->placeholder;
}

hone_value *hone_emit_end(hone_call *call, hone_node *node) {
  hone_value *out = hone_emit_end_weight(call, node);
  if (call->status || !node || !can_fold(node)) return out;
  hone_value *folded = NULL;
  hone_emit_keep(call, fold(call, node, &folded));
  if (call->status) return call->placeholder;
  hone_node_remove(node);
  call->folded = node;
  call->folded_into = folded;
  return folded;
}

hone_value *hone_emit_out(hone_call *call, hone_node *node, int index) {
  if (!node || call->status) return call->placeholder;
  if (node == call->folded) return call->folded_into;
  hone_value *value = hone_node_out(node, index);
  return value ? value : call->placeholder;
}

/* ---- Constants ---- */

hone_value *hone_emit_const(hone_call *call, hone_dtype dtype, hone_shape shape,
                            const void *bytes, size_t size) {
  hone_value *value = NULL;
  if (!call->status)
    hone_emit_keep(call,
         hone_graph_constant_copy(call->graph, NULL, dtype, shape, bytes, size, &value));
  return call->status ? call->placeholder : value;
}

hone_value *hone_emit_int(hone_call *call, int64_t value) {
  return hone_emit_const(call, HONE_S64, (hone_shape){0}, &value, sizeof value);
}

hone_value *hone_emit_ints(hone_call *call, const int64_t *values, size_t count) {
  hone_shape shape = {.rank = 1, .dim = {(hone_dim)count}};
  return hone_emit_const(call, HONE_S64, shape, values, count * sizeof *values);
}

hone_value *hone_emit_real(hone_call *call, hone_dtype dtype, double value) {
  hone_value *made = NULL;
  if (!call->status) hone_emit_keep(call, hone_graph_real(call->graph, NULL, dtype, value, &made));
  return call->status ? call->placeholder : made;
}

/* ---- Facts about values ---- */

int hone_emit_rank(hone_call *call, const hone_value *value) {
  if (value->type.kind == HONE_KIND_TENSOR && value->type.shape.rank >= 0)
    return value->type.shape.rank;
  hone_emit_fail(call, HONE_UNSUPPORTED, "the rank of its input is not known");
  return 0;
}

int hone_emit_axis(hone_call *call, int64_t axis, int rank) {
  int out = 0;
  if (!hone_axis(axis, rank, &out))
    hone_emit_fail(call, HONE_INVALID_MODEL, "axis %lld of %d dimensions", (long long)axis, rank);
  return out;
}

static bool known(const hone_value *value, size_t room, size_t *count) {
  if (!hone_value_is_constant(value) || !hone_shape_count(&value->type.shape, count)) return false;
  hone_value_fix(value);
  hone_dtype_class class = hone_dtype_class_of(value->type.dtype);
  return *count <= room && class != HONE_CLASS_STRING && class != HONE_CLASS_COMPLEX;
}

bool hone_known_ints(const hone_value *value, int64_t *out, size_t room, size_t *count) {
  if (!known(value, room, count)) return false;
  for (size_t i = 0; i < *count; i++) out[i] = hone_load_int(value->type.dtype, value->constant, i);
  return true;
}

bool hone_known_reals(const hone_value *value, double *out, size_t room, size_t *count) {
  if (!known(value, room, count)) return false;
  for (size_t i = 0; i < *count; i++)
    out[i] = hone_load_real(value->type.dtype, value->constant, i);
  return true;
}

/* Element `index` of a concat of vectors of known lengths. */
static bool known_in_concat(const hone_node *node, size_t index, int64_t *out) {
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *part = node->inputs[i].value;
    size_t count;
    if (!part || !hone_shape_count(&part->type.shape, &count)) return false;
    if (index < count) return hone_known_int_at(part, index, out);
    index -= count;
  }
  return false;
}

/* Each step goes to a node before; shapes are put together in a few. */
bool hone_known_int_at(const hone_value *value, size_t index, int64_t *out) {
  for (int step = 0; step < 8; step++) {
    size_t count;
    if (hone_value_is_constant(value)) {
      if (!hone_shape_count(&value->type.shape, &count) || index >= count ||
          value->type.dtype == HONE_STR)
        return false;
      hone_value_fix(value);
      *out = hone_load_int(value->type.dtype, value->constant, index);
      return true;
    }
    const hone_node *node = value->producer;
    if (!node || node->input_count == 0 || !node->inputs[0].value) return false;
    if (node->op == &hone_op_concat) return known_in_concat(node, index, out);
    if (node->op != &hone_op_cast && node->op != &hone_op_unsqueeze &&
        node->op != &hone_op_identity)
      return false;
    value = node->inputs[0].value;
  }
  return false;
}

/* ---- Common steps ---- */

hone_value *hone_emit_transpose(hone_call *call, hone_value *x, int rank,
                                const int64_t *perm) {
  int moved = 0;
  for (int i = 0; i < rank; i++) moved += perm[i] != i;
  if (!moved) return x;
  hone_node *node = HONE_EMIT_BEGIN(call, "transpose", x);
  hone_emit_set_ints(call, node, "perm", perm, (size_t)rank);
  return hone_emit_end(call, node);
}

hone_value *hone_emit_channels_last(hone_call *call, hone_value *x) {
  int64_t perm[HONE_MAX_RANK] = {0};
  int rank = hone_emit_rank(call, x);
  if (rank < 3) return x;
  for (int i = 1; i < rank - 1; i++) perm[i] = i + 1;
  perm[rank - 1] = 1;
  return hone_emit_transpose(call, x, rank, perm);
}

hone_value *hone_emit_channels_first(hone_call *call, hone_value *x) {
  int64_t perm[HONE_MAX_RANK] = {0};
  int rank = hone_emit_rank(call, x);
  if (rank < 3) return x;
  perm[1] = rank - 1;
  for (int i = 2; i < rank; i++) perm[i] = i - 1;
  return hone_emit_transpose(call, x, rank, perm);
}

hone_value *hone_emit_cast(hone_call *call, hone_value *x, hone_dtype dtype) {
  if (x->type.dtype == dtype) return x;
  hone_node *node = HONE_EMIT_BEGIN(call, "cast", x);
  hone_emit_set_int(call, node, "to", dtype);
  return hone_emit_end(call, node);
}

hone_value *hone_emit_reshape(hone_call *call, hone_value *x, const int64_t *dims,
                              size_t count) {
  return HONE_EMIT(call, "reshape", x, hone_emit_ints(call, dims, count));
}

hone_value *hone_emit_dims(hone_call *call, hone_value *x, int begin, int end) {
  const hone_shape *shape = &x->type.shape;
  bool all_known = shape->rank >= end && begin >= 0 && end <= HONE_MAX_RANK;
  for (int i = begin; all_known && i < end; i++) all_known = hone_dim_known(shape->dim[i]);
  if (all_known) return hone_emit_ints(call, shape->dim + begin, (size_t)(end - begin));
  hone_node *node = HONE_EMIT_BEGIN(call, "shape", x);
  hone_emit_set_int(call, node, "start", begin);
  hone_emit_set_int(call, node, "end", end);
  return hone_emit_end(call, node);
}
