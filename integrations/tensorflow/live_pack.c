/* Engines from segments: the weights written into the segment as constants, and the build. */
#include "live_pack.h"

#include <hone/refit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

/* Seconds that the measuring of a first build may take. */
#define BUILD_SECONDS "20"

static size_t varint_size(uint64_t value) {
  size_t size = 1;
  while (value >>= 7) size++;
  return size;
}

/* A field's key and size; its content is what is added next. */
static void open_field(hone_message *m, unsigned number, size_t size) {
  hone_add_varint(m, number << 3 | 2);
  hone_add_varint(m, size);
}

/* What a message of `size` bytes takes as a field below 16. */
static size_t field_size(size_t size) { return 1 + varint_size(size) + size; }

/* node { name, op: "Const", attr dtype, attr value { tensor { dtype, shape, content } } }, the content
 * last in each, so that it is copied once. */
static void add_weight(hone_message *graph, const char *name, size_t name_size,
                       const TF_Tensor *weight) {
  hone_message node = {0}, shape = {0}, tensor = {0}, entry = {0};
  size_t size = tf.TF_TensorByteSize(weight);
  hone_add_field(&node, 1, name, name_size);
  hone_add_text(&node, 2, "Const");
  hone_add_type_attr(&node, "dtype", tf.TF_TensorType(weight));
  for (int i = 0; i < tf.TF_NumDims(weight); i++) {
    hone_message dim = {0};
    hone_add_varint(&dim, 1 << 3);
    hone_add_varint(&dim, (uint64_t)tf.TF_Dim(weight, i));
    hone_add_message(&shape, 2, &dim);
  }
  hone_add_varint(&tensor, 1 << 3);
  hone_add_varint(&tensor, (uint64_t)tf.TF_TensorType(weight));
  hone_add_message(&tensor, 2, &shape);
  hone_add_text(&entry, 1, "value");
  size_t tensor_size = tensor.size + field_size(size);
  size_t value_size = field_size(tensor_size);
  size_t entry_size = entry.size + field_size(value_size);
  open_field(graph, 1, node.size + field_size(entry_size));
  hone_add_raw(graph, node.data, node.size);
  open_field(graph, 5, entry_size);
  hone_add_raw(graph, entry.data, entry.size);
  open_field(graph, 2, value_size);
  open_field(graph, 8, tensor_size);
  hone_add_raw(graph, tensor.data, tensor.size);
  hone_add_field(graph, 4, tf.TF_TensorData(weight), size);
  graph->failed |= node.failed | tensor.failed | entry.failed;
  free(node.data);
  free(tensor.data);
  free(entry.data);
}

/* The weight that a node of the segment is the placeholder of; NULL for another node. */
static const TF_Tensor *weight_of(const hone_live_segment *s, TF_Tensor *const *held,
                                  const hone_wire_field *node, hone_wire_field *name) {
  const char *at = node->bytes, *end = at + node->size;
  while (hone_read_field(&at, end, name))
    if (name->number == 1) break;
  if (name->number != 1 || !name->bytes) return NULL;
  for (int i = 0; i < s->values; i++) {
    if (!held[i]) continue;
    const char *fed = s->nodes[i];
    if (strlen(fed) == name->size && memcmp(fed, name->bytes, name->size) == 0) return held[i];
  }
  return NULL;
}

/* The segment with constants for its weights. */
static hone_status *write_model(const hone_live_segment *s, TF_Tensor *const *held,
                                hone_message *model) {
  const char *at = s->graph.data, *end = at + s->graph.size, *start = at;
  hone_wire_field field, name;
  while (hone_read_field(&at, end, &field)) {
    const TF_Tensor *weight = field.number == 1 && field.bytes
                                  ? weight_of(s, held, &field, &name)
                                  : NULL;
    if (weight)
      add_weight(model, name.bytes, name.size, weight);
    else
      hone_add_raw(model, start, (size_t)(at - start));
    start = at;
  }
  if (model->failed) return hone_status_new(HONE_OUT_OF_MEMORY, "out of memory");
  return at == end ? NULL : hone_status_new(HONE_INVALID_MODEL, "its segment cannot be read");
}

/* The option "inputs": what is fed at each call; and "shapes", what this call has (`context` may be
 * NULL). */
static void write_inputs(const hone_live_segment *s, TF_OpKernelContext *context, hone_message *inputs,
                         hone_message *shapes) {
  TF_Status *status = tf.TF_NewStatus();
  char text[30];
  for (int i = 0; i < s->values; i++) {
    TF_Tensor *given = NULL;
    if (s->is_weight[i]) continue;
    if (inputs->size) hone_add_raw(inputs, ",", 1);
    hone_add_raw(inputs, s->ports[i], strlen(s->ports[i]));
    if (context) tf.TF_GetInput(context, i, &given, status);
    for (int d = 0; given && d < tf.TF_NumDims(given); d++) {
      if (d == 0) {
        snprintf(text, sizeof text, "%sin_%d:", shapes->size ? "," : "", i);
        hone_add_raw(shapes, text, strlen(text));
      }
      snprintf(text, sizeof text, "%s%lld", d ? "x" : "", (long long)tf.TF_Dim(given, d));
      hone_add_raw(shapes, text, strlen(text));
    }
    if (given) tf.TF_DeleteTensor(given);
  }
  hone_add_raw(inputs, "", 1);
  hone_add_raw(shapes, "", 1);
  tf.TF_DeleteStatus(status);
}

static hone_status *set_options(const hone_live_segment *s, TF_OpKernelContext *context,
                                hone_options **options) {
  hone_message inputs = {0}, shapes = {0};
  hone_status *status = hone_options_new(options);
  write_inputs(s, context, &inputs, &shapes);
  if (!status && (inputs.failed || shapes.failed))
    status = hone_status_new(HONE_OUT_OF_MEMORY, "out of memory");
  if (!status) status = hone_options_set(*options, "format", "graph_def");
  if (!status) status = hone_options_set(*options, "inputs", inputs.data);
  if (!status) status = hone_options_set(*options, "outputs", s->wanted);
  if (!status) status = hone_options_set(*options, "shapes", shapes.data);
  if (!status) status = hone_options_set(*options, "build-seconds", BUILD_SECONDS);
  if (!status) status = hone_set_threads(options);
  free(inputs.data);
  free(shapes.data);
  return status;
}

hone_status *hone_live_pack(const hone_live_segment *segment, TF_Tensor *const *held,
                            TF_OpKernelContext *context, const hone_engine *old,
                            hone_message *message, hone_runner **out) {
  hone_options *options = NULL;
  hone_model *model = NULL;
  hone_engine *engine = NULL;
  hone_status *status = write_model(segment, held, message);
  if (!status) status = set_options(segment, context, &options);
  hone_bytes bytes = {message->data, message->size};
  if (!status) status = hone_model_parse(bytes, NULL, options, &model);
  if (!status)
    status = old ? hone_refit(old, model, &engine) : hone_build(model, options, &engine);
  if (!status) status = hone_runner_new(engine, segment->values, segment->outputs, out);
  hone_model_free(model);
  hone_options_free(options);
  return status;
}
