/* Putting nodes in an order that runs: each after those whose results it needs. Room: import. */
#include <string.h>

#include "base/text.h"
#include "import/onnx/importer.h"

/* Who makes what, in one flat run of nodes. Indices are kept one up: 0 is nobody. */
typedef struct ordering {
  onnx_importer *importer;
  const onnx_node *nodes;
  size_t count;
  hone_map makers;
  hone_arena memory;
  size_t *needs, need_count, need_room; /* of all nodes, one after the other */
  size_t *begin;                        /* where those of each node begin; count + 1 entries */
  bool in_order;
} ordering;

static hone_status *add_need(ordering *o, size_t node, hone_bytes name) {
  size_t maker = (size_t)(uintptr_t)hone_map_get(&o->makers, name.data, name.size);
  if (!maker || maker - 1 == node) return NULL;
  if (maker - 1 > node) o->in_order = false;
  if (o->need_count == o->need_room) {
    size_t room = o->need_room ? o->need_room * 2 : 64;
    size_t *needs = HONE_NEW_ARRAY(&o->memory, room, size_t);
    HONE_TRY_MEMORY(needs);
    if (o->need_count) memcpy(needs, o->needs, o->need_count * sizeof *needs);
    o->needs = needs;
    o->need_room = room;
  }
  o->needs[o->need_count++] = maker - 1;
  return NULL;
}

static hone_status *needs_of_graph(ordering *o, size_t node, hone_bytes bytes, int depth);

/* What a node needs: its inputs, and what the graphs inside it may capture. */
static hone_status *needs_of_node(ordering *o, size_t node, const onnx_node *n, int depth) {
  for (size_t i = 0; i < n->inputs.count; i++) HONE_TRY(add_need(o, node, n->inputs.items[i]));
  for (size_t i = 0; i < n->attributes.count; i++) {
    static const hone_proto_rule graph_rule[] = {{6, HONE_PROTO_BYTES, false, 0}};
    hone_bytes graph = {0};
    HONE_TRY(hone_proto_read(&o->importer->reader, n->attributes.items[i], graph_rule, 1, &graph));
    if (graph.data) HONE_TRY(needs_of_graph(o, node, graph, depth + 1));
  }
  return NULL;
}

static hone_status *needs_of_graph(ordering *o, size_t node, hone_bytes bytes, int depth) {
  onnx_graph graph;
  onnx_node inner;
  if (depth > ONNX_MAX_REGIONS)
    return hone_error(HONE_LIMIT, "more than %d graphs inside each other", ONNX_MAX_REGIONS);
  HONE_TRY(onnx_read_graph(&o->importer->reader, bytes, &graph));
  for (size_t i = 0; i < graph.nodes.count; i++) {
    HONE_TRY(onnx_read_node(&o->importer->reader, graph.nodes.items[i], &inner));
    HONE_TRY(needs_of_node(o, node, &inner, depth));
  }
  for (size_t i = 0; i < graph.outputs.count; i++) {
    onnx_value_info output;
    HONE_TRY(onnx_read_value_info(&o->importer->reader, graph.outputs.items[i], &output));
    HONE_TRY(add_need(o, node, output.name));
  }
  return NULL;
}

static hone_status *learn(ordering *o) {
  char name[80];
  o->in_order = true;
  o->begin = HONE_NEW_ARRAY(&o->memory, o->count + 1, size_t);
  HONE_TRY_MEMORY(o->begin);
  for (size_t i = 0; i < o->count; i++) {
    const hone_proto_list *outputs = &o->nodes[i].outputs;
    for (size_t k = 0; k < outputs->count; k++) {
      hone_bytes output = outputs->items[k];
      if (!output.size) continue;
      if (hone_map_get(&o->makers, output.data, output.size))
        return hone_error(HONE_INVALID_MODEL, "two nodes give '%s'",
                          hone_quoted(name, sizeof name, output.data, output.size));
      HONE_TRY(hone_map_put(&o->makers, output.data, output.size, (void *)(uintptr_t)(i + 1)));
    }
  }
  for (size_t i = 0; i < o->count; i++) {
    o->begin[i] = o->need_count;
    HONE_TRY(needs_of_node(o, i, &o->nodes[i], 0));
  }
  o->begin[o->count] = o->need_count;
  return NULL;
}

/* Depth first without recursion: a node is placed when all that it needs are. */
static hone_status *sort(ordering *o, size_t *order) {
  enum { NEW, OPEN, PLACED };
  unsigned char *state = HONE_NEW_ARRAY(&o->memory, o->count, unsigned char);
  size_t *stack = HONE_NEW_ARRAY(&o->memory, o->count, size_t);
  size_t *next = HONE_NEW_ARRAY(&o->memory, o->count, size_t);
  if (!state || !stack || !next) return hone_error_memory();
  size_t placed = 0;
  for (size_t root = 0; root < o->count; root++) {
    size_t depth = 0;
    if (state[root] == NEW) stack[depth++] = root;
    while (depth) {
      size_t node = stack[depth - 1];
      if (state[node] == NEW) {
        state[node] = OPEN;
        next[node] = o->begin[node];
      }
      if (next[node] == o->begin[node + 1]) {
        state[node] = PLACED;
        order[placed++] = node;
        depth--;
        continue;
      }
      size_t need = o->needs[next[node]++];
      if (state[need] == OPEN) {
        char name[80];
        hone_bytes output = o->nodes[need].outputs.items[0];
        return hone_error(HONE_INVALID_MODEL, "the node that gives '%s' needs its own result",
                          hone_quoted(name, sizeof name, output.data, output.size));
      }
      if (state[need] == NEW) stack[depth++] = need;
    }
  }
  return NULL;
}

hone_status *onnx_order(onnx_importer *importer, const onnx_node *nodes, size_t count,
                        size_t **order) {
  ordering o = {.importer = importer, .nodes = nodes, .count = count};
  hone_status *status = learn(&o);
  *order = NULL;
  if (!status && !o.in_order) {
    *order = HONE_NEW_ARRAY(&importer->scratch, count, size_t);
    status = *order ? sort(&o, *order) : hone_error_memory();
  }
  hone_map_free(&o.makers);
  hone_arena_free(&o.memory);
  return status;
}
