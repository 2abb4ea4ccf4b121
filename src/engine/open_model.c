/* Opening models: a file or bytes in, a graph held. Room: engine. */
#include <string.h>

#include "engine/engine.h"
#include "import/import.h"

static hone_model_source source_of(hone_bytes bytes, const char *folder,
                                   const hone_options *options) {
  return (hone_model_source){.bytes = bytes,
                             .folder = folder,
                             .format = hone_option_text(options, HONE_OPTION_format),
                             .inputs = hone_option_text(options, HONE_OPTION_inputs),
                             .outputs = hone_option_text(options, HONE_OPTION_outputs),
                             .signature = hone_option_text(options, HONE_OPTION_signature),
                             .tags = hone_option_text(options, HONE_OPTION_tags)};
}

hone_status *hone_model_parse(hone_bytes bytes, const char *folder, const hone_options *options,
                              hone_model **out) {
  hone_graph *graph;
  hone_model_source source = source_of(bytes, folder, options);
  HONE_TRY(hone_import(&source, &graph));
  return hone_model_wrap(graph, out);
}

/* A model may be a folder, known by a file in it. */
static hone_status *open_folder(const char *folder, hone_file **out) {
  const char *name;
  for (size_t i = 0; (name = hone_import_folder_file(i)); i++) {
    hone_status *status = hone_file_open_beneath(folder, name, strlen(name), out);
    if (!status || hone_status_code(status) != HONE_NOT_FOUND) return status;
    hone_status_free(status);
  }
  return hone_error(HONE_NOT_FOUND, "a folder without a model that is known here");
}

/* The file to begin with, and the folder (for hone_free) that companions lie in. */
static hone_status *open_path(const char *path, hone_file **file, char **folder) {
  HONE_TRY(hone_path_is_folder(path) ? open_folder(path, file) : hone_file_open(path, file));
  *folder = hone_path_folder(path);
  if (*folder) return NULL;
  hone_file_release(*file);
  return hone_error_memory();
}

static hone_status *import_file(const char *path, const hone_options *options, hone_graph **out) {
  hone_file *file;
  char *folder;
  HONE_TRY(open_path(path, &file, &folder));
  hone_model_source source = source_of(hone_file_bytes(file), folder, options);
  hone_status *status = hone_import(&source, out);
  hone_free(folder);
  if (status) {
    hone_file_release(file);
    return status;
  }
  status = hone_graph_keep_file(*out, file);
  if (status) hone_graph_free(*out);
  return status;
}

hone_status *hone_model_open(const char *path, const hone_options *options, hone_model **out) {
  hone_graph *graph;
  hone_model *model;
  HONE_TRY(hone_error_at(import_file(path, options, &graph), "model '%.200s'", path));
  HONE_TRY(hone_model_wrap(graph, &model));
  hone_status *status = hone_origin_new(path, options, &model->origin);
  if (status)
    hone_model_free(model);
  else
    *out = model;
  return status;
}
