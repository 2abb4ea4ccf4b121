/* Running single ops by their references in tests. */
#ifndef HONE_TESTS_OPS_HARNESS_H
#define HONE_TESTS_OPS_HARNESS_H

#include <stdlib.h>

#include "check.h"
#include "ir/text.h"
#include "ops/ops.h"

/* A tensor of up to four dimensions in `arena`, its elements set from `values` (reals). */
static inline hone_datum make(hone_arena *arena, hone_dtype dtype, hone_shape shape,
                              const double *values) {
  hone_datum out = {.dtype = dtype, .shape = shape};
  size_t bytes = 0, count = hone_datum_count(&out);
  (void)hone_shape_bytes(&shape, dtype, &bytes);
  out.data = hone_arena_zero(arena, bytes + 1);
  for (size_t i = 0; values && i < count; i++) {
    if (hone_dtype_class_of(dtype) == HONE_CLASS_FLOAT)
      hone_store_real(dtype, out.data, i, values[i]);
    else
      hone_store_int(dtype, out.data, i, (int64_t)values[i]);
  }
  return out;
}

#define SHAPE(...) \
  hone_shape_of((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
#define VECTOR(arena, dtype, ...)                                             \
  make(arena, dtype, SHAPE(sizeof((double[]){__VA_ARGS__}) / sizeof(double)), \
       (double[]){__VA_ARGS__})

/* One node of a graph of its own, whose inputs have the data's types. */
typedef struct bench {
  hone_graph *graph;
  hone_node *node;
  hone_arena memory;
  hone_datum out[4];
  const hone_datum *in[8];
  int inputs;
} bench;

static inline hone_status *bench_start(bench *b, const char *op, const hone_datum *const *in,
                                       int inputs, int outputs) {
  hone_value *values[8] = {0};
  *b = (bench){.inputs = inputs};
  HONE_TRY(hone_graph_new("bench", &b->graph));
  for (int i = 0; i < inputs; i++) {
    b->in[i] = in[i];
    if (in[i])
      HONE_TRY(hone_graph_input(b->graph, NULL, hone_tensor_type(in[i]->dtype, in[i]->shape),
                                &values[i]));
  }
  const hone_op *found = hone_op_find(op, strlen(op));
  if (!found) return hone_error(HONE_NOT_FOUND, "no op %s", op);
  return hone_node_new(b->graph, NULL, found, values, inputs, outputs, &b->node);
}

static inline hone_status *bench_run(bench *b) {
  return hone_evaluate(b->node, b->in, b->out, &b->memory);
}

static inline void bench_end(bench *b) {
  hone_graph_free(b->graph);
  hone_arena_free(&b->memory);
}

/* Element `i` of output 0. */
static inline double result(const bench *b, size_t i) {
  return hone_load_real(b->out[0].dtype, b->out[0].data, i);
}

static inline bool has_shape(const hone_datum *x, hone_shape shape) {
  return hone_shape_equal(&x->shape, &shape);
}

/* A graph in the text form, without constants kept outside. */
static inline hone_graph *parse(const char *text) {
  hone_graph *graph = NULL;
  CHECK_OK(hone_graph_parse(text, strlen(text), hone_op_find, (hone_bytes){NULL, 0}, &graph));
  return graph;
}

#endif
