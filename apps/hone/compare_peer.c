/* The peer of a comparison: ONNX Runtime in a process of its own, by the Python of the variable
 * HONE_PYTHON, else the python3 on the path. */
#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compare.h"
#include "peer_onnxruntime.h"

static int write_inputs(const char *folder, const session *s) {
  char path[512];
  json_t *list = json_array();
  for (size_t i = 0; i < s->inputs.count; i++) {
    char name[32];
    hone_port port = {.struct_size = sizeof port};
    snprintf(name, sizeof name, "%zu.npy", i);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    hone_status *status = hone_input_at(s->engine, i, &port);
    if (status || !write_npy(path, &s->inputs.tensors[i])) {
      json_decref(list);
      return status ? report_failure(status) : EXIT_WRONG_USE;
    }
    json_array_append_new(list, json_pack("{s:s, s:s}", "name", port.name, "file", name));
  }
  snprintf(path, sizeof path, "%s/inputs.json", folder);
  bool good = write_json(path, list);
  json_decref(list);
  return good ? 0 : EXIT_WRONG_USE;
}

static int run_program(const char *model, const char *folder) {
  const char *python = getenv("HONE_PYTHON");
  if (!python) python = "python3";
  pid_t child = fork();
  if (child == 0) {
    execlp(python, python, "-c", peer_program, model, folder, (char *)NULL);
    _exit(127);
  }
  int state = -1;
  if (child < 0 || waitpid(child, &state, 0) != child || state != 0) {
    fprintf(stderr,
            "hone: ONNX Runtime did not run: %s (HONE_PYTHON names another) has to have onnx, "
            "onnxruntime and numpy\n",
            python);
    return EXIT_REFUSED;
  }
  return 0;
}

/* What the peer has of a record's name and size replaces the record. */
static void take(const char *path, const file_bytes *file, record_list *records) {
  for (size_t i = 0; i < records->count; i++) {
    record *r = &records->items[i];
    hone_tensor tensor;
    if (!npz_has(file, r->name) || !read_npz(path, file, r->name, &tensor)) continue;
    if (tensor_count(&tensor) != tensor_count(&r->tensor)) {
      free(tensor.data);
      continue;
    }
    free(r->tensor.data);
    r->tensor = tensor;
    r->peer = true;
  }
}

static int remove_entry(const char *path, const struct stat *state, int kind, struct FTW *level) {
  (void)state, (void)kind, (void)level;
  return remove(path);
}

int run_peer(const char *peer, const char *model, const session *plain, record_list *records) {
  if (strcmp(peer, "onnxruntime") != 0 && strcmp(peer, "ort") != 0) {
    fprintf(stderr, "hone: the peer is onnxruntime, not '%s'\n", peer);
    return EXIT_WRONG_USE;
  }
  const char *where = getenv("TMPDIR");
  char folder[256], path[512];
  snprintf(folder, sizeof folder, "%s/hone-compare-XXXXXX", where ? where : "/tmp");
  if (!mkdtemp(folder)) {
    complain(folder, "cannot be made");
    return EXIT_REFUSED;
  }
  int code = write_inputs(folder, plain);
  if (!code) code = run_program(model, folder);
  file_bytes file;
  snprintf(path, sizeof path, "%s/outputs.npz", folder);
  if (!code && read_file(path, &file)) {
    take(path, &file, records);
    free(file.data);
  }
  nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
  return code;
}
