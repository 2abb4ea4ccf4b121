/* Runs a model from C: import, build, save, load, run.
 *
 *   run_model net.onnx [net.hone]
 *
 * Inputs are zeros; sizes that the model leaves open are 1. Every call that can fail returns a status;
 * NULL is success, anything else is ours to read and to free.
 */
#include <stdio.h>
#include <stdlib.h>

#include <hone/hone.h>

/* Ends the program with what went wrong, and where in the model. */
static void check(hone_status *status) {
  if (!status) return;
  fprintf(stderr, "%s: %s: %s\n", hone_code_name(hone_status_code(status)),
          hone_status_place(status), hone_status_message(status));
  hone_status_free(status);
  exit(1);
}

/* An engine from a model file; saved and opened again where `path` is not NULL. */
static hone_engine *make_engine(const char *model_path, const char *path) {
  hone_model *model;
  hone_engine *engine;
  check(hone_model_open(model_path, NULL, &model));
  check(hone_build(model, NULL, &engine)); /* seconds: optimises, measures, packs */
  hone_model_free(model);                  /* the engine keeps what it needs of it */
  if (!path) return engine;
  check(hone_engine_save(engine, path));
  hone_engine_free(engine);
  check(hone_engine_open(path, NULL, &engine)); /* milliseconds: checked and mapped */
  return engine;
}

/* Zeros for input `index`. The memory is ours; the context only borrows it. */
static void *bind_zeros(hone_context *context, const hone_engine *engine, size_t index) {
  hone_port port = {.struct_size = sizeof port};
  check(hone_input_at(engine, index, &port));
  hone_tensor tensor = port.type;
  for (int i = 0; i < tensor.rank; i++)
    if (tensor.dims[i] < 0) tensor.dims[i] = 1;
  tensor.size = hone_tensor_bytes(&tensor);
  tensor.data = calloc(1, tensor.size + 1);
  if (!tensor.data) exit(1);
  check(hone_set_input(context, index, &tensor));
  return tensor.data;
}

static void print_output(const hone_context *context, const hone_engine *engine, size_t index) {
  hone_port port = {.struct_size = sizeof port};
  hone_tensor tensor = {.struct_size = sizeof tensor};
  check(hone_output_at(engine, index, &port));
  check(hone_get_output(context, index, &tensor)); /* lent until the next run */
  printf("%s: %s[", port.name, hone_dtype_text(tensor.dtype));
  for (int i = 0; i < tensor.rank; i++) printf(i ? ", %lld" : "%lld", (long long)tensor.dims[i]);
  printf("]\n");
}

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "usage: run_model MODEL [ENGINE]\n"), 1;
  hone_engine *engine = make_engine(argv[1], argc > 2 ? argv[2] : NULL);
  hone_context *context;
  check(hone_context_new(engine, NULL, &context)); /* one for each concurrent request */
  size_t inputs = hone_input_count(engine);
  void **memory = calloc(inputs + 1, sizeof *memory);
  if (!memory) return 1;
  for (size_t i = 0; i < inputs; i++) memory[i] = bind_zeros(context, engine, i);
  check(hone_run(context));
  for (size_t i = 0; i < hone_output_count(engine); i++) print_output(context, engine, i);
  hone_context_free(context);
  hone_engine_free(engine);
  for (size_t i = 0; i < inputs; i++) free(memory[i]);
  free(memory);
  return 0;
}
