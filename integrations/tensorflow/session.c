/* Sessions inside of kernels. */
#include "session.h"

void hone_session_open(hone_session *s, const hone_message *graph, TF_Status *status) {
  if (graph->failed || !tf.TF_SessionRun || !tf.TF_GraphImportGraphDef || !tf.TF_SetConfig) {
    tf.TF_SetStatus(status, TF_UNIMPLEMENTED,
                    graph->failed ? "out of memory" : "this TensorFlow runs no sessions from C");
    return;
  }
  TF_Buffer buffer = {graph->data, graph->size, NULL};
  TF_ImportGraphDefOptions *how = tf.TF_NewImportGraphDefOptions();
  s->graph = tf.TF_NewGraph();
  tf.TF_GraphImportGraphDef(s->graph, &buffer, how, status);
  tf.TF_DeleteImportGraphDefOptions(how);
  if (tf.TF_GetCode(status) != TF_OK) return;
  TF_SessionOptions *options = tf.TF_NewSessionOptions();
  /* ConfigProto { allow_soft_placement: true, graph_options { rewrite_options {
   * use_plugin_optimizers: OFF } } }: a segment may name devices of where it was made, and is run
   * because it is not to be optimised by Hone. */
  static const unsigned char config[] = {0x38, 0x01, 0x52, 0x05, 0x52, 0x03, 0xe0, 0x01, 0x02};
  tf.TF_SetConfig(options, config, sizeof config, status);
  s->session = tf.TF_NewSession(s->graph, options, status);
  tf.TF_DeleteSessionOptions(options);
}

void hone_session_run(hone_session *s, const TF_Output *inputs, TF_Tensor *const *values,
                      int input_count, const TF_Output *outputs, TF_Tensor **results,
                      int output_count, TF_Status *status) {
  /* RunOptions { inter_op_thread_pool: -1 }: on the calling thread. */
  static const unsigned char here[] = {0x18, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0x01};
  TF_Buffer options = {here, sizeof here, NULL};
  tf.TF_SessionRun(s->session, &options, inputs, values, input_count, outputs, results,
                   output_count, NULL, 0, NULL, status);
}

void hone_session_close(hone_session *s) {
  TF_Status *status = tf.TF_NewStatus();
  if (s->session) {
    tf.TF_CloseSession(s->session, status);
    tf.TF_DeleteSession(s->session, status);
  }
  if (s->graph) tf.TF_DeleteGraph(s->graph);
  tf.TF_DeleteStatus(status);
  *s = (hone_session){0};
}

void hone_add_attr(hone_message *node, const char *key, hone_message *value) {
  hone_message entry = {0};
  hone_add_text(&entry, 1, key);
  hone_add_message(&entry, 2, value);
  hone_add_message(node, 5, &entry);
}

void hone_add_type_attr(hone_message *node, const char *key, int type) {
  hone_message value = {0};
  hone_add_varint(&value, 6 << 3);
  hone_add_varint(&value, (uint64_t)type);
  hone_add_attr(node, key, &value);
}
