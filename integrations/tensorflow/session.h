/* A graph made here and a session whose work stays on the calling thread (one on TensorFlow's own
 * pool can wait for itself), on whatever device there is. */
#ifndef HONE_TENSORFLOW_SESSION_H
#define HONE_TENSORFLOW_SESSION_H

#include "message.h"
#include "tf_api.h"

/* Begins as {0}. */
typedef struct hone_session {
  TF_Graph *graph;
  TF_Session *session;
} hone_session;

/* `graph`: a GraphDef. UNIMPLEMENTED where this TensorFlow has no sessions in its C interface. */
void hone_session_open(hone_session *s, const hone_message *graph, TF_Status *status);
/* The results are the caller's. */
void hone_session_run(hone_session *s, const TF_Output *inputs, TF_Tensor *const *values,
                      int input_count, const TF_Output *outputs, TF_Tensor **results,
                      int output_count, TF_Status *status);
void hone_session_close(hone_session *s);

/* attr { key, value } of a NodeDef under construction; `value` is freed. */
void hone_add_attr(hone_message *node, const char *key, hone_message *value);
void hone_add_type_attr(hone_message *node, const char *key, int type);

#endif
