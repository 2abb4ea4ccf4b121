/* Fuzz target: ONNX models. What imports must verify, print and be freed; nothing else may happen.
 */
#include "base/memory.h"
#include "import/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  hone_graph *graph = NULL;
  hone_model_source source = {.bytes = {data, size}, .format = "onnx"};
  hone_status *status = hone_import(&source, &graph);
  if (!status) hone_graph_free(graph);
  hone_status_free(status);
  return 0;
}
