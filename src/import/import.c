/* The table of formats. Room: import. */
#include "import/import.h"

#include <string.h>

#include "base/text.h"
#include "ir/text.h"

/* Those with a signature first, bare protobuf last. */
static const hone_format formats[] = {
    {"onnx", hone_sniff_onnx, hone_import_onnx, 0, {NULL}},
    {"saved_model", hone_sniff_saved_model, hone_import_saved_model,
     HONE_IMPORT_INPUTS | HONE_IMPORT_OUTPUTS | HONE_IMPORT_SIGNATURE | HONE_IMPORT_TAGS,
     {"saved_model.pb", "saved_model.pbtxt"}},
    {"graph_def", hone_sniff_graph_def, hone_import_graph_def,
     HONE_IMPORT_INPUTS | HONE_IMPORT_OUTPUTS, {NULL}},
};

#define FORMAT_COUNT (sizeof formats / sizeof *formats)

const char *hone_import_folder_file(size_t index) {
  for (size_t i = 0; i < FORMAT_COUNT; i++)
    for (int k = 0; k < 2 && formats[i].folder_files[k]; k++)
      if (index-- == 0) return formats[i].folder_files[k];
  return NULL;
}

static const hone_format *find_format(hone_bytes bytes, const char *name) {
  for (size_t i = 0; i < FORMAT_COUNT; i++)
    if (*name ? strcmp(formats[i].name, name) == 0 : formats[i].sniff(bytes)) return &formats[i];
  return NULL;
}

/* An option that the format has no use for is a mistake worth hearing of. */
static hone_status *check_texts(const hone_format *format, const hone_model_source *source) {
  const char *const texts[] = {source->inputs, source->outputs, source->signature, source->tags};
  static const char *const names[] = {"inputs", "outputs", "signature", "tags"};
  for (unsigned i = 0; i < 4; i++)
    if (*texts[i] && !(format->texts & 1u << i))
      return hone_error(HONE_INVALID_ARGUMENT, "a model of format %s takes no option '%s'",
                        format->name, names[i]);
  return NULL;
}

hone_status *hone_import(const hone_model_source *given, hone_graph **out) {
  char name[40];
  hone_model_source source = *given;
  const char **texts[] = {&source.format, &source.inputs, &source.outputs, &source.signature,
                          &source.tags};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (!*texts[i]) *texts[i] = "";
  const hone_format *row = find_format(source.bytes, source.format);
  if (!row && *source.format)
    return hone_error(HONE_INVALID_ARGUMENT, "there is no model format '%s'",
                      hone_quoted(name, sizeof name, source.format, strlen(source.format)));
  if (!row) return hone_error(HONE_INVALID_MODEL, "this is no model of a format known here");
  HONE_TRY(check_texts(row, &source));
  hone_graph *graph;
  HONE_TRY(row->import(&source, &graph));
  hone_status *status = hone_graph_verify(graph);
  if (status)
    hone_graph_free(graph);
  else
    *out = graph;
  return status;
}
