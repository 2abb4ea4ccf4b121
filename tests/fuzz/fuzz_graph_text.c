/* Fuzz target: GraphDefs and SavedModels in protobuf's text form. */
#include "import/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const formats[] = {"graph_def", "saved_model"};
  for (int i = 0; i < 2; i++) {
    hone_graph *graph = NULL;
    hone_model_source source = {.bytes = {data, size}, .format = formats[i]};
    hone_status *status = hone_import(&source, &graph);
    if (!status) hone_graph_free(graph);
    hone_status_free(status);
  }
  return 0;
}
