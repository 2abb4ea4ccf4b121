/* A graph of one node, run by its reference. Attributes are given as text: "strides=2,1 groups=3
 * padding=valid". */
#ifndef HONE_TESTS_ONE_NODE_H
#define HONE_TESTS_ONE_NODE_H

#include <stdlib.h>

#include "check.h"
#include "ops/ops.h"

typedef struct one_node {
  hone_graph *graph;
  hone_node *node;
  hone_arena memory;
  hone_datum out[4];
} one_node;

/* Sets attribute `name` of any kind but a list of texts. */
static inline hone_status *set_attr(hone_node *node, const char *name, const char *value) {
  int index = hone_op_attr_index(node->op, name, strlen(name));
  if (index < 0) return hone_error(HONE_NOT_FOUND, "no attribute %s", name);
  switch (node->op->attrs[index].kind) {
    case HONE_ATTR_REAL:
      return hone_node_set_real(node, name, strtod(value, NULL));
    case HONE_ATTR_FLAG:
      return hone_node_set_int(node, name, strcmp(value, "true") == 0);
    case HONE_ATTR_INT:
      return hone_node_set_int(node, name, strtoll(value, NULL, 10));
    case HONE_ATTR_DTYPE:
      return hone_node_set_int(node, name, hone_dtype_parse(value, strlen(value)));
    case HONE_ATTR_INTS: {
      int64_t values[16];
      size_t count = 0;
      for (char *end; *value && count < 16; value = *end ? end + 1 : end)
        values[count++] = strtoll(value, &end, 10);
      return hone_node_set_ints(node, name, values, count);
    }
    default:
      return hone_node_set_text(node, name, value);
  }
}

static inline hone_status *set_attrs(hone_node *node, const char *attrs) {
  char text[400];
  snprintf(text, sizeof text, "%s", attrs);
  for (char *at = strtok(text, " "); at; at = strtok(NULL, " ")) {
    char *value = strchr(at, '=');
    *value++ = 0;
    HONE_TRY(set_attr(node, at, value));
  }
  return NULL;
}

/* Makes the node over inputs of the data's types (NULL: absent) and infers its types. */
static inline hone_status *make_node(one_node *one, const char *op, const char *attrs,
                                     const hone_datum *const *in, int inputs, int outputs) {
  hone_value *values[8] = {NULL};
  *one = (one_node){0};
  HONE_TRY(hone_graph_new("one", &one->graph));
  for (int i = 0; i < inputs; i++)
    if (in[i])
      HONE_TRY(hone_graph_input(one->graph, NULL, hone_tensor_type(in[i]->dtype, in[i]->shape),
                                &values[i]));
  HONE_TRY(hone_node_new(one->graph, NULL, hone_op_find(op, strlen(op)), values, inputs, outputs,
                         &one->node));
  HONE_TRY(set_attrs(one->node, attrs));
  return hone_node_infer(one->node);
}

/* The same, run; out is one->out. */
static inline hone_status *run_node(one_node *one, const char *op, const char *attrs,
                                    const hone_datum *const *in, int inputs, int outputs) {
  HONE_TRY(make_node(one, op, attrs, in, inputs, outputs));
  return hone_evaluate(one->node, in, one->out, &one->memory);
}

static inline void end_node(one_node *one) {
  hone_graph_free(one->graph);
  hone_arena_free(&one->memory);
}

static inline hone_datum tensor(hone_dtype dtype, void *data, int rank, const int64_t *dims) {
  return (hone_datum){.dtype = dtype, .shape = hone_shape_of(rank, dims), .data = data};
}
#define TENSOR(dtype, data, ...)                                                 \
  tensor(dtype, data, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), \
         (int64_t[]){__VA_ARGS__})

/* Small whole numbers, so that float sums are exact in any order. */
static inline void fill(float *data, size_t count, unsigned seed) {
  for (size_t i = 0; i < count; i++) {
    seed = seed * 1664525u + 1013904223u;
    data[i] = (float)((int)(seed >> 28) - 8);
  }
}

#endif
