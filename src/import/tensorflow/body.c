/* The nodes of a graph or a function, with their inputs resolved. Room: import. */
#include <string.h>

#include "base/text.h"
#include "import/tensorflow/importer.h"

const tf_node *tf_find_node(const tf_body *body, hone_bytes name) {
  return name.size ? hone_map_get(&body->index, name.data, name.size) : NULL;
}

static hone_status *unknown_input(hone_bytes text) {
  char shown[80];
  return hone_error(HONE_INVALID_MODEL, "nothing gives '%s'",
                    hone_quoted(shown, sizeof shown, text.data ? text.data : "", text.size));
}

/* Where the last ':' before only digits stands, and the number after it; false: there is none. */
static bool split_index(hone_bytes text, size_t *at, int *index) {
  const char *data = text.data;
  size_t begin = text.size;
  int64_t value = 0, unit = 1;
  while (begin > 0 && data[begin - 1] >= '0' && data[begin - 1] <= '9') {
    if (text.size - begin >= 7) return false;
    value += unit * (data[begin - 1] - '0');
    unit *= 10;
    begin--;
  }
  if (begin == 0 || begin == text.size || data[begin - 1] != ':') return false;
  *at = begin - 1;
  *index = (int)value;
  return true;
}

hone_status *tf_parse_edge(const tf_body *body, hone_bytes text, tf_edge *out) {
  hone_bytes name = text;
  size_t at;
  out->output = 0;
  if (split_index(text, &at, &out->output)) name.size = at;
  const tf_node *node = tf_find_node(body, name);
  if (!node) return unknown_input(text);
  out->node = (int)(node - body->nodes);
  return NULL;
}

static int find_argument(const tf_body *body, hone_bytes name) {
  for (int i = 0; i < body->argument_count; i++)
    if (tf_spans_equal(body->arguments[i].name, name)) return i;
  return -1;
}

/* An edge written as in a function: "argument", "argument:0", "node:output_argument:0". */
static hone_status *parse_function_edge(const tf_body *body, hone_bytes text, tf_edge *out) {
  hone_bytes name = text;
  size_t at;
  int index = 0;
  if (split_index(text, &at, &index)) name.size = at;
  int argument = find_argument(body, name);
  if (argument >= 0) {
    *out = (tf_edge){-1 - argument, 0};
    return NULL;
  }
  const char *colon = name.size ? memchr(name.data, ':', name.size) : NULL;
  hone_bytes node_name = name, output = {0};
  if (colon) {
    node_name.size = (size_t)(colon - (const char *)name.data);
    output = (hone_bytes){colon + 1, name.size - node_name.size - 1};
  }
  const tf_node *node = tf_find_node(body, node_name);
  if (!node) return unknown_input(text);
  int base = node->row && node->row->outputs && output.data ? tf_output_index(node->row, output) : 0;
  if (base < 0) return unknown_input(text);
  *out = (tf_edge){(int)(node - body->nodes), base + index};
  return NULL;
}

static hone_status *read_node(tf_importer *importer, tf_body *body, hone_bytes message,
                              tf_node *node, hone_proto_list *inputs) {
  tf_node_def def;
  char shown[80];
  HONE_TRY(tf_read_node_def(&importer->reader, message, &def));
  if (!def.name.size) return hone_error(HONE_INVALID_MODEL, "a node without a name");
  if (hone_map_get(&body->index, def.name.data, def.name.size))
    return hone_error(HONE_INVALID_MODEL, "two nodes are called '%s'",
                      hone_quoted(shown, sizeof shown, def.name.data, def.name.size));
  node->name = def.name;
  node->op = def.op;
  node->attrs = def.attrs;
  node->row = def.op.size ? hone_map_get(&importer->rows, def.op.data, def.op.size) : NULL;
  *inputs = def.inputs;
  return hone_map_put(&body->index, def.name.data, def.name.size, node);
}

/* Data inputs, or with `control` those that only have to run before. */
static hone_status *resolve_inputs(const tf_body *body, tf_node *node, const hone_proto_list *texts,
                                   bool function, bool control, tf_edge *edges, int *count) {
  for (size_t i = 0; i < texts->count; i++) {
    hone_bytes text = texts->items[i];
    bool is_control = text.size && *(const char *)text.data == '^';
    if (is_control != control) continue;
    if (is_control) text = (hone_bytes){(const char *)text.data + 1, text.size - 1};
    HONE_TRY((function ? parse_function_edge : tf_parse_edge)(body, text, &edges[(*count)++]));
  }
  node->inputs = edges;
  return NULL;
}

static hone_status *resolve(tf_importer *importer, const tf_body *body, tf_node *node,
                            const hone_proto_list *texts, bool function) {
  tf_edge *edges = HONE_NEW_ARRAY(&importer->scratch, texts->count + 1, tf_edge);
  int all = 0;
  HONE_TRY_MEMORY(edges);
  HONE_TRY(resolve_inputs(body, node, texts, function, false, edges, &all));
  node->input_count = all;
  HONE_TRY(resolve_inputs(body, node, texts, function, true, edges, &all));
  node->control_count = all - node->input_count;
  return NULL;
}

/* All nodes first, so that an input may stand before the node that gives it. */
static hone_status *read_nodes(tf_importer *importer, const hone_proto_list *list, bool function,
                               tf_body *body) {
  if (list->count > INT32_MAX / 2) return hone_error(HONE_LIMIT, "%zu nodes", list->count);
  hone_proto_list *inputs = HONE_NEW_ARRAY(&importer->scratch, list->count + 1, hone_proto_list);
  body->nodes = HONE_NEW_ARRAY(&importer->scratch, list->count + 1, tf_node);
  if (!inputs || !body->nodes) return hone_error_memory();
  body->node_count = (int)list->count;
  for (size_t i = 0; i < list->count; i++)
    HONE_TRY(read_node(importer, body, list->items[i], &body->nodes[i], &inputs[i]));
  for (size_t i = 0; i < list->count; i++) {
    char shown[80];
    hone_bytes name = body->nodes[i].name;
    HONE_TRY(hone_error_at(resolve(importer, body, &body->nodes[i], &inputs[i], function),
                           "node '%s'", hone_quoted(shown, sizeof shown, name.data, name.size)));
  }
  return NULL;
}

hone_status *tf_read_graph_body(tf_importer *importer, const tf_graph_def *graph, tf_body *out) {
  return read_nodes(importer, &graph->nodes, false, out);
}

static hone_status *read_arguments(tf_importer *importer, const hone_proto_list *list,
                                   tf_body *out) {
  tf_argument *arguments = HONE_NEW_ARRAY(&importer->scratch, list->count + 1, tf_argument);
  HONE_TRY_MEMORY(arguments);
  for (size_t i = 0; i < list->count; i++)
    HONE_TRY(tf_read_bytes(&importer->reader, list->items[i], 1, &arguments[i].name));
  out->arguments = arguments;
  out->argument_count = (int)list->count;
  return NULL;
}

static hone_status *find_return(tf_importer *importer, const tf_body *body,
                                const hone_proto_list *returns, hone_bytes name, tf_edge *out) {
  for (size_t i = 0; i < returns->count; i++) {
    tf_entry entry;
    HONE_TRY(tf_read_entry(&importer->reader, returns->items[i], &entry));
    if (tf_spans_equal(entry.key, name)) return parse_function_edge(body, entry.value, out);
  }
  return unknown_input(name);
}

static hone_status *read_returns(tf_importer *importer, const hone_proto_list *outputs,
                                 const hone_proto_list *returns, tf_body *out) {
  tf_edge *edges = HONE_NEW_ARRAY(&importer->scratch, outputs->count + 1, tf_edge);
  hone_bytes *names = HONE_NEW_ARRAY(&importer->scratch, outputs->count + 1, hone_bytes);
  if (!edges || !names) return hone_error_memory();
  for (size_t i = 0; i < outputs->count; i++) {
    HONE_TRY(tf_read_bytes(&importer->reader, outputs->items[i], 1, &names[i]));
    HONE_TRY(find_return(importer, out, returns, names[i], &edges[i]));
  }
  out->returns = edges;
  out->return_names = names;
  out->return_count = (int)outputs->count;
  return NULL;
}

hone_status *tf_read_function_body(tf_importer *importer, const tf_function_def *function,
                                   tf_body *out) {
  tf_op_def signature;
  HONE_TRY(tf_read_op_def(&importer->reader, function->signature, &signature));
  out->name = signature.name;
  HONE_TRY(read_arguments(importer, &signature.inputs, out));
  HONE_TRY(read_nodes(importer, &function->nodes, true, out));
  return read_returns(importer, &signature.outputs, &function->returns, out);
}
