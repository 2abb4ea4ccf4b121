/* The segment that an engine stands for, run natively: the node's function library, a graph that
 * calls the function, and a session. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op.h"
#include "session.h"

struct hone_native {
  char name[300];
  char *function; /* serialized NameAttrList; NULL where the node carries its segment */
  hone_bytes graph; /* the segment itself, and the names of what it is fed and gives; or nothing */
  const char *const *fed, *const *given;
  size_t function_size;
  pthread_mutex_t opening;
  bool open;
  hone_session session;
  TF_Output *inputs, *outputs;
  int input_count, output_count;
};

hone_native *hone_native_new(const char *node, const TF_Buffer *function) {
  hone_native *native = calloc(1, sizeof *native);
  if (!native) return NULL;
  snprintf(native->name, sizeof native->name, "%s", node);
  if (function) {
    native->function = malloc(function->length + 1);
    if (!native->function) {
      free(native);
      return NULL;
    }
    memcpy(native->function, function->data, function->length);
    native->function_size = function->length;
  }
  pthread_mutex_init(&native->opening, NULL);
  return native;
}

hone_native *hone_native_of_graph(const char *node, hone_bytes graph, const char *const *fed,
                                  const char *const *given) {
  hone_native *native = hone_native_new(node, NULL);
  if (!native) return NULL;
  native->graph = graph;
  native->fed = fed;
  native->given = given;
  return native;
}

void hone_native_free(hone_native *native) {
  if (!native) return;
  hone_session_close(&native->session);
  free(native->function);
  free(native->inputs);
  free(native->outputs);
  pthread_mutex_destroy(&native->opening);
  free(native);
}

/* ---- The graph that calls the function ---- */

static void add_types_attr(hone_message *node, const char *key, const int *types, int count) {
  hone_message list = {0}, value = {0};
  for (int i = 0; i < count; i++) {
    hone_add_varint(&list, 6 << 3);
    hone_add_varint(&list, (uint64_t)types[i]);
  }
  hone_add_message(&value, 1, &list);
  hone_add_attr(node, key, &value);
}

static void add_placeholder(hone_message *graph, int index, int type) {
  hone_message node = {0};
  char name[30];
  snprintf(name, sizeof name, "in_%d", index);
  hone_add_text(&node, 1, name);
  hone_add_text(&node, 2, "Placeholder");
  hone_add_type_attr(&node, "dtype", type);
  hone_add_message(graph, 1, &node);
}

static void add_call(const hone_native *native, hone_message *graph, const int *in, const int *out) {
  hone_message node = {0}, value = {0};
  hone_add_text(&node, 1, "call");
  hone_add_text(&node, 2, "StatefulPartitionedCall");
  for (int i = 0; i < native->input_count; i++) {
    char name[30];
    snprintf(name, sizeof name, "in_%d", i);
    hone_add_text(&node, 3, name);
  }
  add_types_attr(&node, "Tin", in, native->input_count);
  add_types_attr(&node, "Tout", out, native->output_count);
  hone_add_field(&value, 10, native->function, native->function_size);
  hone_add_attr(&node, "f", &value);
  hone_add_message(graph, 1, &node);
}

/* ---- Opening ---- */

static bool failed(const TF_Status *status) { return tf.TF_GetCode(status) != TF_OK; }

/* The graph that calls the function on placeholders. */
static void write_graph(hone_native *native, TF_OpKernelContext *context, const int *in,
                        const int *out, hone_message *graph, TF_Status *status) {
  TF_Buffer *library = tf.TF_NewBuffer();
  tf.TF_GetSerializedFunctionDefLibrary(context, library, status);
  for (int i = 0; i < native->input_count; i++) add_placeholder(graph, i, in[i]);
  add_call(native, graph, in, out);
  if (!failed(status)) hone_add_field(graph, 2, library->data, library->length);
  tf.TF_DeleteBuffer(library);
}

/* The graph that the node carries. */
static void read_graph(TF_OpKernelContext *context, int index, hone_message *graph,
                       TF_Status *status) {
  TF_Tensor *carried = NULL;
  tf.TF_GetInput(context, index, &carried, status);
  if (failed(status)) return;
  graph->size = tf.TF_TensorByteSize(carried);
  graph->data = malloc(graph->size + 1);
  graph->failed = !graph->data;
  if (graph->data) memcpy(graph->data, tf.TF_TensorData(carried), graph->size);
  tf.TF_DeleteTensor(carried);
}

/* "node" or "node:1". */
static TF_Output find_output(const hone_native *native, const char *text) {
  char name[2048];
  const char *colon = strrchr(text, ':');
  snprintf(name, sizeof name, "%.*s", colon ? (int)(colon - text) : (int)strlen(text), text);
  return (TF_Output){tf.TF_GraphOperationByName(native->session.graph, name),
                     colon ? atoi(colon + 1) : 0};
}

static void find_ports(hone_native *native, TF_Status *status) {
  bool found = true;
  for (int i = 0; i < native->input_count; i++) {
    char name[30];
    snprintf(name, sizeof name, "in_%d", i);
    native->inputs[i] = find_output(native, native->fed ? native->fed[i] : name);
    found &= native->inputs[i].oper != NULL;
  }
  for (int i = 0; i < native->output_count; i++) {
    char name[30];
    snprintf(name, sizeof name, "call:%d", i);
    native->outputs[i] = find_output(native, native->given ? native->given[i] : name);
    found &= native->outputs[i].oper != NULL;
  }
  if (!found) tf.TF_SetStatus(status, TF_INTERNAL, "the native segment has other inputs or outputs");
}

static void open_native(hone_native *native, TF_OpKernelContext *context, TF_Tensor **values,
                        TF_Status *status) {
  int *types = calloc((size_t)native->input_count + (size_t)native->output_count + 1, sizeof *types);
  native->inputs = calloc((size_t)native->input_count + 1, sizeof *native->inputs);
  native->outputs = calloc((size_t)native->output_count + 1, sizeof *native->outputs);
  hone_message graph = {0};
  if (!types || !native->inputs || !native->outputs) {
    tf.TF_SetStatus(status, TF_INTERNAL, "out of memory");
    free(types);
    return;
  }
  if (native->graph.data) {
    hone_add_raw(&graph, native->graph.data, native->graph.size);
  } else if (!native->function) {
    read_graph(context, native->input_count, &graph, status);
  } else {
    int *out = types + native->input_count;
    for (int i = 0; i < native->input_count; i++) types[i] = tf.TF_TensorType(values[i]);
    for (int i = 0; i < native->output_count; i++)
      out[i] = tf.TF_ExpectedOutputDataType(context, i);
    write_graph(native, context, types, out, &graph, status);
  }
  if (!failed(status)) hone_session_open(&native->session, &graph, status);
  if (!failed(status)) find_ports(native, status);
  native->open = !failed(status);
  free(graph.data);
  free(types);
}

/* ---- Running ---- */

void hone_native_call(hone_native *native, TF_OpKernelContext *context, int input_count,
                      TF_Tensor **results, TF_Status *status) {
  TF_Tensor **values = calloc((size_t)input_count + 1, sizeof *values);
  if (!values || (native->function && !tf.TF_GetSerializedFunctionDefLibrary)) {
    tf.TF_SetStatus(status, TF_INTERNAL, "this TensorFlow cannot run a segment natively");
    free(values);
    return;
  }
  for (int i = 0; i < input_count && !failed(status); i++)
    tf.TF_GetInput(context, i, &values[i], status);
  pthread_mutex_lock(&native->opening);
  if (!native->open && !failed(status)) {
    native->input_count = input_count;
    native->output_count = tf.TF_NumOutputs(context);
    open_native(native, context, values, status);
  }
  pthread_mutex_unlock(&native->opening);
  if (!failed(status))
    hone_session_run(&native->session, native->inputs, values, native->input_count,
                     native->outputs, results, native->output_count, status);
  for (int i = 0; i < input_count; i++)
    if (values[i]) tf.TF_DeleteTensor(values[i]);
  free(values);
}

void hone_native_run(hone_native *native, TF_OpKernelContext *context, int input_count,
                     TF_Status *status) {
  int outputs = tf.TF_NumOutputs(context);
  TF_Tensor **results = calloc((size_t)outputs + 1, sizeof *results);
  if (!results) {
    tf.TF_SetStatus(status, TF_INTERNAL, "out of memory");
    return;
  }
  hone_native_call(native, context, input_count, results, status);
  for (int i = 0; !failed(status) && i < outputs; i++)
    tf.TF_SetOutput(context, i, results[i], status);
  for (int i = 0; i < outputs; i++)
    if (results[i]) tf.TF_DeleteTensor(results[i]);
  free(results);
}
