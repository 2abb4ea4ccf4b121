/* Models: an imported graph, shared with the engines built from it. Room: engine. */
#include <string.h>

#include "engine/weights.h"
#include "ir/text.h"

hone_status *hone_model_text(const hone_model *model, char **out) {
  hone_text text = {0};
  hone_status *status = hone_graph_print(model->graph, 64, NULL, NULL, &text);
  if (!status) status = hone_text_status(&text);
  if (status) {
    hone_text_free(&text);
    return status;
  }
  *out = text.data;
  return NULL;
}

hone_status *hone_model_wrap(hone_graph *graph, hone_model **out) {
  hone_model *model = hone_alloc_zero(sizeof *model);
  hone_status *status = model ? hone_weights_name(graph) : hone_error_memory();
  if (status) {
    hone_graph_free(graph);
    hone_free(model);
    return status;
  }
  atomic_init(&model->references, 1);
  model->graph = graph;
  pthread_mutex_init(&model->lock, NULL);
  *out = model;
  return NULL;
}

hone_model *hone_model_retain(const hone_model *model) {
  hone_model *shared = (hone_model *)(uintptr_t)model; /* counting is no change to see */
  atomic_fetch_add(&shared->references, 1);
  return shared;
}

void hone_model_free(hone_model *model) {
  if (!model || atomic_fetch_sub(&model->references, 1) != 1) return;
  hone_weights_free(model->weights);
  hone_origin_free(model->origin);
  pthread_mutex_destroy(&model->lock);
  hone_graph_free(model->graph);
  hone_free(model);
}

void hone_text_release(char *text) {
  hone_free(text);
}

const char *hone_version(void) {
  return HONE_VERSION;
}
const char *hone_dtype_text(hone_dtype dtype) {
  return hone_dtype_name(dtype);
}
hone_dtype hone_dtype_of(const char *name) {
  return hone_dtype_parse(name, strlen(name));
}
