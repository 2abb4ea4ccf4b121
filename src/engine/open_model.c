/* Opening models: a file or bytes in, a graph held. Room: engine. */
#include "engine/engine.h"
#include "import/import.h"

static void release_file(void *file) { hone_file_release(file); }

hone_status *hone_model_parse(hone_bytes bytes, const char *folder, const hone_options *options,
                              hone_model **out) {
  hone_graph *graph;
  HONE_TRY(hone_import(bytes, folder, hone_option_text(options, HONE_OPTION_format), &graph));
  return hone_model_wrap(graph, out);
}

hone_status *hone_model_open(const char *path, const hone_options *options, hone_model **out) {
  hone_file *file;
  HONE_TRY(hone_file_open(path, &file));
  char *folder = hone_path_folder(path);
  hone_graph *graph = NULL;
  hone_status *status =
      folder ? hone_import(hone_file_bytes(file), folder,
                           hone_option_text(options, HONE_OPTION_format), &graph)
             : hone_error_memory();
  if (!status) status = hone_graph_keep(graph, release_file, hone_file_retain(file));
  hone_file_release(file);
  hone_free(folder);
  if (status) {
    hone_graph_free(graph);
    return hone_error_at(status, "model '%.200s'", path);
  }
  return hone_model_wrap(graph, out);
}

