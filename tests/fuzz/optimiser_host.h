/* TensorFlow as the graph optimiser sees it, without TensorFlow: tests link the optimiser's files and
 * include this one once. What it is told of types and shapes is as little as TensorFlow may know. */
#ifndef HONE_FUZZ_OPTIMISER_HOST_H
#define HONE_FUZZ_OPTIMISER_HOST_H

#include <stdlib.h>
#include <string.h>

#include "../../integrations/tensorflow/graph_def.h"
#include "../../integrations/tensorflow/live_segment.h"
#include "../../integrations/tensorflow/optimise.h"
#include "../../integrations/tensorflow/tf_api.h"

struct TF_Status {
  int code;
};

tf_functions tf;

static void host_set_status(TF_Status *status, int code, const char *message) {
  (void)message;
  status->code = code;
}

static int host_code(const TF_Status *status) { return status->code; }

static void host_preserved_size(const TF_GrapplerItem *item, int *count, size_t *storage,
                                TF_Status *status) {
  (void)item;
  (void)status;
  *count = 1;
  *storage = 2;
}

static void host_preserved(const TF_GrapplerItem *item, char **values, size_t *lengths, int count,
                           void *storage, size_t size, TF_Status *status) {
  static char name[] = "y";
  (void)item;
  (void)storage;
  (void)size;
  (void)status;
  for (int i = 0; i < count; i++) {
    values[i] = name;
    lengths[i] = 1;
  }
}

static TF_GraphProperties *host_properties(const TF_GrapplerItem *item) {
  return (TF_GraphProperties *)(uintptr_t)item;
}

static void host_forget(TF_GraphProperties *properties) { (void)properties; }

static void host_infer(TF_GraphProperties *properties, unsigned char valid, unsigned char aggressive,
                       unsigned char inputs, unsigned char outputs, TF_Status *status) {
  (void)properties;
  (void)valid;
  (void)aggressive;
  (void)inputs;
  (void)outputs;
  (void)status;
}

static void host_count(TF_GraphProperties *properties, const char *node, int *count,
                       TF_Status *status) {
  (void)properties;
  (void)status;
  *count = 1 + (strchr(node, 'S') != NULL);
}

/* Every output is a float of a shape that nobody knows. */
static void host_outputs(TF_GraphProperties *properties, const char *node, TF_Buffer **out,
                         int count, TF_Status *status) {
  static const unsigned char unknown[] = {0x08, 0x01, 0x12, 0x02, 0x18, 0x01};
  (void)properties;
  (void)node;
  (void)status;
  for (int i = 0; i < count; i++) *out[i] = (TF_Buffer){unknown, sizeof unknown, NULL};
}

static TF_Buffer *host_buffer(void) { return calloc(1, sizeof(TF_Buffer)); }
static void host_free(TF_Buffer *buffer) { free(buffer); }

static inline void host_open(void) {
  setenv("HONE_AUTO", "1", 1);
  tf.TF_SetStatus = host_set_status;
  tf.TF_GetCode = host_code;
  tf.TF_GetNodesToPreserveListSize = host_preserved_size;
  tf.TF_GetNodesToPreserveList = host_preserved;
  tf.TF_NewGraphProperties = host_properties;
  tf.TF_DeleteGraphProperties = host_forget;
  tf.TF_InferStatically = host_infer;
  tf.TF_GetOutputPropertiesListSize = host_count;
  tf.TF_GetOutputPropertiesList = host_outputs;
  tf.TF_NewBuffer = host_buffer;
  tf.TF_DeleteBuffer = host_free;
}

/* Reads the text of each node that is to make its engine itself; how many there are. */
static inline int host_read_segments(const hone_graph_def *graph) {
  int found = 0;
  for (int i = 0; i < graph->node_count; i++) {
    const hone_node *node = &graph->nodes[i];
    const char *at = node->body.data, *end = at + node->body.size;
    at = at < end ? memmem(at, (size_t)(end - at), "HONE SEGMENT\n", 13) : NULL;
    hone_bytes text = {at, at ? (size_t)(end - at) : 0};
    if (!at || !hone_is_live(text)) continue;
    hone_live_segment segment;
    hone_status_free(hone_live_segment_read(text, 1, 1, &segment));
    hone_live_segment_free(&segment);
    found++;
  }
  return found;
}

/* Hands a graph to the optimiser; how many segments of its own making the new graph has, -1 where the
 * optimiser left the graph as it is. */
static inline int host_optimise(const void *data, size_t size) {
  TF_Buffer given = {data, size, NULL}, result = {0};
  TF_Status status = {0};
  hone_graph_def graph;
  int found = -1;
  hone_optimise(NULL, &given, NULL, &result, &status);
  if (status.code == TF_OK && hone_graph_def_open(&graph, (hone_bytes){result.data, result.length})) {
    found = host_read_segments(&graph);
    hone_graph_def_close(&graph);
  }
  if (result.data) result.data_deallocator((void *)(uintptr_t)result.data, result.length);
  return found;
}

#endif
