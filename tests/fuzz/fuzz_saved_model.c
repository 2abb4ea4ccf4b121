/* Fuzz target: SavedModels. The input is the size of the model file (two bytes), that file, and the
 * index of its variables, whose checksums are not made good. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "import/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_file(const char *path, const uint8_t *data, size_t size) {
  FILE *file = fopen(path, "wb");
  if (!file) return;
  fwrite(data, 1, size, file);
  fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char folder[64], path[128];
  if (size < 2) return 0;
  size_t model = data[0] | (size_t)data[1] << 8;
  data += 2;
  size -= 2;
  if (model > size) model = size;
  snprintf(folder, sizeof folder, "/dev/shm/hone_fuzz_model_%d", (int)getpid());
  snprintf(path, sizeof path, "%s/variables", folder);
  mkdir(folder, 0700);
  mkdir(path, 0700);
  snprintf(path, sizeof path, "%s/variables/variables.index", folder);
  write_file(path, data + model, size - model);
  hone_graph *graph = NULL;
  hone_model_source source = {.bytes = {data, model}, .folder = folder, .format = "saved_model"};
  hone_status *status = hone_import(&source, &graph);
  if (!status) hone_graph_free(graph);
  hone_status_free(status);
  return 0;
}
