/* What an import function builds with. Room: import. */
#include <string.h>

#include "import/emit.h"
#include "import/onnx/importer.h"

/* Constants up to this many elements are folded as nodes are made: shapes, axes, sizes. */
#define FOLD_MOST 64

static void keep(hone_onnx_call *call, hone_status *status) {
  if (!call->status)
    call->status = status;
  else
    hone_status_free(status);
}

static hone_value *placeholder(hone_onnx_call *call) {
  return &call->importer->placeholder;
}

/* ---- Nodes ---- */

hone_node *hone_onnx_begin(hone_onnx_call *call, const char *name, hone_value *const *inputs,
                           int input_count, int output_count) {
  hone_node *node = NULL;
  if (call->status) return NULL;
  const hone_op *op = hone_op_find(name, strlen(name));
  if (!op) {
    hone_onnx_fail(call, HONE_UNSUPPORTED, "there is no op %s yet", name);
    return NULL;
  }
  while (input_count > 0 && !inputs[input_count - 1]) input_count--;
  keep(call, onnx_check_limits(call->importer));
  if (!call->status)
    keep(call,
         hone_node_new(call->scope->graph, NULL, op, inputs, input_count, output_count, &node));
  if (!call->status) keep(call, hone_node_add_source(node, call->label));
  return call->status ? NULL : node;
}

void hone_onnx_set_int(hone_onnx_call *call, hone_node *node, const char *attr, int64_t value) {
  if (node) keep(call, hone_node_set_int(node, attr, value));
}
void hone_onnx_set_real(hone_onnx_call *call, hone_node *node, const char *attr, double value) {
  if (node) keep(call, hone_node_set_real(node, attr, value));
}
void hone_onnx_set_text(hone_onnx_call *call, hone_node *node, const char *attr,
                        const char *value) {
  if (node) keep(call, hone_node_set_text(node, attr, value));
}
void hone_onnx_set_ints(hone_onnx_call *call, hone_node *node, const char *attr,
                        const int64_t *values, size_t count) {
  if (node) keep(call, hone_node_set_ints(node, attr, values, count));
}
void hone_onnx_set_reals(hone_onnx_call *call, hone_node *node, const char *attr,
                         const double *values, size_t count) {
  if (node) keep(call, hone_node_set_reals(node, attr, values, count));
}
void hone_onnx_set_texts(hone_onnx_call *call, hone_node *node, const char *attr,
                         const char *const *values, size_t count) {
  if (node) keep(call, hone_node_set_texts(node, attr, values, count));
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

static hone_status *fold(hone_onnx_call *call, hone_node *node, hone_value **out) {
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
    status = hone_graph_constant_copy(call->scope->graph, NULL, result.dtype, result.shape,
                                      result.data, bytes, out);
  hone_arena_free(&memory);
  return status;
}

static void infer_node(hone_onnx_call *call, hone_node *node) {
  if (!call->status) keep(call, hone_node_check(node));
  if (!call->status) keep(call, hone_node_infer(node));
}

hone_value *hone_onnx_end_weight(hone_onnx_call *call, hone_node *node) {
  if (node) infer_node(call, node);
  return node && !call->status ? node->outputs[0] : placeholder(call);
}

hone_value *hone_onnx_end(hone_onnx_call *call, hone_node *node) {
  hone_value *out = hone_onnx_end_weight(call, node);
  if (call->status || !node || !can_fold(node)) return out;
  hone_value *folded = NULL;
  keep(call, fold(call, node, &folded));
  if (call->status) return placeholder(call);
  hone_node_remove(node);
  call->folded = node;
  call->folded_into = folded;
  return folded;
}

hone_value *hone_onnx_out(hone_onnx_call *call, hone_node *node, int index) {
  if (!node || call->status) return placeholder(call);
  if (node == call->folded) return call->folded_into;
  hone_value *value = hone_node_out(node, index);
  return value ? value : placeholder(call);
}

void hone_onnx_return(hone_onnx_call *call, int index, hone_value *value) {
  if (index < call->output_count && !call->status) call->out[index] = value;
}

void hone_onnx_end_return(hone_onnx_call *call, hone_node *node) {
  if (!node) return;
  hone_value *first = hone_onnx_end(call, node);
  if (call->status) return;
  if (node == call->folded) {
    hone_onnx_return(call, 0, first);
    return;
  }
  for (int i = 0; i < node->output_count; i++) {
    if (hone_onnx_wants(call, i))
      hone_onnx_return(call, i, node->outputs[i]);
    else if (node->outputs[i])
      hone_node_drop_output(node, i);
  }
}

/* ---- Constants ---- */

hone_value *hone_onnx_const(hone_onnx_call *call, hone_dtype dtype, hone_shape shape,
                            const void *bytes, size_t size) {
  hone_value *value = NULL;
  if (!call->status)
    keep(call,
         hone_graph_constant_copy(call->scope->graph, NULL, dtype, shape, bytes, size, &value));
  return call->status ? placeholder(call) : value;
}

hone_value *hone_onnx_const_int(hone_onnx_call *call, int64_t value) {
  return hone_onnx_const(call, HONE_S64, (hone_shape){0}, &value, sizeof value);
}

hone_value *hone_onnx_const_ints(hone_onnx_call *call, const int64_t *values, size_t count) {
  hone_shape shape = {.rank = 1, .dim = {(hone_dim)count}};
  return hone_onnx_const(call, HONE_S64, shape, values, count * sizeof *values);
}

hone_value *hone_onnx_const_real(hone_onnx_call *call, hone_dtype dtype, double value) {
  hone_value *made = NULL;
  if (!call->status) keep(call, hone_graph_real(call->scope->graph, NULL, dtype, value, &made));
  return call->status ? placeholder(call) : made;
}

/* ---- Common steps ---- */

hone_value *hone_onnx_transpose(hone_onnx_call *call, hone_value *x, int rank,
                                const int64_t *perm) {
  int moved = 0;
  for (int i = 0; i < rank; i++) moved += perm[i] != i;
  if (!moved) return x;
  hone_node *node = HONE_ONNX_BEGIN(call, "transpose", x);
  hone_onnx_set_ints(call, node, "perm", perm, (size_t)rank);
  return hone_onnx_end(call, node);
}

hone_value *hone_onnx_channels_last(hone_onnx_call *call, hone_value *x) {
  int64_t perm[HONE_MAX_RANK] = {0};
  int rank = hone_onnx_rank(call, x);
  if (rank < 3) return x;
  for (int i = 1; i < rank - 1; i++) perm[i] = i + 1;
  perm[rank - 1] = 1;
  return hone_onnx_transpose(call, x, rank, perm);
}

hone_value *hone_onnx_channels_first(hone_onnx_call *call, hone_value *x) {
  int64_t perm[HONE_MAX_RANK] = {0};
  int rank = hone_onnx_rank(call, x);
  if (rank < 3) return x;
  perm[1] = rank - 1;
  for (int i = 2; i < rank; i++) perm[i] = i - 1;
  return hone_onnx_transpose(call, x, rank, perm);
}

hone_value *hone_onnx_cast(hone_onnx_call *call, hone_value *x, hone_dtype dtype) {
  if (x->type.dtype == dtype) return x;
  hone_node *node = HONE_ONNX_BEGIN(call, "cast", x);
  hone_onnx_set_int(call, node, "to", dtype);
  return hone_onnx_end(call, node);
}

hone_value *hone_onnx_reshape(hone_onnx_call *call, hone_value *x, const int64_t *dims,
                              size_t count) {
  return HONE_ONNX(call, "reshape", x, hone_onnx_const_ints(call, dims, count));
}

hone_value *hone_onnx_dims(hone_onnx_call *call, hone_value *x, int begin, int end) {
  const hone_shape *shape = &x->type.shape;
  bool all_known = shape->rank >= end && begin >= 0 && end <= HONE_MAX_RANK;
  for (int i = begin; all_known && i < end; i++) all_known = hone_dim_known(shape->dim[i]);
  if (all_known) return hone_onnx_const_ints(call, shape->dim + begin, (size_t)(end - begin));
  hone_node *node = HONE_ONNX_BEGIN(call, "shape", x);
  hone_onnx_set_int(call, node, "start", begin);
  hone_onnx_set_int(call, node, "end", end);
  return hone_onnx_end(call, node);
}
