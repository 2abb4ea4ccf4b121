/* Testing passes on graphs in text form: run, compare the text, compare what both graphs compute.
 */
#ifndef HONE_TESTS_REWRITES_H
#define HONE_TESTS_REWRITES_H

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "ir/text.h"
#include "numerics.h"
#include "passes/passes.h"

static const hone_pass_context rewrite_defaults = {.compute = HONE_F32, .fold_limit = 1 << 24};

/* 64 Ki floats in -1..1, the @weights of every test. */
static inline hone_bytes rewrite_weights(void) {
  static float data[1 << 16];
  uint32_t state = 12345;
  for (size_t i = 0; i < 1 << 16; i++) {
    state = state * 1664525u + 1013904223u;
    data[i] = (float)(state >> 8) / (float)(1 << 23) - 1;
  }
  return (hone_bytes){data, sizeof data};
}

static inline hone_graph *rewrite_parse(const char *text) {
  hone_graph *graph = NULL;
  hone_status *status =
      hone_graph_parse(text, strlen(text), hone_op_find, rewrite_weights(), &graph);
  if (status)
    fprintf(stderr, "%s: %s\n%s", hone_status_place(status), hone_status_message(status), text);
  check_failed += status != NULL;
  hone_status_free(status);
  return graph;
}

/* The graph as text, with elements of short constants; lent until the next call. */
static inline const char *rewrite_print(const hone_graph *graph) {
  static hone_text text;
  hone_text_free(&text);
  CHECK_OK(hone_graph_print(graph, 16, NULL, NULL, &text));
  return text.data;
}

/* The size that a symbol stands for in a run: small, odd, different for different symbols. */
static inline hone_dim rewrite_size(hone_dim dim) {
  return dim >= 0 ? dim : 2 - dim;
}

/* Fills an input: floats in -2..2, integers 0..3, truths in turn. */
static inline hone_datum rewrite_input(const hone_value *input, uint32_t *state,
                                       hone_arena *arena) {
  hone_datum datum = {.dtype = input->type.dtype, .shape = input->type.shape};
  size_t bytes = 0, count = 0;
  for (int i = 0; i < datum.shape.rank; i++) datum.shape.dim[i] = rewrite_size(datum.shape.dim[i]);
  CHECK(hone_shape_bytes(&datum.shape, datum.dtype, &bytes));
  CHECK(hone_shape_count(&datum.shape, &count));
  datum.data = hone_arena_zero(arena, bytes + 1);
  for (size_t i = 0; i < count; i++) {
    *state = *state * 1664525u + 1013904223u;
    double real = (double)(*state >> 8) / (1 << 22) - 2;
    if (hone_dtype_class_of(datum.dtype) == HONE_CLASS_FLOAT)
      hone_store_real(datum.dtype, datum.data, i, real);
    else
      hone_store_int(datum.dtype, datum.data, i, *state >> 30 & (datum.dtype == HONE_BOOL ? 1 : 3));
  }
  return datum;
}

/* Runs a graph on inputs that depend on nothing but its head. */
static inline hone_status *rewrite_run(const hone_graph *graph, hone_datum *out,
                                       hone_arena *arena) {
  const hone_datum *in[16];
  hone_datum data[16];
  uint32_t state = 99;
  for (int i = 0; i < graph->input_count && i < 16; i++) {
    data[i] = rewrite_input(graph->inputs[i], &state, arena);
    in[i] = &data[i];
  }
  return hone_interpret(graph, in, out, arena);
}

/* The largest difference over the largest value of `a`; infinite when the shapes differ. */
static inline double rewrite_difference(const hone_datum *a, const hone_datum *b) {
  if (a->dtype != b->dtype || !hone_shape_equal(&a->shape, &b->shape)) return INFINITY;
  double most = 0, scale = DBL_MIN;
  for (size_t i = 0; i < hone_datum_count(a); i++) {
    double x = hone_load_real(a->dtype, a->data, i), y = hone_load_real(b->dtype, b->data, i);
    if (x == y || (isnan(x) && isnan(y))) continue;
    most = fmax(most, fabs(x - y));
    scale = fmax(scale, fabs(x));
  }
  return isnan(most) ? INFINITY : most / scale;
}

static inline void rewrite_compare(const hone_graph *before, const hone_graph *after,
                                   double tolerance) {
  hone_arena arena = {0};
  hone_datum a[16], b[16];
  CHECK(before->input_count == after->input_count && before->output_count == after->output_count);
  int failed = check_failed;
  CHECK_OK(rewrite_run(before, a, &arena));
  if (check_failed == failed) CHECK_OK(rewrite_run(after, b, &arena));
  bool ran = check_failed == failed;
  for (int i = 0; ran && i < before->output_count; i++) {
    double difference = rewrite_difference(&a[i], &b[i]);
    if (!(difference <= tolerance)) {
      fprintf(stderr, "output %d differs by %g:\n%s", i, difference, rewrite_print(before));
      fprintf(stderr, "%s", rewrite_print(after));
    }
    CHECK(difference <= tolerance);
  }
  for (int i = 0; i < before->output_count; i++)
    CHECK(strcmp(before->outputs[i].value->name, after->outputs[i].value->name) == 0);
  hone_arena_free(&arena);
}

static inline int rewrite_fired(const hone_pass_log *log, const char *name) {
  for (int i = 0; i < log->count; i++)
    if (strcmp(log->entries[i].name, name) == 0) return log->entries[i].count;
  return 0;
}

static inline void rewrite_show_log(const hone_pass_log *log) {
  for (int i = 0; i < log->count; i++)
    fprintf(stderr, "  %s: %d\n", log->entries[i].name, log->entries[i].count);
}

/* Runs `passes`, ended by NULL, on the text; the graph is verified after each and must compute what
 * it did. The caller frees it. */
static inline hone_graph *rewrite_with(const char *text, const hone_pass *const *passes,
                                       hone_pass_context context, hone_pass_log *log,
                                       double tolerance) {
  hone_graph *before = rewrite_parse(text), *after = rewrite_parse(text);
  context.log = log;
  memset(log, 0, sizeof *log);
  for (int i = 0; after && passes[i]; i++) {
    CHECK_OK(passes[i]->run(after, &context));
    CHECK_OK(hone_graph_verify(after));
  }
  if (before && after) rewrite_compare(before, after, tolerance);
  hone_graph_free(before);
  return after;
}

/* How many nodes of this op there are, group bodies and other regions included. */
static inline int rewrite_count(const hone_graph *graph, const char *op) {
  int count = 0;
  for (const hone_node *node = graph->first; node; node = node->next) {
    count += strcmp(node->op->name, op) == 0;
    for (int i = 0; i < node->region_count; i++) count += rewrite_count(node->regions[i], op);
  }
  return count;
}

static inline int rewrite_nodes(const hone_graph *graph) {
  int count = 0;
  for (const hone_node *node = graph->first; node; node = node->next) count++;
  return count;
}

#endif
