/* Reading an ONNX model: what it declares, its nodes, its outputs. Room: import. */
#include <string.h>

#include "base/text.h"
#include "import/onnx/importer.h"

/* Memory and work grow with the file, so that a small file cannot ask for much. */
#define MEMORY_LEAST ((size_t)32 << 20)
#define VISITS_LEAST 20000

bool hone_sniff_onnx(hone_bytes bytes) {
  unsigned counts[32];
  hone_proto_kind kinds[32];
  /* A model has its version and its graph; opsets tell it from a GraphDef or a NetParameter. */
  return bytes.size && hone_proto_outline(bytes, 64, counts, kinds) && counts[7] == 1 &&
         kinds[7] == HONE_PROTO_BYTES && (!counts[1] || kinds[1] == HONE_PROTO_VARINT) &&
         (counts[1] || counts[8]);
}

static hone_status *add_input(onnx_scope *scope, hone_bytes bytes) {
  onnx_value_info info;
  hone_type type;
  hone_value *value;
  char shown[80];
  HONE_TRY(onnx_read_value_info(&scope->importer->reader, bytes, &info));
  if (!info.name.size) return hone_error(HONE_INVALID_MODEL, "an input without a name");
  /* An input with an initialiser is optional: the initialiser is what it is. */
  if (hone_map_get(&scope->names, info.name.data, info.name.size)) return NULL;
  hone_status *status = onnx_value_type(scope->importer, info.type, &type);
  const char *name = onnx_text(scope->importer, info.name);
  if (!status && !name) status = hone_error_memory();
  if (!status) status = hone_graph_input(scope->graph, name, type, &value);
  if (!status) status = onnx_bind(scope, info.name, value);
  return hone_error_at(status, "input '%s'",
                       hone_quoted(shown, sizeof shown, info.name.data, info.name.size));
}

/* Gives output `value` the user's name; whoever had it by accident loses it. */
static hone_status *name_output(hone_graph *graph, hone_value *value, const char *name) {
  hone_value *holder = hone_graph_find(graph, name);
  if (holder == value) return NULL;
  if (holder) HONE_TRY(hone_value_rename(holder, ""));
  return hone_value_rename(value, name);
}

static bool is_output(const hone_graph *graph, const hone_value *value) {
  for (int i = 0; i < graph->output_count; i++)
    if (graph->outputs[i].value == value) return true;
  return false;
}

/* An output of its own name: an input, a constant or a value given twice goes through identity. */
static hone_status *add_output(onnx_scope *scope, hone_bytes name) {
  hone_value *value;
  hone_graph *graph = scope->graph;
  HONE_TRY(onnx_find(scope, name, &value));
  const char *text = onnx_text(scope->importer, name);
  HONE_TRY_MEMORY(text);
  if (!value->producer || is_output(graph, value)) {
    hone_node *node;
    HONE_TRY(hone_node_new(graph, NULL, &hone_op_identity, &value, 1, 1, &node));
    HONE_TRY(hone_node_infer(node));
    value = node->outputs[0];
  }
  HONE_TRY(name_output(graph, value, text));
  return hone_graph_output(graph, value);
}

static hone_status *add_outputs(onnx_scope *scope, const hone_proto_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    onnx_value_info info;
    char shown[80];
    HONE_TRY(onnx_read_value_info(&scope->importer->reader, list->items[i], &info));
    HONE_TRY(hone_error_at(
        add_output(scope, info.name), "output '%s'",
        hone_quoted(shown, sizeof shown, info.name.data ? info.name.data : "", info.name.size)));
  }
  return NULL;
}

static hone_status *check_version(hone_bytes span) {
  uint64_t version = hone_proto_varint(span);
  if (!span.data || version >= 3) return NULL;
  return hone_error(HONE_UNSUPPORTED, "ONNX's IR version %llu is older than 3",
                    (unsigned long long)version);
}

static hone_status *read_graph(onnx_scope *scope, const onnx_model *model) {
  onnx_graph graph;
  HONE_TRY(onnx_read_graph(&scope->importer->reader, model->graph, &graph));
  HONE_TRY(onnx_declare(scope, &graph));
  for (size_t i = 0; i < graph.inputs.count; i++) {
    HONE_TRY(add_input(scope, graph.inputs.items[i]));
    HONE_TRY(onnx_check_limits(scope->importer));
  }
  HONE_TRY(onnx_convert(scope, &graph.nodes));
  return add_outputs(scope, &graph.outputs);
}

static hone_status *read_model(onnx_importer *importer, hone_bytes bytes) {
  onnx_model model;
  onnx_scope scope = {.importer = importer, .graph = importer->root, .prefix = ""};
  HONE_TRY(onnx_read_model(&importer->reader, bytes, &model));
  HONE_TRY(check_version(model.ir_version));
  if (!model.graph.data) return hone_error(HONE_INVALID_MODEL, "a model without a graph");
  HONE_TRY(onnx_map_rows(importer));
  HONE_TRY(onnx_read_functions(importer, &model.functions));
  HONE_TRY(onnx_read_opsets(importer, &model.opsets, &scope));
  hone_status *status = read_graph(&scope, &model);
  onnx_scope_free(&scope);
  return status;
}

/* The graph's name, which stands before anything else can be said about it. */
static hone_status *new_graph(onnx_importer *importer, hone_bytes bytes) {
  onnx_model model;
  onnx_graph graph = {0};
  HONE_TRY(onnx_read_model(&importer->reader, bytes, &model));
  static const hone_proto_rule name_rule[] = {{2, HONE_PROTO_BYTES, false, 0}};
  if (model.graph.data)
    HONE_TRY(hone_proto_read(&importer->reader, model.graph, name_rule, 1, &graph.name));
  const char *name = onnx_text(importer, graph.name);
  HONE_TRY_MEMORY(name);
  return hone_graph_new(*name ? name : NULL, &importer->root);
}

hone_status *hone_import_onnx(const hone_model_source *source, hone_graph **out) {
  onnx_importer importer = {.folder = source->folder};
  size_t limit;
  importer.reader = (hone_proto_reader){source->bytes.data, &importer.scratch, 0};
  if (!hone_mul(source->bytes.size, 4, &limit) || !hone_add(limit, MEMORY_LEAST, &limit))
    limit = SIZE_MAX;
  importer.reader.limit = limit;
  importer.visit_limit = VISITS_LEAST + source->bytes.size / 4;
  importer.placeholder.name = "?";
  importer.placeholder.type.shape = hone_shape_unknown();
  hone_status *status = new_graph(&importer, source->bytes);
  if (!status) status = read_model(&importer, source->bytes);
  if (status)
    hone_graph_free(importer.root);
  else
    *out = importer.root;
  hone_map_free(&importer.rows);
  hone_map_free(&importer.functions);
  hone_map_free(&importer.files);
  hone_arena_free(&importer.scratch);
  return status;
}
