/* What an import function asks about its node. Room: import. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "import/tensorflow/importer.h"

static const char *const kinds[] = {"nothing", "a tensor", "a variable", "a list"};

const char *hone_tf_op(const hone_call *call) {
  const tf_call *own = tf_call_of(call);
  size_t size = own->node->op.size < 60 ? own->node->op.size : 60;
  const char *text = tf_text(own->importer, (hone_bytes){own->node->op.data, size});
  return text ? text : "";
}

int hone_tf_input_count(const hone_call *call) {
  return tf_call_of(call)->input_count;
}
int hone_tf_output_count(const hone_call *call) {
  return tf_call_of(call)->output_count;
}

const tf_value *tf_input(hone_call *call, int index, tf_kind kind) {
  static const tf_value nothing;
  tf_call *own = tf_call_of(call);
  if (index < 0 || index >= own->input_count) {
    hone_emit_fail(call, HONE_INVALID_MODEL, "its input %d is missing", index);
    return &nothing;
  }
  if (own->in[index].kind == kind) return &own->in[index];
  hone_emit_fail(call, HONE_UNSUPPORTED, "its input %d is %s instead of %s", index,
                 kinds[own->in[index].kind], kinds[kind]);
  return &nothing;
}

hone_value *hone_tf_in(hone_call *call, int index) {
  hone_value *value = tf_input(call, index, TF_TENSOR)->value;
  return value ? value : call->placeholder;
}

/* ---- Attributes ---- */

static bool find_attr(tf_importer *importer, const hone_proto_list *attrs, hone_bytes name,
                      tf_attr_value *out, hone_status **status) {
  for (size_t i = 0; i < attrs->count && !*status; i++) {
    tf_entry entry;
    *status = tf_read_entry(&importer->reader, attrs->items[i], &entry);
    if (*status || !tf_spans_equal(entry.key, name)) continue;
    *status = tf_read_attr_value(&importer->reader, entry.value, out);
    return !*status;
  }
  return false;
}

/* A function's body says `placeholder: "T"` for what its caller's attribute T is. */
bool tf_attr(const tf_call *call, const char *name, tf_attr_value *out) {
  tf_call *at = (tf_call *)(uintptr_t)call;
  hone_status *status = NULL;
  hone_bytes key = {name, strlen(name)};
  bool found = find_attr(call->importer, &at->node->attrs, key, out, &status);
  while (found && out->placeholder.data && at->scope->caller) {
    at = (tf_call *)(uintptr_t)at->scope->caller;
    found = find_attr(call->importer, &at->node->attrs, out->placeholder, out, &status);
  }
  if (status) hone_emit_keep(&((tf_call *)(uintptr_t)call)->base, status);
  return found && !out->placeholder.data;
}

bool hone_tf_has(const hone_call *call, const char *attr) {
  tf_attr_value value;
  return tf_attr(tf_call_of(call), attr, &value);
}

static void wrong_type(hone_call *call, const char *attr, const char *wanted) {
  hone_emit_fail(call, HONE_INVALID_MODEL, "attribute %s is no %s", attr, wanted);
}

int64_t hone_tf_int(hone_call *call, const char *attr, int64_t fallback) {
  tf_attr_value value;
  if (!tf_attr(tf_call_of(call), attr, &value)) return fallback;
  if (!value.i.data) wrong_type(call, attr, "integer");
  return value.i.data ? (int64_t)hone_proto_varint(value.i) : fallback;
}

bool hone_tf_flag(hone_call *call, const char *attr, bool fallback) {
  tf_attr_value value;
  if (!tf_attr(tf_call_of(call), attr, &value)) return fallback;
  if (!value.b.data) wrong_type(call, attr, "flag");
  return value.b.data ? hone_proto_varint(value.b) != 0 : fallback;
}

double hone_tf_real(hone_call *call, const char *attr, double fallback) {
  tf_attr_value value;
  if (!tf_attr(tf_call_of(call), attr, &value)) return fallback;
  if (!value.f.data) wrong_type(call, attr, "number");
  return value.f.data ? (double)hone_proto_float(value.f) : fallback;
}

const char *hone_tf_text(hone_call *call, const char *attr, const char *fallback) {
  tf_attr_value value;
  if (!tf_attr(tf_call_of(call), attr, &value)) return fallback;
  if (!value.s.data) wrong_type(call, attr, "text");
  const char *text = value.s.data ? tf_text(tf_call_of(call)->importer, value.s) : fallback;
  if (!text && fallback) hone_emit_keep(call, hone_error_memory());
  return text ? text : fallback;
}

hone_dtype hone_tf_dtype(hone_call *call, const char *attr, hone_dtype fallback) {
  tf_attr_value value;
  if (!tf_attr(tf_call_of(call), attr, &value)) return fallback;
  if (!value.type.data) wrong_type(call, attr, "type");
  return hone_tf_dtype_of((int64_t)hone_proto_varint(value.type));
}

const int64_t *hone_tf_ints(hone_call *call, const char *attr, size_t *count) {
  static const int64_t none;
  tf_importer *importer = tf_call_of(call)->importer;
  tf_attr_value value;
  tf_attr_list list = {0};
  *count = 0;
  if (call->status || !tf_attr(tf_call_of(call), attr, &value)) return &none;
  if (!value.list.data) wrong_type(call, attr, "list");
  if (!call->status) hone_emit_keep(call, tf_read_attr_list(&importer->reader, value.list, &list));
  if (!call->status) hone_emit_keep(call, hone_proto_count(&list.i, HONE_PROTO_VARINT, count));
  if (call->status) *count = 0;
  int64_t *values = HONE_NEW_ARRAY(&importer->scratch, *count + 1, int64_t);
  if (!values) {
    hone_emit_keep(call, hone_error_memory());
    *count = 0;
    return &none;
  }
  hone_proto_cursor cursor = {0};
  for (size_t i = 0; i < *count; i++) values[i] = (int64_t)hone_proto_step(&list.i, &cursor);
  return values;
}

const char *const *hone_tf_texts(hone_call *call, const char *attr, size_t *count) {
  static const char *const none[] = {NULL};
  tf_importer *importer = tf_call_of(call)->importer;
  tf_attr_value value;
  tf_attr_list list = {0};
  *count = 0;
  if (call->status || !tf_attr(tf_call_of(call), attr, &value)) return none;
  if (!value.list.data) wrong_type(call, attr, "list");
  if (!call->status) hone_emit_keep(call, tf_read_attr_list(&importer->reader, value.list, &list));
  if (call->status) return none;
  const char **texts = HONE_NEW_ARRAY(&importer->scratch, list.s.count + 1, const char *);
  for (size_t i = 0; texts && i < list.s.count; i++)
    if (!(texts[i] = tf_text(importer, list.s.items[i]))) texts = NULL;
  if (!texts) {
    hone_emit_keep(call, hone_error_memory());
    return none;
  }
  *count = list.s.count;
  return texts;
}

bool hone_tf_channels_first(hone_call *call, int rank) {
  const char *last = rank == 5 ? "NDHWC" : rank == 3 ? "NWC" : "NHWC";
  const char *first = rank == 5 ? "NCDHW" : rank == 3 ? "NCW" : "NCHW";
  const char *format = hone_tf_text(call, "data_format", last);
  if (strcmp(format, first) == 0) return true;
  if (strcmp(format, last) != 0)
    hone_emit_fail(call, HONE_UNSUPPORTED, "data_format %.20s of %d dimensions", format, rank);
  return false;
}

/* ---- Constants ---- */

size_t hone_tf_known(hone_call *call, int index, int64_t *out, size_t room) {
  size_t count = 0;
  const hone_value *value = hone_tf_in(call, index);
  if (call->status) return 0;
  if (hone_known_ints(value, out, room, &count)) return count;
  hone_emit_fail(call, HONE_UNSUPPORTED, "its input %d is not a constant", index);
  return 0;
}

int64_t hone_tf_known_int(hone_call *call, int index) {
  int64_t value = 0;
  size_t count = hone_tf_known(call, index, &value, 1);
  if (count != 1) hone_emit_fail(call, HONE_INVALID_MODEL, "its input %d is no scalar", index);
  return count == 1 ? value : 0;
}

/* ---- Results ---- */

/* Room for outputs 0..index. */
static hone_status *grow_outputs(tf_call *call, int index) {
  if (index < 0 || index >= TF_MAX_OUTPUTS)
    return hone_error(HONE_LIMIT, "it has more than %d outputs", TF_MAX_OUTPUTS);
  if (index < call->output_room) return NULL;
  int room = 2 * index + 4;
  tf_value *out = HONE_NEW_ARRAY(&call->importer->scratch, room, tf_value);
  HONE_TRY_MEMORY(out);
  if (call->output_count) memcpy(out, call->out, (size_t)call->output_count * sizeof *out);
  call->out = out;
  call->output_room = room;
  return NULL;
}

void tf_return(hone_call *call, int index, tf_value value) {
  tf_call *own = tf_call_of(call);
  if (call->status) return;
  hone_emit_keep(call, grow_outputs(own, index));
  if (call->status) return;
  own->out[index] = value;
  if (index >= own->output_count) own->output_count = index + 1;
}

void hone_tf_return(hone_call *call, int index, hone_value *value) {
  tf_return(call, index, (tf_value){.kind = TF_TENSOR, .value = value});
}
