/* Running an op's shape rule, and what the rules share. Room: ir. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ir/op.h"

int hone_op_attr_index(const hone_op *op, const char *name, size_t size) {
  for (int i = 0; i < HONE_MAX_ATTRS && op->attrs[i].name; i++)
    if (strlen(op->attrs[i].name) == size && memcmp(op->attrs[i].name, name, size) == 0) return i;
  return -1;
}

void hone_op_arity(const char *signature, int *least, int *most) {
  *least = *most = 0;
  for (const char *at = signature; at && *at;) {
    size_t size = strcspn(at, " ");
    char mark = size ? at[size - 1] : ' ';
    if (mark == '*') {
      *most = INT_MAX;
      return;
    }
    ++*most;
    if (mark != '?') *least = *most;
    at += size + (at[size] == ' ');
  }
}

/* What every shape rule may take for granted: required inputs are there, and all are tensors unless
 * the op works on other kinds. */
static hone_status *check_inputs(const hone_infer *infer) {
  const hone_op *op = infer->node->op;
  int least, most;
  hone_op_arity(op->inputs, &least, &most);
  if (infer->input_count < least || infer->input_count > most)
    return hone_infer_fail(infer, "%d inputs where it takes %s", infer->input_count, op->inputs);
  if (infer->output_count < 1 && !(op->facts & HONE_HAS_REGIONS))
    return hone_infer_fail(infer, "no outputs");
  for (int i = 0; i < infer->input_count; i++) {
    if (!infer->in[i] && i < least) return hone_infer_fail(infer, "input %d is absent", i);
    if (infer->in[i] && infer->in[i]->kind != HONE_KIND_TENSOR &&
        !(op->facts & (HONE_OBJECTS | HONE_ANY_KIND | HONE_HAS_REGIONS)))
      return hone_infer_fail(infer, "input %d is not a tensor", i);
  }
  return NULL;
}

hone_status *hone_node_infer(hone_node *node) {
  int inputs = node->input_count, outputs = node->output_count;
  hone_arena scratch = {0};
  const hone_type **in = HONE_NEW_ARRAY(&scratch, inputs + 1, const hone_type *);
  const hone_datum **value = HONE_NEW_ARRAY(&scratch, inputs + 1, const hone_datum *);
  hone_datum *data = HONE_NEW_ARRAY(&scratch, inputs + 1, hone_datum);
  hone_type *out = HONE_NEW_ARRAY(&scratch, outputs + 1, hone_type);
  hone_status *status = NULL;
  if (!in || !value || !data || !out) {
    status = hone_error_memory();
  } else {
    for (int i = 0; i < inputs; i++) {
      const hone_value *v = node->inputs[i].value;
      if (!v) continue;
      in[i] = &v->type;
      if (!v->constant || hone_value_is_absent(v)) continue;
      data[i] = hone_value_datum(v);
      value[i] = &data[i];
    }
    for (int i = 0; i < outputs; i++) out[i].shape = hone_shape_unknown();
    hone_infer infer = {node, node->graph, inputs, outputs, in, value, out};
    status = check_inputs(&infer);
    if (!status) status = node->op->infer(&infer);
    for (int i = 0; !status && i < outputs; i++)
      if (node->outputs[i]) node->outputs[i]->type = out[i];
  }
  hone_arena_free(&scratch);
  return hone_error_at(status, "node '%s' (%s)", hone_node_label(node), node->op->name);
}

hone_status *hone_infer_fail(const hone_infer *infer, const char *format, ...) {
  char text[400];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  return hone_error(HONE_INVALID_MODEL, "%s: %s", infer->node->op->name, text);
}

hone_dim hone_infer_fresh(hone_infer *infer) {
  hone_dim dim = -1;
  if (!infer->graph) return dim;
  hone_status *status = hone_graph_symbol(infer->graph, NULL, &dim);
  hone_status_free(status); /* without memory the dim stays symbol 0; the next call reports it */
  return dim;
}

hone_status *hone_infer_same(hone_infer *infer) {
  infer->out[0] = *infer->in[0];
  return NULL;
}

hone_status *hone_infer_broadcast(hone_infer *infer) {
  const hone_type *first = NULL;
  for (int i = 0; i < infer->input_count; i++) {
    const hone_type *type = infer->in[i];
    if (!type) continue;
    if (!first) {
      first = type;
      infer->out[0] = *type;
      continue;
    }
    if (type->dtype != first->dtype)
      return hone_infer_fail(infer, "inputs of types %s and %s", hone_dtype_name(first->dtype),
                             hone_dtype_name(type->dtype));
    hone_shape *shape = &infer->out[0].shape;
    if (!hone_shape_broadcast(infer->graph, shape, &type->shape, shape))
      return hone_infer_fail(infer, "input %d does not broadcast with those before it", i);
  }
  return NULL;
}

bool hone_infer_ints(const hone_infer *infer, int index, int64_t *out, size_t room,
                     size_t *count) {
  const hone_datum *value = index < infer->input_count ? infer->value[index] : NULL;
  if (!value || !value->data || value->kind != HONE_KIND_TENSOR) return false;
  size_t size = hone_datum_count(value);
  if (size > room) return false;
  for (size_t i = 0; i < size; i++) out[i] = hone_load_int(value->dtype, value->data, i);
  *count = size;
  return true;
}
