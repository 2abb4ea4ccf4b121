/* What an import function asks about its node. Room: import. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "import/onnx/importer.h"

int hone_onnx_opset(const hone_call *call) {
  return onnx_own(call)->opset;
}
int hone_onnx_input_count(const hone_call *call) {
  return onnx_own(call)->input_count;
}
int hone_onnx_output_count(const hone_call *call) {
  return onnx_own(call)->output_count;
}

hone_value *hone_onnx_in(hone_call *call, int index) {
  return index < onnx_own(call)->input_count ? onnx_own(call)->in[index] : NULL;
}

hone_value *hone_onnx_need(hone_call *call, int index) {
  hone_value *value = hone_onnx_in(call, index);
  if (value) return value;
  hone_emit_fail(call, HONE_INVALID_MODEL, "its input %d is missing", index);
  return call->placeholder;
}

bool hone_onnx_wants(const hone_call *call, int index) {
  return index < onnx_own(call)->output_count && onnx_own(call)->node->outputs.items[index].size > 0;
}

/* ---- Attributes ---- */

/* Old writers leave the type out: then it is what is there. */
int onnx_attr_type(const onnx_attribute *attr) {
  if (attr->type.data) return (int)hone_proto_varint(attr->type);
  if (attr->f.data) return ONNX_FLOAT;
  if (attr->i.data) return ONNX_INT;
  if (attr->s.data) return ONNX_STRING;
  if (attr->t.data) return ONNX_TENSOR;
  if (attr->g.data) return ONNX_GRAPH;
  if (attr->floats.count) return ONNX_FLOATS;
  if (attr->ints.count) return ONNX_INTS;
  if (attr->strings.count) return ONNX_STRINGS;
  return attr->sparse.data ? ONNX_SPARSE_TENSOR : ONNX_UNDEFINED;
}

const onnx_attribute *onnx_attr(const hone_call *call, const char *name) {
  const onnx_call *own = onnx_own(call);
  for (int i = 0; i < own->attr_count; i++)
    if (onnx_span_is(own->attrs[i].name, name)) return &own->attrs[i];
  return NULL;
}

bool hone_onnx_has(const hone_call *call, const char *attr) {
  return onnx_attr(call, attr) != NULL;
}

/* The attribute if it is there and of `type`; one of another type fails the call. An empty list
 * may have lost its type. */
static const onnx_attribute *typed(hone_call *call, const char *name, int type) {
  const onnx_attribute *attr = onnx_attr(call, name);
  if (!attr) return NULL;
  int found = onnx_attr_type(attr);
  if (found == type) return attr;
  if (found != ONNX_UNDEFINED)
    hone_emit_fail(call, HONE_INVALID_MODEL, "attribute %s is of type %d instead of %d", name,
                   found, type);
  return NULL;
}

int64_t hone_onnx_int(hone_call *call, const char *name, int64_t fallback) {
  const onnx_attribute *attr = typed(call, name, ONNX_INT);
  return attr ? (int64_t)hone_proto_varint(attr->i) : fallback;
}

int64_t hone_onnx_int_in(hone_call *call, const char *name, int64_t fallback, int64_t least,
                         int64_t most) {
  int64_t value = hone_onnx_int(call, name, fallback);
  if (value >= least && value <= most) return value;
  hone_emit_fail(call, HONE_INVALID_MODEL, "attribute %s is %lld, outside %lld..%lld", name,
                 (long long)value, (long long)least, (long long)most);
  return fallback;
}

bool hone_onnx_flag(hone_call *call, const char *name, bool fallback) {
  return hone_onnx_int(call, name, fallback) != 0;
}

double hone_onnx_real(hone_call *call, const char *name, double fallback) {
  const onnx_attribute *attr = typed(call, name, ONNX_FLOAT);
  return attr ? (double)hone_proto_float(attr->f) : fallback;
}

/* A span as a text without zero bytes; NULL after a failure. */
static const char *as_text(hone_call *call, const char *name, hone_bytes span) {
  const char *text = onnx_text(onnx_own(call)->importer, span);
  if (!text && !call->status) call->status = hone_error_memory();
  if (!span.size || !memchr(span.data, 0, span.size)) return text;
  hone_emit_fail(call, HONE_INVALID_MODEL, "attribute %s holds a zero byte", name);
  return NULL;
}

const char *hone_onnx_text(hone_call *call, const char *name, const char *fallback) {
  const onnx_attribute *attr = typed(call, name, ONNX_STRING);
  const char *text = attr ? as_text(call, name, attr->s) : NULL;
  return text ? text : fallback;
}

hone_dtype hone_onnx_dtype(hone_call *call, const char *name, hone_dtype fallback) {
  if (!hone_onnx_has(call, name)) return fallback;
  int64_t code = hone_onnx_int(call, name, 0);
  hone_dtype dtype = hone_onnx_dtype_of(code);
  if (dtype) return dtype;
  hone_emit_fail(call, HONE_UNSUPPORTED, "attribute %s: element type %lld is not known here", name,
                 (long long)code);
  return fallback;
}

/* Memory for a list of `count` elements, never NULL: after a failure a static zero. */
static void *list_memory(hone_call *call, const hone_proto_list *list, hone_proto_kind kind,
                         size_t element, size_t *count) {
  static const max_align_t nothing[4];
  hone_status *status = list ? hone_proto_count(list, kind, count) : NULL;
  void *memory = NULL;
  if (!status && *count) {
    memory = hone_arena_array(&onnx_own(call)->importer->scratch, *count, element);
    if (!memory) status = hone_error_memory();
  }
  if (memory) return memory;
  *count = 0;
  if (status && !call->status)
    call->status = status;
  else
    hone_status_free(status);
  return (void *)(uintptr_t)nothing;
}

const int64_t *hone_onnx_ints(hone_call *call, const char *name, size_t *count) {
  const onnx_attribute *attr = typed(call, name, ONNX_INTS);
  *count = 0;
  int64_t *values =
      list_memory(call, attr ? &attr->ints : NULL, HONE_PROTO_VARINT, sizeof *values, count);
  hone_proto_cursor cursor = {0};
  for (size_t i = 0; i < *count; i++) values[i] = (int64_t)hone_proto_step(&attr->ints, &cursor);
  return values;
}

const double *hone_onnx_reals(hone_call *call, const char *name, size_t *count) {
  const onnx_attribute *attr = typed(call, name, ONNX_FLOATS);
  *count = 0;
  double *values =
      list_memory(call, attr ? &attr->floats : NULL, HONE_PROTO_FIXED32, sizeof *values, count);
  size_t at = 0;
  for (size_t i = 0; *count && i < attr->floats.count; i++) {
    hone_bytes span = attr->floats.items[i];
    for (size_t k = 0; k + 4 <= span.size; k += 4)
      values[at++] = (double)hone_proto_float((hone_bytes){(const char *)span.data + k, 4});
  }
  return values;
}

const hone_string *hone_onnx_strings(hone_call *call, const char *name, size_t *count) {
  const onnx_attribute *attr = typed(call, name, ONNX_STRINGS);
  *count = attr ? attr->strings.count : 0;
  hone_string *values = list_memory(call, NULL, HONE_PROTO_BYTES, sizeof *values, count);
  for (size_t i = 0; i < *count; i++) {
    hone_bytes span = attr->strings.items[i];
    values[i] = (hone_string){span.data, span.size};
  }
  return values;
}

const char *const *hone_onnx_texts(hone_call *call, const char *name, size_t *count) {
  const onnx_attribute *attr = typed(call, name, ONNX_STRINGS);
  *count = attr ? attr->strings.count : 0;
  const char **texts = list_memory(call, NULL, HONE_PROTO_BYTES, sizeof *texts, count);
  for (size_t i = 0; i < *count; i++) {
    texts[i] = as_text(call, name, attr->strings.items[i]);
    if (!texts[i]) texts[i] = "";
  }
  return texts;
}

const int64_t *hone_onnx_ints_of(hone_call *call, const char *name, size_t count,
                                 int64_t fallback) {
  static const int64_t zeros[2 * HONE_MAX_RANK];
  size_t given;
  const int64_t *values = hone_onnx_ints(call, name, &given);
  if (given == count && count) return values;
  if (given || count > 2 * HONE_MAX_RANK)
    hone_emit_fail(call, HONE_INVALID_MODEL, "attribute %s has %zu entries instead of %zu", name,
                   given, count);
  int64_t *made = hone_arena_alloc(&onnx_own(call)->importer->scratch, sizeof zeros);
  if (!made) {
    if (!call->status) call->status = hone_error_memory();
    return zeros;
  }
  for (size_t i = 0; i < 2 * HONE_MAX_RANK; i++) made[i] = fallback;
  return made;
}

hone_value *hone_onnx_tensor(hone_call *call, const char *name) {
  const onnx_attribute *attr = onnx_attr(call, name);
  hone_value *value = NULL;
  if (!attr || call->status) return NULL;
  bool sparse = onnx_attr_type(attr) == ONNX_SPARSE_TENSOR;
  hone_bytes bytes = sparse ? attr->sparse : attr->t;
  if (!bytes.data) {
    hone_emit_fail(call, HONE_INVALID_MODEL, "attribute %s is no tensor", name);
    return NULL;
  }
  onnx_importer *importer = onnx_own(call)->importer;
  call->status = (sparse ? onnx_sparse_constant : onnx_constant)(importer, call->graph,
                                                                 (hone_bytes){0}, bytes, &value);
  return call->status ? NULL : value;
}

/* ---- Results ---- */

void hone_onnx_return(hone_call *call, int index, hone_value *value) {
  if (index < onnx_own(call)->output_count && !call->status) onnx_own(call)->out[index] = value;
}

void hone_onnx_end_return(hone_call *call, hone_node *node) {
  if (!node) return;
  hone_value *first = hone_emit_end(call, node);
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
