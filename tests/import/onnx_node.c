/* Runs ONNX conformance cases by the reference interpreter and says who is right.
 *
 *   onnx_node [-v] case-folder…      (or - to read folders from standard input)
 *
 * A case folder holds model.onnx and test_data_set_*. Each case runs in a child, so that a crash
 * costs one case. One line a case that is not right (with -v: every case), then the counts. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "import/onnx_node.h"

enum verdict { RIGHT, WRONG, UNSUPPORTED, REFUSED, CRASHED, VERDICTS };
static const char *const verdict_names[] = {"right", "wrong", "unsupported", "refused", "crashed"};

#define MAX_PORTS 64

static hone_status *open_bytes(const char *path, hone_file **file, hone_bytes *out) {
  HONE_TRY(hone_file_open(path, file));
  *out = hone_file_bytes(*file);
  return NULL;
}

/* A value of a data set, of the kind that the port has. */
static hone_status *load_port(onnx_importer *importer, hone_graph *holder, const char *folder,
                              const char *stem, int index, const hone_type *type, hone_datum *out) {
  char path[1200];
  hone_file *file;
  hone_bytes bytes;
  snprintf(path, sizeof path, "%s/%s_%d.pb", folder, stem, index);
  HONE_TRY(open_bytes(path, &file, &bytes));
  importer->reader.file = bytes.data;
  return load_datum(importer, holder, bytes, type->kind, type->item, out);
}

static hone_status *run_set(const hone_graph *graph, const char *folder) {
  onnx_importer importer = {.reader = {.memory = &importer.scratch, .limit = (size_t)1 << 32}};
  hone_datum in[MAX_PORTS], out[MAX_PORTS], want;
  const hone_datum *lent[MAX_PORTS];
  hone_arena memory = {0};
  HONE_TRY(hone_graph_new("data", &importer.root));
  for (int i = 0; i < graph->input_count && i < MAX_PORTS; i++) {
    HONE_TRY(
        load_port(&importer, importer.root, folder, "input", i, &graph->inputs[i]->type, &in[i]));
    lent[i] = &in[i];
  }
  HONE_TRY(hone_interpret(graph, lent, out, &memory));
  for (int i = 0; i < graph->output_count && i < MAX_PORTS; i++) {
    HONE_TRY(load_port(&importer, importer.root, folder, "output", i,
                       &graph->outputs[i].value->type, &want));
    HONE_TRY(hone_error_at(compare_datum(&out[i], &want), "output %d", i));
  }
  return NULL;
}

/* The child's work. What it allocates goes with the process. */
static enum verdict run_case(const char *folder) {
  char path[1100];
  hone_file *file;
  hone_bytes bytes = {0};
  hone_graph *graph = NULL;
  snprintf(path, sizeof path, "%s/model.onnx", folder);
  hone_status *status = open_bytes(path, &file, &bytes);
  hone_model_source source = {.bytes = bytes, .folder = folder, .format = "onnx"};
  if (!status) status = hone_import(&source, &graph);
  enum verdict verdict = RIGHT;
  if (status) {
    verdict = hone_status_code(status) == HONE_UNSUPPORTED ? UNSUPPORTED : REFUSED;
  } else {
    for (int set = 0; !status; set++) {
      snprintf(path, sizeof path, "%s/test_data_set_%d", folder, set);
      if (access(path, F_OK) != 0) break;
      status = run_set(graph, path);
    }
    if (status) verdict = WRONG;
  }
  if (status)
    printf("%s %s: %s: %s\n", verdict_names[verdict], folder, hone_status_place(status),
           hone_status_message(status));
  fflush(stdout);
  return verdict;
}

static enum verdict run_apart(const char *folder) {
  int status = 0;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    _exit((int)run_case(folder));
  }
  if (child < 0 || waitpid(child, &status, 0) < 0) return CRASHED;
  if (WIFEXITED(status) && WEXITSTATUS(status) < CRASHED) return (enum verdict)WEXITSTATUS(status);
  printf("crashed %s\n", folder);
  return CRASHED;
}

int main(int argc, char **argv) {
  unsigned counts[VERDICTS] = {0};
  char line[1000];
  bool verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
  for (int i = 1 + verbose; i < argc; i++) {
    bool list = strcmp(argv[i], "-") == 0;
    while (!list || fgets(line, sizeof line, stdin)) {
      if (list) line[strcspn(line, "\n")] = 0;
      const char *folder = list ? line : argv[i];
      enum verdict verdict = run_apart(folder);
      counts[verdict]++;
      if (verbose && verdict == RIGHT) printf("right %s\n", folder);
      if (!list) break;
    }
  }
  for (int i = 0; i < VERDICTS; i++) printf("%s %u\n", verdict_names[i], counts[i]);
  return counts[RIGHT] == 0 || counts[CRASHED] > 0;
}
