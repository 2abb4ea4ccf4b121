/* The graph optimiser inside TensorFlow on graphs that are damaged in every place: it leaves them as
 * they are or makes something that reads. */
#include "check.h"
#include "fuzz/optimiser_host.h"

#include "../../integrations/tensorflow/session.h"

#define WEIGHTS 1024 /* floats: as many bytes as make a constant a weight */

/* A node with an attribute of a type, and inputs that end with NULL. */
static void add_node(hone_message *graph, const char *name, const char *op,
                     const char *const *inputs, const char *type_attr) {
  hone_message node = {0};
  hone_add_text(&node, 1, name);
  hone_add_text(&node, 2, op);
  for (; inputs && *inputs; inputs++) hone_add_text(&node, 3, *inputs);
  hone_add_type_attr(&node, type_attr, TF_FLOAT);
  hone_add_message(graph, 1, &node);
}

static void add_weight(hone_message *graph, const char *name, int rows, int columns) {
  static const float zeros[WEIGHTS];
  hone_message node = {0}, shape = {0}, tensor = {0}, value = {0};
  const int sizes[] = {rows, columns};
  hone_add_text(&node, 1, name);
  hone_add_text(&node, 2, "Const");
  hone_add_type_attr(&node, "dtype", TF_FLOAT);
  for (int i = 0; i < 2; i++) {
    hone_message dim = {0};
    hone_add_varint(&dim, 1 << 3);
    hone_add_varint(&dim, (uint64_t)sizes[i]);
    hone_add_message(&shape, 2, &dim);
  }
  hone_add_varint(&tensor, 1 << 3);
  hone_add_varint(&tensor, TF_FLOAT);
  hone_add_message(&tensor, 2, &shape);
  hone_add_field(&tensor, 4, zeros, sizeof(float) * (size_t)(rows * columns));
  hone_add_message(&value, 8, &tensor);
  hone_add_attr(&node, "value", &value);
  hone_add_message(graph, 1, &node);
}

/* y = relu(x @ a) @ a, with a switch of the first TensorFlow beside it. */
static hone_message make_graph(void) {
  static const char *const first[] = {"x", "a", NULL}, *const relu[] = {"first", NULL},
                          *const second[] = {"relu", "a", NULL}, *const last[] = {"second", NULL},
                          *const merge[] = {"last", "next", NULL}, *const next[] = {"merge", NULL};
  hone_message graph = {0};
  add_node(&graph, "x", "Placeholder", NULL, "dtype");
  add_weight(&graph, "a", 32, WEIGHTS / 32);
  add_node(&graph, "first", "MatMul", first, "T");
  add_node(&graph, "relu", "Relu", relu, "T");
  add_node(&graph, "second", "MatMul", second, "T");
  add_node(&graph, "last", "Relu", last, "T");
  add_node(&graph, "merge", "Merge", merge, "T");
  add_node(&graph, "next", "NextIteration", next, "T");
  return graph;
}

static uint64_t random_state = 88172645463325252u;

static size_t below(size_t count) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (size_t)(random_state % count);
}

/* A copy of its own size, so that a byte too far is seen. */
static int optimise_copy(const char *data, size_t size) {
  char *copy = malloc(size ? size : 1);
  if (!copy) return -2;
  if (size) memcpy(copy, data, size);
  int found = host_optimise(copy, size);
  free(copy);
  return found;
}

TEST(whole) {
  hone_message graph = make_graph();
  CHECK(!graph.failed && optimise_copy(graph.data, graph.size) == 1);
  free(graph.data);
}

TEST(cut_anywhere) {
  hone_message graph = make_graph();
  size_t weight = sizeof(float) * WEIGHTS;
  for (size_t size = 0; size < graph.size; size++) {
    bool inside = size > 200 && size < weight; /* of the weight, where each place is the same */
    if (!inside || size % 509 == 0) CHECK(optimise_copy(graph.data, size) <= 1);
  }
  free(graph.data);
}

TEST(no_graph) {
  static const char text[] = "no graph at all";
  CHECK(optimise_copy(text, sizeof text) == -1);
  CHECK(optimise_copy("", 0) == -1);
}

/* Bytes turned, and pieces put where they do not belong: lengths that lie, edges that lead back, names
 * that are nobody's or everybody's. */
TEST(damaged_at_random) {
  hone_message graph = make_graph();
  for (int round = 0; round < 1500; round++) {
    char *copy = malloc(graph.size);
    if (!copy) break;
    memcpy(copy, graph.data, graph.size);
    for (size_t k = 1 + below(6); k; k--) {
      size_t weight = sizeof(float) * WEIGHTS, at = below(graph.size - weight);
      if (at > 100) at += weight; /* most of what is before the weight is not in it */
      size_t size = 1 + below(12), from = below(graph.size - size);
      if (at + size > graph.size) size = graph.size - at;
      if (k % 2)
        copy[at] = (char)below(256);
      else
        memmove(copy + at, copy + from, size);
    }
    CHECK(optimise_copy(copy, graph.size) <= 8);
    free(copy);
  }
  free(graph.data);
}

int main(void) {
  host_open();
  RUN(whole);
  RUN(cut_anywhere);
  RUN(no_graph);
  RUN(damaged_at_random);
  return check_report();
}
