/* Fuzz target: TensorFlow's GraphDefs, read as a model and cut into segments. */
#include "base/text.h"
#include "import/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  hone_graph *graph = NULL;
  hone_text text = {0};
  hone_model_source source = {.bytes = {data, size}, .format = "graph_def"};
  hone_status *status = hone_import(&source, &graph);
  if (!status) hone_graph_free(graph);
  hone_status_free(status);
  hone_status_free(hone_tensorflow_segments(&source, "Relu", &text));
  hone_text_free(&text);
  return 0;
}
