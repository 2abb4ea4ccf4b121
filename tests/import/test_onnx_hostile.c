/* ONNX files that are broken, cut off, cyclic, deep, huge or malicious: each is refused with a
 * status, in bounded memory, and leaks nothing. */
#include <stdio.h>
#include <unistd.h>

#include "base/memory.h"
#include "check.h"
#include "import/import.h"
#include "import/proto_writer.h"

/* ---- Small models; messages are written last field first ---- */

enum { MODEL_IR = 1, MODEL_GRAPH = 7, MODEL_OPSET = 8, MODEL_FUNCTION = 25 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };

static void put_opset(writer *w, unsigned field, const char *domain, int64_t version) {
  size_t end = end_mark(w);
  put_int(w, 2, version);
  put_text(w, 1, domain);
  put_header(w, field, end);
}

/* A value of f32[2, n]. */
static void put_value(writer *w, unsigned field, const char *name) {
  size_t info = end_mark(w), type = end_mark(w), tensor = end_mark(w), shape = end_mark(w);
  size_t dim = end_mark(w);
  put_text(w, 2, "n");
  put_header(w, 1, dim);
  dim = end_mark(w);
  put_int(w, 1, 2);
  put_header(w, 1, dim);
  put_header(w, 2, shape);
  put_int(w, 1, 1);
  put_header(w, 1, tensor);
  put_header(w, 2, type);
  put_text(w, 1, name);
  put_header(w, field, info);
}

static void put_node(writer *w, unsigned field, const char *domain, const char *op,
                     const char *input, const char *second, const char *output) {
  size_t end = end_mark(w);
  put_text(w, 7, domain);
  put_text(w, 4, op);
  put_text(w, 2, output);
  if (second) put_text(w, 1, second);
  put_text(w, 1, input);
  put_header(w, field, end);
}

/* Everything around the nodes that `fill` writes: x goes in, y comes out. */
static writer model_of(void (*fill)(writer *, void *), void *argument, size_t room) {
  writer w = writer_new(room);
  put_opset(&w, MODEL_OPSET, "", 17);
  put_opset(&w, MODEL_OPSET, "own", 1);
  size_t graph = end_mark(&w);
  put_value(&w, GRAPH_OUTPUT, "y");
  put_value(&w, GRAPH_INPUT, "x");
  fill(&w, argument);
  put_text(&w, GRAPH_NAME, "g");
  put_header(&w, MODEL_GRAPH, graph);
  put_int(&w, MODEL_IR, 8);
  return w;
}

static hone_status *import_bytes(hone_bytes bytes, const char *folder) {
  hone_graph *graph = NULL;
  hone_model_source source = {.bytes = bytes, .folder = folder, .format = "onnx"};
  hone_status *status = hone_import(&source, &graph);
  if (!status) hone_graph_free(graph);
  return status;
}

static hone_status *import_model(writer w, const char *folder) {
  hone_status *status = import_bytes(written(&w), folder);
  free(w.data);
  return status;
}

/* ---- A rich model: constant, condition, branches with captures, a loop ---- */

static void put_tensor(writer *w, unsigned field, const char *name, int64_t dtype,
                       const int64_t *dims, size_t rank, const void *raw, size_t size) {
  size_t end = end_mark(w);
  put_bytes(w, 9, raw, size);
  put_text(w, 8, name);
  put_int(w, 2, dtype);
  for (size_t i = rank; i > 0; i--) put_int(w, 1, dims[i - 1]);
  put_header(w, field, end);
}

static void put_branch(writer *w, const char *attr, const char *op, const char *output) {
  size_t attribute = end_mark(w);
  put_int(w, 20, 5);
  size_t graph = end_mark(w);
  put_value(w, GRAPH_OUTPUT, output);
  put_node(w, GRAPH_NODE, "", op, "h", "h", output);
  put_text(w, GRAPH_NAME, attr);
  put_header(w, 6, graph);
  put_text(w, 1, attr);
  put_header(w, 5, attribute);
}

static void put_if(writer *w, const char *condition, const char *output) {
  size_t end = end_mark(w);
  put_branch(w, "else_branch", "Mul", "b");
  put_branch(w, "then_branch", "Add", "a");
  put_text(w, 4, "If");
  put_text(w, 2, output);
  put_text(w, 1, condition);
  put_header(w, GRAPH_NODE, end);
}

static void fill_rich(writer *w, void *argument) {
  (void)argument;
  static const float numbers[2] = {1, 2};
  static const int64_t dims[2] = {2, 1};
  put_tensor(w, GRAPH_INITIALIZER, "c", 1, dims, 2, numbers, sizeof numbers);
  put_if(w, "k", "y");
  put_node(w, GRAPH_NODE, "", "IsNaN", "s", NULL, "k");
  put_node(w, GRAPH_NODE, "", "ReduceSum", "h", NULL, "s");
  put_node(w, GRAPH_NODE, "", "Add", "x", "c", "h");
}

TEST(whole_model_imports) {
  CHECK_OK(import_model(model_of(fill_rich, NULL, 4096), NULL));
}

TEST(every_cut_is_refused_or_whole) {
  writer w = model_of(fill_rich, NULL, 4096);
  hone_bytes all = written(&w);
  for (size_t size = 0; size < all.size; size++) {
    /* A copy of its own size: reading one byte too far is seen by the sanitizer. */
    void *cut = malloc(size ? size : 1);
    if (size) memcpy(cut, all.data, size);
    hone_status_free(import_bytes((hone_bytes){cut, size}, NULL));
    free(cut);
  }
  free(w.data);
}

static uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

TEST(changed_bytes_do_no_harm) {
  writer w = model_of(fill_rich, NULL, 4096);
  hone_bytes all = written(&w);
  unsigned char *copy = malloc(all.size);
  uint64_t state = 88172645463325252u;
  for (int round = 0; round < 4000; round++) {
    memcpy(copy, all.data, all.size);
    for (int i = 0; i < 1 + round % 4; i++)
      copy[next_random(&state) % all.size] = (unsigned char)next_random(&state);
    hone_status_free(import_bytes((hone_bytes){copy, all.size}, NULL));
  }
  free(copy);
  free(w.data);
}

TEST(every_failed_allocation_is_reported) {
  writer w = model_of(fill_rich, NULL, 4096);
  bool passed = false;
  for (uint64_t number = 1; number < 5000 && !passed; number++) {
    hone_alloc_fail_at(number, false);
    hone_status *status = import_bytes(written(&w), NULL);
    hone_alloc_fail_at(0, false);
    passed = status == NULL;
    CHECK(!status || hone_status_code(status) == HONE_OUT_OF_MEMORY);
    hone_status_free(status);
  }
  CHECK(passed);
  free(w.data);
}

/* ---- Order and names ---- */

static void fill_cycle(writer *w, void *argument) {
  (void)argument;
  put_node(w, GRAPH_NODE, "", "Add", "b", "x", "y");
  put_node(w, GRAPH_NODE, "", "Add", "y", "x", "b");
}

static void fill_backward(writer *w, void *argument) {
  (void)argument; /* last to first: the file has y first */
  put_node(w, GRAPH_NODE, "", "Abs", "x", NULL, "b");
  put_node(w, GRAPH_NODE, "", "Abs", "b", NULL, "y");
}

static void fill_twice(writer *w, void *argument) {
  (void)argument;
  put_node(w, GRAPH_NODE, "", "Abs", "x", NULL, "y");
  put_node(w, GRAPH_NODE, "", "Neg", "x", NULL, "y");
}

static void fill_shadow(writer *w, void *argument) {
  (void)argument;
  put_node(w, GRAPH_NODE, "", "Abs", "x", NULL, "x");
  put_node(w, GRAPH_NODE, "", "Abs", "x", NULL, "y");
}

static void fill_missing(writer *w, void *argument) {
  (void)argument;
  put_node(w, GRAPH_NODE, "", "Abs", "nowhere", NULL, "y");
}

static void fill_unknown(writer *w, void *argument) {
  (void)argument;
  put_node(w, GRAPH_NODE, "", "Frobnicate", "x", NULL, "y");
}

TEST(order_and_names) {
  CHECK_OK(import_model(model_of(fill_backward, NULL, 4096), NULL));
  CHECK_ERROR(import_model(model_of(fill_cycle, NULL, 4096), NULL), HONE_INVALID_MODEL,
              "needs its own result");
  CHECK_ERROR(import_model(model_of(fill_twice, NULL, 4096), NULL), HONE_INVALID_MODEL,
              "two nodes give 'y'");
  CHECK_ERROR(import_model(model_of(fill_shadow, NULL, 4096), NULL), HONE_INVALID_MODEL, "'x'");
  CHECK_ERROR(import_model(model_of(fill_missing, NULL, 4096), NULL), HONE_INVALID_MODEL,
              "nothing gives 'nowhere'");
  hone_status *status = import_model(model_of(fill_unknown, NULL, 4096), NULL);
  CHECK(hone_status_code(status) == HONE_UNSUPPORTED);
  CHECK(strstr(hone_status_place(status), "Frobnicate") != NULL);
  hone_status_free(status);
}

/* ---- Depth and growth ---- */

/* If inside If, `depth` times. */
static void fill_deep(writer *w, void *argument) {
  int depth = *(int *)argument;
  size_t ends[3 * 10000];
  int at = 0;
  for (int i = 0; i < depth; i++) {
    ends[at++] = end_mark(w); /* node */
    put_text(w, 4, "If");
    put_text(w, 2, "y");
    put_text(w, 1, "x");
    ends[at++] = end_mark(w); /* attribute */
    ends[at++] = end_mark(w); /* graph */
    put_value(w, GRAPH_OUTPUT, "y");
  }
  put_node(w, GRAPH_NODE, "", "Abs", "x", NULL, "y");
  for (int i = 0; i < depth; i++) {
    put_header(w, 6, ends[--at]);
    put_text(w, 1, "then_branch");
    put_header(w, 5, ends[--at]);
    put_header(w, GRAPH_NODE, ends[--at]);
  }
}

TEST(deep_graphs_are_refused) {
  int depth = 10000;
  hone_status *status = import_model(model_of(fill_deep, &depth, (size_t)4 << 20), NULL);
  CHECK(hone_status_code(status) == HONE_LIMIT);
  hone_status_free(status);
}

static void put_function(writer *w, const char *name, const char *calls, int times) {
  char from[16], to[16];
  size_t end = end_mark(w);
  put_text(w, 10, "own");
  put_opset(w, 9, "own", 1);
  put_opset(w, 9, "", 17);
  for (int i = times; i > 0; i--) {
    snprintf(from, sizeof from, "v%d", i - 1);
    snprintf(to, sizeof to, "v%d", i);
    put_node(w, 7, calls[0] == 'f' ? "own" : "", calls, from, NULL, to);
  }
  snprintf(to, sizeof to, "v%d", times);
  put_text(w, 5, to);
  put_text(w, 4, "v0");
  put_text(w, 1, name);
  put_header(w, MODEL_FUNCTION, end);
}

static void fill_call(writer *w, void *argument) {
  put_node(w, GRAPH_NODE, "own", argument, "x", NULL, "y");
}

/* `count` functions, each of which calls the one after it `times` times. */
static hone_status *import_chain(int count, int times, bool ring) {
  writer w = model_of(fill_call, "f0", (size_t)64 << 20);
  for (int i = 0; i < count; i++) {
    char name[16], next[16];
    bool last = i + 1 == count;
    snprintf(name, sizeof name, "f%d", i);
    snprintf(next, sizeof next, "f%d", last ? 0 : i + 1);
    put_function(&w, name, last && !ring ? "Abs" : next, times);
  }
  return import_model(w, NULL);
}

TEST(functions_are_inlined_within_limits) {
  CHECK_OK(import_chain(1, 3, false));
  CHECK_OK(import_chain(3000, 1, false));
  CHECK_ERROR(import_chain(1, 1, true), HONE_INVALID_MODEL, "'f0' calls itself");
  CHECK_ERROR(import_chain(7, 3, true), HONE_INVALID_MODEL, "'f0' calls itself");
  hone_status *status = import_chain(40, 2, false); /* 2^40 nodes */
  CHECK(hone_status_code(status) == HONE_LIMIT);
  hone_status_free(status);
}

/* ---- Sizes ---- */

typedef struct shaped {
  int64_t dims[9];
  size_t rank;
} shaped;

static void fill_tensor(writer *w, void *argument) {
  const shaped *s = argument;
  put_tensor(w, GRAPH_INITIALIZER, "w", 1, s->dims, s->rank, "12345678", 8);
  put_node(w, GRAPH_NODE, "", "Add", "x", "w", "y");
}

TEST(sizes_of_tensors) {
  shaped good = {{2, 1}, 2}, huge = {{INT64_C(1) << 62, 8}, 2}, negative = {{-2, -1}, 2};
  shaped larger = {{1000000}, 1}, ranks = {{2, 1, 1, 1, 1, 1, 1, 1, 1}, 9};
  CHECK_OK(import_model(model_of(fill_tensor, &good, 4096), NULL));
  CHECK_ERROR(import_model(model_of(fill_tensor, &huge, 4096), NULL), HONE_INVALID_MODEL, "size");
  CHECK_ERROR(import_model(model_of(fill_tensor, &negative, 4096), NULL), HONE_INVALID_MODEL,
              "negative");
  CHECK_ERROR(import_model(model_of(fill_tensor, &larger, 4096), NULL), HONE_INVALID_MODEL,
              "holds 8 bytes");
  CHECK_ERROR(import_model(model_of(fill_tensor, &ranks, 4096), NULL), HONE_UNSUPPORTED,
              "9 dimensions");
}

/* ---- Companion files ---- */

typedef struct companion {
  const char *location, *offset, *length;
} companion;

static void put_entry(writer *w, const char *key, const char *value) {
  if (!value) return;
  size_t end = end_mark(w);
  put_text(w, 2, value);
  put_text(w, 1, key);
  put_header(w, 13, end);
}

static void fill_external(writer *w, void *argument) {
  const companion *c = argument;
  size_t end = end_mark(w);
  put_int(w, 14, 1);
  put_entry(w, "length", c->length);
  put_entry(w, "offset", c->offset);
  put_entry(w, "location", c->location);
  put_text(w, 8, "w");
  put_int(w, 2, 1);
  put_int(w, 1, 2);
  put_header(w, GRAPH_INITIALIZER, end);
  put_node(w, GRAPH_NODE, "", "Mul", "x", "w", "y");
}

static hone_status *import_external(const char *folder, const char *location, const char *offset,
                                    const char *length) {
  companion c = {location, offset, length};
  return import_model(model_of(fill_external, &c, 4096), folder);
}

TEST(companion_files) {
  char folder[] = "/tmp/hone_onnx_XXXXXX", path[64], other[64];
  if (!mkdtemp(folder)) return;
  snprintf(path, sizeof path, "%s/w.bin", folder);
  snprintf(other, sizeof other, "%s/link.bin", folder);
  FILE *file = fopen(path, "wb");
  CHECK(file && fwrite("0123456789abcdef", 1, 16, file) == 16);
  if (file) fclose(file);
  CHECK(symlink(path, other) == 0);
  CHECK_OK(import_external(folder, "w.bin", "8", "8"));
  CHECK_OK(import_external(folder, "w.bin", NULL, NULL));
  CHECK_ERROR(import_external(folder, "w.bin", "9", "8"), HONE_INVALID_MODEL, "passes the end");
  CHECK_ERROR(import_external(folder, "w.bin", "18446744073709551615", "8"), HONE_INVALID_MODEL,
              "passes the end");
  CHECK_ERROR(import_external(folder, "w.bin", "99999999999999999999999", "8"), HONE_INVALID_MODEL,
              "no number");
  CHECK_ERROR(import_external(folder, "w.bin", "-1", "8"), HONE_INVALID_MODEL, "no number");
  CHECK_ERROR(import_external(folder, "w.bin", "0", "4"), HONE_INVALID_MODEL, "holds 4 bytes");
  CHECK_ERROR(import_external(folder, "../w.bin", NULL, NULL), HONE_INVALID_MODEL, "beneath");
  CHECK_ERROR(import_external(folder, "/etc/passwd", NULL, NULL), HONE_INVALID_MODEL, "beneath");
  CHECK_ERROR(import_external(folder, "link.bin", NULL, NULL), HONE_IO, "link.bin");
  CHECK_ERROR(import_external(folder, "absent.bin", NULL, NULL), HONE_NOT_FOUND, "absent.bin");
  CHECK_ERROR(import_external(NULL, "w.bin", NULL, NULL), HONE_INVALID_MODEL, "folder");
  unlink(other);
  unlink(path);
  rmdir(folder);
}

int main(void) {
  RUN(whole_model_imports);
  RUN(every_cut_is_refused_or_whole);
  RUN(changed_bytes_do_no_harm);
  RUN(every_failed_allocation_is_reported);
  RUN(order_and_names);
  RUN(deep_graphs_are_refused);
  RUN(functions_are_inlined_within_limits);
  RUN(sizes_of_tensors);
  RUN(companion_files);
  return check_report();
}
