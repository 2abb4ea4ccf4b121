/* Opening a GraphDef: what it is fed, what it gives. Room: import. */
#include <string.h>

#include "base/text.h"
#include "import/tensorflow/importer.h"

/* Memory and work grow with the file, so that a small file cannot ask for much. */
#define MEMORY_LEAST ((size_t)32 << 20)
#define VISITS_LEAST 20000

const char *tf_text(tf_importer *importer, hone_bytes span) {
  char *text = hone_arena_text(&importer->scratch, span.data ? span.data : "", span.size);
  for (size_t i = 0; text && i < span.size; i++)
    if (!text[i]) text[i] = '?';
  return text;
}

hone_status *tf_check_limits(tf_importer *importer) {
  size_t used =
      importer->scratch.total + importer->root->storage.total + importer->root->names.keys.total;
  if (used > importer->reader.limit)
    return hone_error(HONE_LIMIT, "importing it takes more than %zu bytes of memory",
                      importer->reader.limit);
  if (importer->visits++ > importer->visit_limit)
    return hone_error(HONE_LIMIT, "its functions and loops unfold into more than %zu nodes",
                      importer->visit_limit);
  return NULL;
}

/* The text form as the wire format; the graph keeps it, since constants lie in it. */
static hone_status *take_text(tf_importer *importer, const hone_proto_field *schema) {
  hone_text wire = {0};
  hone_status *status = hone_proto_from_text(importer->file, schema, &wire);
  if (!status) status = hone_graph_keep(importer->root, hone_free, wire.data);
  if (status)
    hone_text_free(&wire);
  else
    importer->file = (hone_bytes){wire.data, wire.size};
  return status;
}

hone_status *tf_importer_open(tf_importer *importer, const hone_model_source *source,
                              const hone_proto_field *schema) {
  size_t limit;
  *importer = (tf_importer){.source = source, .file = source->bytes};
  importer->placeholder.name = "?";
  importer->placeholder.type.shape = hone_shape_unknown();
  HONE_TRY(hone_graph_new(NULL, &importer->root));
  if (hone_proto_is_text(source->bytes, schema)) HONE_TRY(take_text(importer, schema));
  size_t size = importer->file.size;
  if (!hone_mul(size, 6, &limit) || !hone_add(limit, MEMORY_LEAST, &limit)) limit = SIZE_MAX;
  importer->reader = (hone_proto_reader){importer->file.data, &importer->scratch, limit};
  importer->visit_limit = VISITS_LEAST + size / 4;
  return tf_map_rows(importer);
}

void tf_importer_close(tf_importer *importer) {
  const hone_map_entry *entry;
  size_t at = 0;
  while ((entry = hone_map_next(&importer->bodies, &at)))
    hone_map_free(&((tf_body *)entry->value)->index);
  hone_map_free(&importer->bodies);
  hone_map_free(&importer->functions);
  hone_map_free(&importer->variables);
  hone_map_free(&importer->rows);
  hone_arena_free(&importer->scratch);
}

/* ---- Inputs ---- */

/* Of a list of types, one an output. */
static hone_dtype listed_dtype(tf_call *call, hone_bytes list, int output) {
  tf_attr_list types;
  size_t count = 0;
  int64_t found = 0;
  hone_emit_keep(&call->base, tf_read_attr_list(&call->importer->reader, list, &types));
  if (!call->base.status)
    hone_emit_keep(&call->base, hone_proto_count(&types.type, HONE_PROTO_VARINT, &count));
  if (call->base.status || output < 0 || (size_t)output >= count) return HONE_DTYPE_NONE;
  hone_proto_cursor cursor = {0};
  for (int i = 0; i <= output; i++) found = (int64_t)hone_proto_step(&types.type, &cursor);
  return hone_tf_dtype_of(found);
}

/* The attribute that tells an output's element type goes by one of these names. */
static hone_dtype output_dtype(tf_call *call, int output) {
  static const char *const names[] = {"dtype", "T", "DstT", "out_type", "output_type"};
  tf_attr_value value;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (!tf_attr(call, names[i], &value)) continue;
    if (value.list.data) return listed_dtype(call, value.list, output);
    return hone_tf_dtype(&call->base, names[i], HONE_DTYPE_NONE);
  }
  return HONE_DTYPE_NONE;
}

hone_status *tf_edge_type(tf_scope *scope, tf_edge edge, hone_type *out) {
  tf_call call = {.importer = scope->importer,
                  .scope = scope,
                  .node = &scope->body->nodes[edge.node],
                  .base.placeholder = &scope->importer->placeholder};
  tf_attr_value shape;
  *out = hone_tensor_type(output_dtype(&call, edge.output), hone_shape_unknown());
  if (tf_attr(&call, "shape", &shape) && shape.shape.data && !call.base.status)
    call.base.status = tf_read_shape(scope->importer, shape.shape, &out->shape);
  return call.base.status;
}

hone_status *tf_add_input(tf_scope *scope, tf_edge edge, const char *name, hone_type type) {
  hone_value *value;
  char shown[80];
  hone_status *status = NULL;
  if (!type.dtype) status = hone_error(HONE_UNSUPPORTED, "its element type is not known here");
  if (!status) status = hone_graph_input(scope->graph, name, type, &value);
  if (!status) status = tf_bind(scope, edge, (tf_value){.kind = TF_TENSOR, .value = value});
  return hone_error_at(status, "input '%s'", hone_quoted(shown, sizeof shown, name, strlen(name)));
}

/* Marks what the edges need; false in a mark: not needed. */
static hone_status *mark_needed(const tf_scope *scope, const tf_edge *edges, size_t count,
                                bool *needed) {
  const tf_body *body = scope->body;
  int *stack = HONE_NEW_ARRAY(&scope->importer->scratch, (size_t)body->node_count + 1, int);
  HONE_TRY_MEMORY(stack);
  for (size_t e = 0; e < count; e++) {
    int depth = 0;
    if (!needed[edges[e].node]) stack[depth++] = edges[e].node;
    needed[edges[e].node] = true;
    while (depth) {
      const tf_node *node = &body->nodes[stack[--depth]];
      if (scope->results[node - body->nodes].state == TF_DONE) continue;
      for (int i = 0; i < node->input_count; i++) {
        int from = node->inputs[i].node;
        if (from < 0 || needed[from]) continue;
        needed[from] = true;
        stack[depth++] = from;
      }
    }
  }
  return NULL;
}

hone_status *tf_add_placeholders(tf_scope *scope, const tf_edge *edges, size_t count) {
  const tf_body *body = scope->body;
  bool *needed = HONE_NEW_ARRAY(&scope->importer->scratch, body->node_count + 1, bool);
  HONE_TRY_MEMORY(needed);
  HONE_TRY(mark_needed(scope, edges, count, needed));
  scope->needed = needed;
  for (int i = 0; i < body->node_count; i++) {
    const tf_node *node = &body->nodes[i];
    if (!needed[i] || !tf_span_is(node->op, "Placeholder") || scope->results[i].state == TF_DONE)
      continue;
    const char *name = tf_text(scope->importer, node->name);
    hone_type type;
    HONE_TRY_MEMORY(name);
    HONE_TRY(tf_edge_type(scope, (tf_edge){i, 0}, &type));
    HONE_TRY(tf_add_input(scope, (tf_edge){i, 0}, name, type));
  }
  return NULL;
}

/* ---- Outputs ---- */

static bool is_output(const hone_graph *graph, const hone_value *value) {
  for (int i = 0; i < graph->output_count; i++)
    if (graph->outputs[i].value == value) return true;
  return false;
}

/* An output of its own name: an input, a constant or a value given twice goes through identity. */
hone_status *tf_add_output(tf_scope *scope, tf_edge edge, const char *name) {
  hone_graph *graph = scope->graph;
  hone_value *value, *holder;
  HONE_TRY(tf_demand_tensor(scope, edge, &value));
  if (!value->producer || is_output(graph, value)) {
    hone_node *node;
    HONE_TRY(hone_node_new(graph, NULL, &hone_op_identity, &value, 1, 1, &node));
    HONE_TRY(hone_node_infer(node));
    value = node->outputs[0];
  }
  holder = hone_graph_find(graph, name);
  if (holder && holder != value) HONE_TRY(hone_value_rename(holder, ""));
  if (holder != value) HONE_TRY(hone_value_rename(value, name));
  return hone_graph_output(graph, value);
}

/* ---- A frozen graph ---- */

/* What nobody takes is what the graph is for, unless it is there for its side effect. */
static bool is_result(const tf_node *node) {
  static const char *const others[] = {"Const",  "Placeholder", "NoOp",   "Assert", "Print",
                                       "SaveV2", "RestoreV2",   "Assign", "VariableV2"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (tf_span_is(node->op, others[i])) return false;
  return true;
}

static hone_status *find_results(tf_importer *importer, const tf_body *body, tf_edge **edges,
                                 size_t *count) {
  bool *taken = HONE_NEW_ARRAY(&importer->scratch, body->node_count + 1, bool);
  *edges = HONE_NEW_ARRAY(&importer->scratch, body->node_count + 1, tf_edge);
  if (!taken || !*edges) return hone_error_memory();
  for (int i = 0; i < body->node_count; i++)
    for (int k = 0; k < body->nodes[i].input_count; k++) taken[body->nodes[i].inputs[k].node] = true;
  *count = 0;
  for (int i = 0; i < body->node_count; i++)
    if (!taken[i] && is_result(&body->nodes[i])) (*edges)[(*count)++] = (tf_edge){i, 0};
  if (!*count) return hone_error(HONE_INVALID_MODEL, "a graph that gives nothing");
  return NULL;
}

/* What the user says is fed, before anything asks for it. */
static hone_status *add_named_inputs(tf_scope *scope, const char *text) {
  tf_port *ports;
  size_t count;
  HONE_TRY(tf_parse_ports(scope->importer, text, &ports, &count));
  for (size_t i = 0; i < count; i++) {
    tf_edge edge;
    hone_type type;
    HONE_TRY(tf_parse_edge(scope->body, (hone_bytes){ports[i].edge, strlen(ports[i].edge)}, &edge));
    HONE_TRY(tf_edge_type(scope, edge, &type));
    if (ports[i].has_shape) type.shape = ports[i].shape;
    HONE_TRY(tf_add_input(scope, edge, ports[i].name, type));
  }
  return NULL;
}

/* The outputs that the user names, or what nobody takes; their names in the engine. */
static hone_status *find_outputs(tf_importer *importer, const tf_body *body, tf_edge **edges,
                                 const char ***names, size_t *count) {
  tf_port *ports;
  HONE_TRY(tf_parse_ports(importer, importer->source->outputs, &ports, count));
  bool named = *count > 0;
  if (named) {
    *edges = HONE_NEW_ARRAY(&importer->scratch, *count, tf_edge);
    HONE_TRY_MEMORY(*edges);
  } else {
    HONE_TRY(find_results(importer, body, edges, count));
  }
  *names = HONE_NEW_ARRAY(&importer->scratch, *count, const char *);
  HONE_TRY_MEMORY(*names);
  for (size_t i = 0; i < *count; i++) {
    if (named)
      HONE_TRY(tf_parse_edge(body, (hone_bytes){ports[i].edge, strlen(ports[i].edge)},
                             &(*edges)[i]));
    (*names)[i] = named ? ports[i].name : tf_text(importer, body->nodes[(*edges)[i].node].name);
    HONE_TRY_MEMORY((*names)[i]);
  }
  return NULL;
}

static hone_status *convert_graph(tf_importer *importer, const tf_body *body) {
  tf_scope scope;
  tf_edge *edges;
  const char **names;
  size_t count;
  HONE_TRY(tf_scope_open(&scope, importer, body, importer->root));
  HONE_TRY(find_outputs(importer, body, &edges, &names, &count));
  HONE_TRY(add_named_inputs(&scope, importer->source->inputs));
  HONE_TRY(tf_add_placeholders(&scope, edges, count));
  for (size_t i = 0; i < count; i++) HONE_TRY(tf_add_output(&scope, edges[i], names[i]));
  return NULL;
}

static hone_status *read_graph(tf_importer *importer) {
  tf_graph_def graph;
  tf_body *body = HONE_NEW(&importer->scratch, tf_body);
  HONE_TRY_MEMORY(body);
  HONE_TRY(hone_map_put(&importer->bodies, "", 0, body));
  HONE_TRY(tf_read_graph_def(&importer->reader, importer->file, &graph));
  HONE_TRY(tf_read_library(importer, graph.library));
  HONE_TRY(tf_read_graph_body(importer, &graph, body));
  return convert_graph(importer, body);
}

bool hone_sniff_graph_def(hone_bytes bytes) {
  unsigned counts[32];
  hone_proto_kind kinds[32];
  if (hone_proto_is_text(bytes, tf_graph_def_schema)) return true;
  /* Nodes (1) and versions (4) are messages; nothing else but a library (2) and an old version. */
  if (!bytes.size || !hone_proto_outline(bytes, 64, counts, kinds) || !counts[1] ||
      kinds[1] != HONE_PROTO_BYTES)
    return false;
  for (int i = 5; i < 32; i++)
    if (counts[i]) return false;
  return (!counts[2] || kinds[2] == HONE_PROTO_BYTES) &&
         (!counts[3] || kinds[3] == HONE_PROTO_VARINT) &&
         (!counts[4] || kinds[4] == HONE_PROTO_BYTES);
}

hone_status *hone_import_graph_def(const hone_model_source *source, hone_graph **out) {
  tf_importer importer;
  hone_status *status = tf_importer_open(&importer, source, tf_graph_def_schema);
  if (!status) status = read_graph(&importer);
  if (status)
    hone_graph_free(importer.root);
  else
    *out = importer.root;
  tf_importer_close(&importer);
  return status;
}
