/* The table of formats. Room: import. */
#include "import/import.h"

#include <string.h>

#include "base/text.h"
#include "ir/text.h"

/* Those with a signature first, bare protobuf last. */
static const hone_format formats[] = {
    {"onnx", hone_sniff_onnx, hone_import_onnx},
};

static const hone_format *find_format(hone_bytes bytes, const char *name) {
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
    if (*name ? strcmp(formats[i].name, name) == 0 : formats[i].sniff(bytes)) return &formats[i];
  return NULL;
}

hone_status *hone_import(hone_bytes bytes, const char *folder, const char *format,
                         hone_graph **out) {
  char name[40];
  const hone_format *row = find_format(bytes, format);
  if (!row && *format)
    return hone_error(HONE_INVALID_ARGUMENT, "there is no model format '%s'",
                      hone_quoted(name, sizeof name, format, strlen(format)));
  if (!row) return hone_error(HONE_INVALID_MODEL, "this is no model of a format known here");
  hone_graph *graph;
  HONE_TRY(row->import(&(hone_model_source){bytes, folder}, &graph));
  hone_status *status = hone_graph_verify(graph);
  if (status)
    hone_graph_free(graph);
  else
    *out = graph;
  return status;
}
