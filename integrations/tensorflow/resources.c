/* What TF-TRT's SavedModels do with its caches of engines: they make a handle and fill the cache
 * from an asset. The plans in there are of a library and a processor that are not here, so the
 * handle names nothing and filling it does nothing; the nodes run what else they carry. */
#include <stdlib.h>
#include <string.h>

#include "op.h"
#include "session.h"

/* Attribute resource_name; empty where this TensorFlow does not tell it. */
static void read_resource_name(TF_OpKernelConstruction *construction, TF_Status *status,
                               char name[512]) {
  int32_t list, size = 0;
  memset(name, 0, 512);
  if (!tf.TF_OpKernelConstruction_GetAttrSize || !tf.TF_OpKernelConstruction_GetAttrString) return;
  tf.TF_OpKernelConstruction_GetAttrSize(construction, "resource_name", &list, &size, status);
  if (tf.TF_GetCode(status) == TF_OK && size > 0 && size < 512)
    tf.TF_OpKernelConstruction_GetAttrString(construction, "resource_name", name, 511, status);
}

/* attr { key, value { s: text } } */
static void add_text_attr(hone_message *node, const char *key, const char *text) {
  hone_message value = {0};
  hone_add_text(&value, 2, text);
  hone_add_attr(node, key, &value);
}

/* A handle is an object of TensorFlow's own making, so the op that makes those of variables is asked
 * for one; nothing is ever stored under it. */
static void write_graph(hone_message *graph, const char *name) {
  hone_message node = {0}, shape = {0};
  hone_add_text(&node, 1, "handle");
  hone_add_text(&node, 2, "VarHandleOp");
  add_text_attr(&node, "container", "TF-TRT");
  add_text_attr(&node, "shared_name", name);
  hone_add_type_attr(&node, "dtype", TF_FLOAT);
  hone_add_field(&shape, 7, "", 0);
  hone_add_attr(&node, "shape", &shape);
  hone_add_message(graph, 1, &node);
}

void *hone_handle_create(TF_OpKernelConstruction *construction) {
  TF_Status *status = tf.TF_NewStatus();
  hone_session *session = calloc(1, sizeof *session);
  hone_message graph = {0};
  char name[512];
  read_resource_name(construction, status, name);
  tf.TF_SetStatus(status, TF_OK, "");
  write_graph(&graph, name);
  if (session)
    hone_session_open(session, &graph, status);
  else
    tf.TF_SetStatus(status, TF_INTERNAL, "out of memory");
  if (tf.TF_GetCode(status) != TF_OK) tf.TF_OpKernelConstruction_Failure(construction, status);
  free(graph.data);
  tf.TF_DeleteStatus(status);
  return session;
}

void hone_handle_compute(void *kernel, TF_OpKernelContext *context) {
  hone_session *session = kernel;
  TF_Status *status = tf.TF_NewStatus();
  TF_Output output = {tf.TF_GraphOperationByName(session->graph, "handle"), 0};
  TF_Tensor *handle = NULL;
  hone_session_run(session, NULL, NULL, 0, &output, &handle, 1, status);
  if (tf.TF_GetCode(status) == TF_OK) tf.TF_SetOutput(context, 0, handle, status);
  if (handle) tf.TF_DeleteTensor(handle);
  if (tf.TF_GetCode(status) != TF_OK) tf.TF_OpKernelContext_Failure(context, status);
  tf.TF_DeleteStatus(status);
}

void hone_handle_delete(void *kernel) {
  if (kernel) hone_session_close(kernel);
  free(kernel);
}

void hone_initialize_compute(void *kernel, TF_OpKernelContext *context) {
  (void)kernel;
  (void)context;
}

void hone_calibration_compute(void *kernel, TF_OpKernelContext *context) {
  TF_Status *status = tf.TF_NewStatus();
  (void)kernel;
  tf.TF_SetStatus(status, TF_UNIMPLEMENTED, "Hone does not calibrate on data yet");
  tf.TF_OpKernelContext_Failure(context, status);
  tf.TF_DeleteStatus(status);
}
