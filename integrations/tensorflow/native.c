/* The segment that an engine stands for, run natively: the node's function library, a graph that
 * calls the function, and a session whose work stays on the calling thread (one on TensorFlow's own
 * pool can wait for itself). */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op.h"

struct hone_native {
  char name[300];
  char *function; /* serialized NameAttrList */
  size_t function_size;
  pthread_mutex_t opening;
  bool open;
  TF_Graph *graph;
  TF_Session *session;
  TF_Output *inputs, *outputs;
  int input_count, output_count;
};

hone_native *hone_native_new(const char *node, const TF_Buffer *function) {
  hone_native *native = calloc(1, sizeof *native);
  if (!native) return NULL;
  snprintf(native->name, sizeof native->name, "%s", node);
  native->function = malloc(function->length + 1);
  if (!native->function) {
    free(native);
    return NULL;
  }
  memcpy(native->function, function->data, function->length);
  native->function_size = function->length;
  pthread_mutex_init(&native->opening, NULL);
  return native;
}

void hone_native_free(hone_native *native) {
  if (!native) return;
  TF_Status *status = tf.TF_NewStatus();
  if (native->session) {
    tf.TF_CloseSession(native->session, status);
    tf.TF_DeleteSession(native->session, status);
  }
  if (native->graph) tf.TF_DeleteGraph(native->graph);
  tf.TF_DeleteStatus(status);
  free(native->function);
  free(native->inputs);
  free(native->outputs);
  pthread_mutex_destroy(&native->opening);
  free(native);
}

/* ---- A GraphDef, written ---- */

/* Protobuf under construction; `failed` once memory ran out. */
typedef struct message {
  char *data;
  size_t size, room;
  bool failed;
} message;

static void add(message *m, const void *data, size_t size) {
  if (m->failed || size > SIZE_MAX / 4) {
    m->failed = true;
    return;
  }
  if (m->size + size > m->room) {
    size_t room = 2 * (m->size + size) + 64;
    char *grown = realloc(m->data, room);
    if (!grown) {
      m->failed = true;
      return;
    }
    m->data = grown;
    m->room = room;
  }
  if (size) memcpy(m->data + m->size, data, size);
  m->size += size;
}

static void add_varint(message *m, uint64_t value) {
  unsigned char bytes[10];
  size_t count = 0;
  do {
    bytes[count] = (unsigned char)(value & 0x7f);
    value >>= 7;
    if (value) bytes[count] |= 0x80;
    count++;
  } while (value);
  add(m, bytes, count);
}

static void add_field(message *m, unsigned number, const void *data, size_t size) {
  add_varint(m, number << 3 | 2);
  add_varint(m, size);
  add(m, data, size);
}

static void add_text(message *m, unsigned number, const char *text) {
  add_field(m, number, text, strlen(text));
}

/* Adds `inner` as a field and frees it. */
static void add_message(message *m, unsigned number, message *inner) {
  add_field(m, number, inner->data ? inner->data : "", inner->size);
  m->failed |= inner->failed;
  free(inner->data);
}

/* attr { key, value { field: bytes } } of a NodeDef. */
static void add_attr(message *node, const char *key, message *value) {
  message entry = {0};
  add_text(&entry, 1, key);
  add_message(&entry, 2, value);
  add_message(node, 5, &entry);
}

static void add_type_attr(message *node, const char *key, int type) {
  message value = {0};
  add_varint(&value, 6 << 3);
  add_varint(&value, (uint64_t)type);
  add_attr(node, key, &value);
}

static void add_types_attr(message *node, const char *key, const int *types, int count) {
  message list = {0}, value = {0};
  for (int i = 0; i < count; i++) {
    add_varint(&list, 6 << 3);
    add_varint(&list, (uint64_t)types[i]);
  }
  add_message(&value, 1, &list);
  add_attr(node, key, &value);
}

static void add_placeholder(message *graph, int index, int type) {
  message node = {0};
  char name[30];
  snprintf(name, sizeof name, "in_%d", index);
  add_text(&node, 1, name);
  add_text(&node, 2, "Placeholder");
  add_type_attr(&node, "dtype", type);
  add_message(graph, 1, &node);
}

static void add_call(const hone_native *native, message *graph, const int *in, const int *out) {
  message node = {0}, value = {0};
  add_text(&node, 1, "call");
  add_text(&node, 2, "StatefulPartitionedCall");
  for (int i = 0; i < native->input_count; i++) {
    char name[30];
    snprintf(name, sizeof name, "in_%d", i);
    add_text(&node, 3, name);
  }
  add_types_attr(&node, "Tin", in, native->input_count);
  add_types_attr(&node, "Tout", out, native->output_count);
  add_field(&value, 10, native->function, native->function_size);
  add_attr(&node, "f", &value);
  add_message(graph, 1, &node);
}

/* ---- Opening ---- */

static bool failed(const TF_Status *status) { return tf.TF_GetCode(status) != TF_OK; }

/* The graph that calls the function on placeholders. */
static void write_graph(hone_native *native, TF_OpKernelContext *context, const int *in,
                        const int *out, message *graph, TF_Status *status) {
  TF_Buffer *library = tf.TF_NewBuffer();
  tf.TF_GetSerializedFunctionDefLibrary(context, library, status);
  for (int i = 0; i < native->input_count; i++) add_placeholder(graph, i, in[i]);
  add_call(native, graph, in, out);
  if (!failed(status)) add_field(graph, 2, library->data, library->length);
  tf.TF_DeleteBuffer(library);
  if (graph->failed) tf.TF_SetStatus(status, TF_INTERNAL, "out of memory");
}

static void open_session(hone_native *native, const message *graph, TF_Status *status) {
  TF_Buffer buffer = {graph->data, graph->size, NULL};
  TF_ImportGraphDefOptions *how = tf.TF_NewImportGraphDefOptions();
  native->graph = tf.TF_NewGraph();
  tf.TF_GraphImportGraphDef(native->graph, &buffer, how, status);
  tf.TF_DeleteImportGraphDefOptions(how);
  if (failed(status)) return;
  TF_SessionOptions *options = tf.TF_NewSessionOptions();
  native->session = tf.TF_NewSession(native->graph, options, status);
  tf.TF_DeleteSessionOptions(options);
}

static void find_ports(hone_native *native) {
  for (int i = 0; i < native->input_count; i++) {
    char name[30];
    snprintf(name, sizeof name, "in_%d", i);
    native->inputs[i] = (TF_Output){tf.TF_GraphOperationByName(native->graph, name), 0};
  }
  TF_Operation *call = tf.TF_GraphOperationByName(native->graph, "call");
  for (int i = 0; i < native->output_count; i++) native->outputs[i] = (TF_Output){call, i};
}

static void open_native(hone_native *native, TF_OpKernelContext *context, TF_Tensor **values,
                        TF_Status *status) {
  int *types = calloc((size_t)native->input_count + (size_t)native->output_count + 1, sizeof *types);
  native->inputs = calloc((size_t)native->input_count + 1, sizeof *native->inputs);
  native->outputs = calloc((size_t)native->output_count + 1, sizeof *native->outputs);
  message graph = {0};
  if (!types || !native->inputs || !native->outputs) {
    tf.TF_SetStatus(status, TF_INTERNAL, "out of memory");
  } else {
    int *out = types + native->input_count;
    for (int i = 0; i < native->input_count; i++) types[i] = tf.TF_TensorType(values[i]);
    for (int i = 0; i < native->output_count; i++)
      out[i] = tf.TF_ExpectedOutputDataType(context, i);
    write_graph(native, context, types, out, &graph, status);
  }
  if (!failed(status)) open_session(native, &graph, status);
  if (!failed(status)) find_ports(native);
  native->open = !failed(status);
  free(graph.data);
  free(types);
}

/* ---- Running ---- */

static void run_session(hone_native *native, TF_OpKernelContext *context, TF_Tensor **values,
                        TF_Tensor **results, TF_Status *status) {
  /* RunOptions { inter_op_thread_pool: -1 }: on the calling thread. */
  static const unsigned char here[] = {0x18, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0x01};
  TF_Buffer options = {here, sizeof here, NULL};
  tf.TF_SessionRun(native->session, &options, native->inputs, values, native->input_count,
                   native->outputs, results, native->output_count, NULL, 0, NULL, status);
  for (int i = 0; !failed(status) && i < native->output_count; i++)
    tf.TF_SetOutput(context, i, results[i], status);
}

void hone_native_run(hone_native *native, TF_OpKernelContext *context, int input_count,
                     TF_Status *status) {
  int outputs = tf.TF_NumOutputs(context);
  TF_Tensor **tensors = calloc((size_t)input_count + (size_t)outputs + 1, sizeof *tensors);
  if (!tensors || !tf.TF_GetSerializedFunctionDefLibrary || !tf.TF_SessionRun) {
    tf.TF_SetStatus(status, TF_INTERNAL, "this TensorFlow cannot run a segment natively");
    free(tensors);
    return;
  }
  for (int i = 0; i < input_count && !failed(status); i++)
    tf.TF_GetInput(context, i, &tensors[i], status);
  pthread_mutex_lock(&native->opening);
  if (!native->open && !failed(status)) {
    native->input_count = input_count;
    native->output_count = outputs;
    open_native(native, context, tensors, status);
  }
  pthread_mutex_unlock(&native->opening);
  if (!failed(status)) run_session(native, context, tensors, tensors + input_count, status);
  for (int i = 0; i < input_count + outputs; i++)
    if (tensors[i]) tf.TF_DeleteTensor(tensors[i]);
  free(tensors);
}
