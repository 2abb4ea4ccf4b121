/* What the integration of TensorFlow asks of a graph. Room: engine. */
#include <hone/tensorflow.h>

#include "base/text.h"
#include "import/import.h"

hone_status *hone_graph_def_segments(hone_bytes graph_def, const char *denied, char **out) {
  hone_model_source source = {.bytes = graph_def,
                              .format = "graph_def",
                              .inputs = "",
                              .outputs = "",
                              .signature = "",
                              .tags = ""};
  hone_text text = {0};
  hone_status *status = hone_tensorflow_segments(&source, denied ? denied : "", &text);
  if (status)
    hone_text_free(&text);
  else
    *out = text.data;
  return status;
}
