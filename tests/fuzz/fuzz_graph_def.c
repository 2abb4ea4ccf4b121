/* Fuzz target: TensorFlow's GraphDefs, read as a model and converted. */
#include <hone/tensorflow.h>

#include "import/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes all that a conversion can write. */
static void convert(hone_bytes graph_def) {
  hone_conversion_options options = {.denied = "Relu", .outputs = "y,z:1"};
  hone_engine_nodes nodes = {.op = "TRTEngineOp", .carries_segment = 1, .weights = "weights"};
  hone_conversion *conversion = NULL;
  char *text = NULL;
  size_t size;
  hone_status *status = hone_conversion_new(graph_def, &options, &conversion);
  if (!status) status = hone_conversion_describe(conversion, &text);
  hone_text_release(text);
  text = NULL;
  for (size_t i = 0; !status && i < hone_conversion_segment_count(conversion); i++) {
    hone_segment_model model = {0};
    hone_status_free(hone_conversion_model(conversion, i, &model));
    hone_text_release(model.graph_def);
  }
  if (!status) status = hone_conversion_result(conversion, &nodes, &text, &size);
  hone_text_release(text);
  hone_conversion_free(conversion);
  hone_status_free(status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  hone_graph *graph = NULL;
  hone_model_source source = {.bytes = {data, size}, .format = "graph_def"};
  hone_status *status = hone_import(&source, &graph);
  if (!status) hone_graph_free(graph);
  hone_status_free(status);
  convert(source.bytes);
  return 0;
}
