/* hone refit: other weights into an engine, with the kernels that it has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hone/refit.h>

#include "command.h"

static int list_weights(const hone_model *model) {
  for (size_t i = 0; i < hone_weight_count(model); i++) {
    hone_port port = {.struct_size = sizeof port};
    char type[160];
    TRY_COMMAND(hone_weight_at(model, i, &port));
    printf("%s: %s\n", port.name, tensor_text(&port.type, type, sizeof type));
  }
  return 0;
}

static int set_weight(hone_model *model, const char *name, hone_tensor *tensor) {
  tensor->struct_size = sizeof *tensor;
  hone_status *status = hone_weight_set(model, name, tensor);
  free(tensor->data);
  return status ? report_failure(status) : 0;
}

/* Every weight that the .npz holds; some it has to hold. */
static int set_all(hone_model *model, const char *path, const file_bytes *file) {
  int found = 0;
  for (size_t i = 0; i < hone_weight_count(model); i++) {
    hone_port port = {.struct_size = sizeof port};
    hone_tensor tensor = {.struct_size = sizeof tensor};
    TRY_COMMAND(hone_weight_at(model, i, &port));
    if (!npz_has(file, port.name)) continue;
    if (!read_npz(path, file, port.name, &tensor)) return EXIT_WRONG_USE;
    TRY_CODE(set_weight(model, port.name, &tensor));
    found++;
  }
  return found ? 0 : (complain(path, "holds none of the weights"), EXIT_WRONG_USE);
}

/* "NAME:FILE.npy", or "FILE.npz" for all. */
static int set_from(hone_model *model, const char *word) {
  const char *colon = strrchr(word, ':'), *path = colon ? colon + 1 : word;
  char name[1024];
  file_bytes file;
  hone_tensor tensor = {.struct_size = sizeof tensor};
  if (!read_file(path, &file)) return EXIT_WRONG_USE;
  int code = EXIT_WRONG_USE;
  if (!colon) {
    if (is_npz(&file))
      code = set_all(model, path, &file);
    else
      complain(path, "is no .npz: a .npy is given as NAME:FILE.npy");
  } else if (parse_npy(path, file.data, file.size, &tensor)) {
    snprintf(name, sizeof name, "%.*s", (int)(colon - word), word);
    code = set_weight(model, name, &tensor);
  }
  free(file.data);
  return code;
}

static int refit(const command_line *line, const hone_engine *engine, hone_model *model) {
  hone_engine *made;
  for (int i = 0; i < line->input_count; i++) TRY_CODE(set_from(model, line->inputs[i]));
  if (!line->output) return list_weights(model);
  TRY_COMMAND(hone_refit(engine, model, &made));
  int code = save_if_asked(line, made);
  hone_engine_free(made);
  return code;
}

int command_refit(const command_line *line) {
  hone_engine *engine;
  hone_model *model = NULL;
  TRY_COMMAND(hone_engine_open(line->files[0], line->options, &engine));
  hone_status *status = line->file_count > 1
                            ? hone_model_open(line->files[1], line->options, &model)
                            : hone_engine_model(engine, &model);
  int code = status ? report_failure(status) : refit(line, engine, model);
  hone_model_free(model);
  hone_engine_free(engine);
  return code;
}
