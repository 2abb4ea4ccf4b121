/* Which tensor of the bundle each variable is restored from: what the model's own restore function
 * does, read instead of run; else what its graph of objects says. Room: import. */
#include <string.h>

#include "base/text.h"
#include "import/tensorflow/importer.h"
#include "import/tensorflow/weights_file.h"

/* A body under inspection, and the call that led into it. */
typedef struct level {
  const tf_body *body;
  const struct level *outer; /* NULL for the graph */
  const tf_node *call;       /* of outer->body */
  int depth;
} level;

/* Follows an edge out of functions and through identities to the node that makes it. */
static const tf_node *follow(const level **at, tf_edge *edge) {
  for (int step = 0; step < 4 * TF_MAX_CALLS; step++) {
    if (edge->node < 0) {
      int argument = -1 - edge->node;
      if (!(*at)->outer || argument >= (*at)->call->input_count) return NULL;
      *edge = (*at)->call->inputs[argument];
      *at = (*at)->outer;
      continue;
    }
    const tf_node *node = &(*at)->body->nodes[edge->node];
    if (!tf_span_is(node->op, "Identity") || node->input_count < 1) return node;
    *edge = node->inputs[0];
  }
  return NULL;
}

/* Element `index` of a node that is a constant vector of texts. */
static hone_status *constant_text(tf_importer *importer, const tf_node *node, int index,
                                  hone_bytes *out) {
  for (size_t i = 0; i < node->attrs.count; i++) {
    tf_entry entry;
    tf_attr_value value;
    tf_tensor_proto tensor;
    HONE_TRY(tf_read_entry(&importer->reader, node->attrs.items[i], &entry));
    if (!tf_span_is(entry.key, "value")) continue;
    HONE_TRY(tf_read_attr_value(&importer->reader, entry.value, &value));
    HONE_TRY(tf_read_tensor_proto(&importer->reader, value.tensor, &tensor));
    size_t count = tensor.strings.count, at = (size_t)index < count ? (size_t)index : count - 1;
    if (count) *out = tensor.strings.items[at]; /* a short list repeats its last */
  }
  return NULL;
}

/* The key that an assignment's value is restored under; empty when it is not. */
static hone_status *restored_key(tf_importer *importer, const level *at, tf_edge value,
                                 hone_bytes *key) {
  tf_edge edge = value;
  const tf_node *restore = follow(&at, &edge);
  *key = (hone_bytes){0};
  if (!restore || !tf_span_is(restore->op, "RestoreV2") || restore->input_count < 2) return NULL;
  tf_edge names = restore->inputs[1];
  const tf_node *list = follow(&at, &names);
  if (!list || !tf_span_is(list->op, "Const")) return NULL;
  return constant_text(importer, list, edge.output, key);
}

static hone_status *read_assignment(tf_importer *importer, const level *at, const tf_node *node) {
  hone_bytes key;
  const level *home = at;
  tf_edge edge = node->inputs[0];
  const tf_node *variable = follow(&home, &edge);
  if (!variable) return NULL;
  HONE_TRY(restored_key(importer, at, node->inputs[1], &key));
  if (!key.size) return NULL;
  hone_bytes *kept = hone_arena_copy(&importer->scratch, &key, sizeof key);
  HONE_TRY_MEMORY(kept);
  return hone_map_put(&importer->variables, variable->name.data, variable->name.size, kept);
}

static hone_status *called_function(tf_importer *importer, const tf_node *node,
                                    const tf_body **out) {
  *out = NULL;
  if (!tf_span_is(node->op, "StatefulPartitionedCall") && !tf_span_is(node->op, "PartitionedCall"))
    return NULL;
  for (size_t i = 0; i < node->attrs.count; i++) {
    tf_entry entry;
    tf_attr_value value;
    hone_bytes name;
    HONE_TRY(tf_read_entry(&importer->reader, node->attrs.items[i], &entry));
    if (!tf_span_is(entry.key, "f")) continue;
    HONE_TRY(tf_read_attr_value(&importer->reader, entry.value, &value));
    HONE_TRY(tf_read_bytes(&importer->reader, value.func, 1, &name));
    HONE_TRY(tf_find_function(importer, name, out));
  }
  return NULL;
}

static hone_status *read_level(tf_importer *importer, const level *at) {
  HONE_TRY(tf_check_limits(importer));
  if (at->depth > TF_MAX_CALLS)
    return hone_error(HONE_LIMIT, "more than %d functions inside each other", TF_MAX_CALLS);
  for (int i = 0; i < at->body->node_count; i++) {
    const tf_node *node = &at->body->nodes[i];
    const tf_body *called = NULL;
    bool assigns = tf_span_is(node->op, "AssignVariableOp") || tf_span_is(node->op, "Assign");
    if (assigns && node->input_count >= 2) HONE_TRY(read_assignment(importer, at, node));
    if (at->outer) HONE_TRY(called_function(importer, node, &called));
    if (called) {
      level inner = {called, at, node, at->depth + 1};
      HONE_TRY(read_level(importer, &inner));
    }
  }
  return NULL;
}

/* ---- The graph of objects that TensorFlow 2 restores by (trackable_object_graph.proto) ---- */

/* Binds a variable by its own name; one that two objects share says nothing, and gets an empty key. */
static hone_status *read_saved_tensor(tf_importer *importer, hone_bytes bytes) {
  tf_saved_tensor saved;
  HONE_TRY(tf_read_saved_tensor(&importer->reader, bytes, &saved));
  if (!saved.full_name.size || !saved.key.size) return NULL;
  hone_bytes *kept = hone_arena_copy(&importer->scratch, &saved.key, sizeof saved.key);
  HONE_TRY_MEMORY(kept);
  const hone_bytes *other =
      hone_map_get(&importer->variables, saved.full_name.data, saved.full_name.size);
  if (other && !tf_spans_equal(*other, saved.key)) kept->size = 0;
  return hone_map_put(&importer->variables, saved.full_name.data, saved.full_name.size, kept);
}

static hone_status *read_objects(tf_importer *importer) {
  static const char name[] = "_CHECKPOINTABLE_OBJECT_GRAPH";
  tf_bundle_tensor graph;
  hone_proto_list objects, tensors;
  hone_bytes key = {name, sizeof name - 1};
  if (!tf_bundle_has(importer->bundle, key)) return NULL;
  HONE_TRY(tf_bundle_find(importer, importer->bundle, key, &graph));
  if (graph.dtype != HONE_STR || graph.shape.rank != 0) return NULL;
  const hone_string *text = graph.bytes.data;
  HONE_TRY(tf_read_list(&importer->reader, (hone_bytes){text->data, text->size}, 1, &objects));
  for (size_t i = 0; i < objects.count; i++) {
    HONE_TRY(tf_check_limits(importer));
    HONE_TRY(tf_read_list(&importer->reader, objects.items[i], 2, &tensors));
    for (size_t k = 0; k < tensors.count; k++)
      HONE_TRY(read_saved_tensor(importer, tensors.items[k]));
  }
  return NULL;
}

/* ---- Both ---- */

/* What the saver's restore operation calls. */
static hone_status *read_restore(tf_importer *importer, const level *graph, hone_bytes saver) {
  hone_bytes name = {0};
  const tf_body *called = NULL;
  if (saver.data) HONE_TRY(tf_read_bytes(&importer->reader, saver, 3, &name));
  if (name.size > 2 && memcmp((const char *)name.data + name.size - 2, ":0", 2) == 0)
    name.size -= 2;
  const tf_node *restore = tf_find_node(graph->body, name);
  if (restore) HONE_TRY(called_function(importer, restore, &called));
  if (!called) return NULL;
  level inner = {called, graph, restore, 1};
  return read_level(importer, &inner);
}

/* The restore function has the last word. Newer savers restore copies of which the variables are the
 * initial values: those variables only the graph of objects names. */
hone_status *tf_bind_variables(tf_importer *importer, const tf_body *body, hone_bytes saver) {
  level graph = {body, NULL, NULL, 0};
  HONE_TRY(read_objects(importer));
  HONE_TRY(read_level(importer, &graph));
  return read_restore(importer, &graph, saver);
}

/* A variable that nothing restores is looked for under its own name. */
hone_status *tf_variable_constant(tf_importer *importer, hone_graph *graph, const char *variable,
                                  hone_value **out) {
  char shown[80];
  tf_bundle_tensor tensor;
  const hone_bytes *bound = hone_map_get(&importer->variables, variable, strlen(variable));
  hone_bytes key = bound && bound->size ? *bound : (hone_bytes){variable, strlen(variable)};
  if (!importer->bundle)
    return hone_error(HONE_INVALID_MODEL, "variable '%s' has no value: the model is not frozen and "
                      "has no saved variables",
                      hone_quoted(shown, sizeof shown, variable, strlen(variable)));
  HONE_TRY(hone_error_at(tf_bundle_find(importer, importer->bundle, key, &tensor), "variable '%s'",
                         hone_quoted(shown, sizeof shown, key.data, key.size)));
  return hone_graph_constant(graph, variable, tensor.dtype, tensor.shape, tensor.bytes.data,
                             tensor.bytes.size, out);
}

/* ---- Operators ---- */

/* A handle goes by the node that makes it. */
static hone_status *import_handle(hone_call *call) {
  const char *name = tf_text(tf_call_of(call)->importer, tf_call_of(call)->node->name);
  if (!name) hone_emit_keep(call, hone_error_memory());
  tf_return(call, 0, (tf_value){.kind = TF_VARIABLE, .variable = name});
  return NULL;
}

static hone_value *content(hone_call *call, const char *variable) {
  hone_value *value = NULL;
  if (!call->status && variable)
    hone_emit_keep(call, tf_variable_constant(tf_call_of(call)->importer, call->graph, variable,
                                              &value));
  return call->status ? call->placeholder : value;
}

/* The first TensorFlow's variables are tensors themselves. */
static hone_status *import_variable(hone_call *call) {
  const char *name = tf_text(tf_call_of(call)->importer, tf_call_of(call)->node->name);
  if (!name) hone_emit_keep(call, hone_error_memory());
  hone_tf_return(call, 0, content(call, name));
  return NULL;
}

/* A variable of texts is the place of an asset where the model is loaded: those who read the asset
 * here know it by its name in the model. */
static hone_value *no_path(hone_call *call) {
  static const hone_string none = {"", 0};
  hone_shape scalar = {.rank = 0};
  hone_value *value = NULL;
  hone_emit_keep(call, hone_graph_constant(call->graph, call->label, HONE_STR, scalar, &none,
                                           sizeof none, &value));
  return call->status ? call->placeholder : value;
}

static hone_status *import_read(hone_call *call) {
  if (hone_tf_dtype(call, "dtype", HONE_DTYPE_NONE) == HONE_STR) {
    hone_tf_return(call, 0, no_path(call));
    return NULL;
  }
  hone_tf_return(call, 0, content(call, tf_input(call, 0, TF_VARIABLE)->variable));
  return NULL;
}

static hone_status *import_resource_gather(hone_call *call) {
  hone_value *table = content(call, tf_input(call, 0, TF_VARIABLE)->variable);
  hone_value *indices = hone_emit_cast(call, hone_tf_in(call, 1), HONE_S64);
  if (hone_tf_int(call, "batch_dims", 0))
    return hone_emit_fail(call, HONE_UNSUPPORTED, "batch dimensions of a variable");
  hone_tf_return(call, 0, HONE_EMIT(call, "gather", table, indices));
  return NULL;
}

static void close_weights(void *weights) { hone_weights_close(weights); }

/* The file that a converted model's native segments read, kept by the graph. */
static hone_status *open_weights(tf_importer *importer, const char *name, hone_weights **out) {
  hone_file *file;
  if (!importer->source->folder)
    return hone_error(HONE_INVALID_MODEL, "its weight lies in a folder, and there is none");
  HONE_TRY(hone_file_open_beneath(importer->source->folder, name, strlen(name), &file));
  hone_status *status = tf_weights_of_file(file, out);
  hone_file_release(file);
  HONE_TRY(status);
  status = hone_graph_keep(importer->root, close_weights, *out);
  if (status) hone_weights_close(*out);
  return status;
}

static hone_status *import_weight(hone_call *call) {
  hone_weights *weights;
  hone_tensor weight;
  hone_value *value;
  int64_t index = hone_tf_int(call, "index", -1);
  const char *name = hone_tf_text(call, "file", "");
  if (call->status) return NULL;
  HONE_TRY(open_weights(tf_call_of(call)->importer, name, &weights));
  HONE_TRY(hone_weights_at(weights, index < 0 ? SIZE_MAX : (size_t)index, &weight));
  hone_shape shape = {.rank = weight.rank};
  for (int i = 0; i < shape.rank; i++) shape.dim[i] = weight.dims[i];
  HONE_TRY(hone_graph_constant(call->graph, call->label, weight.dtype, shape, weight.data,
                               weight.size, &value));
  hone_tf_return(call, 0, value);
  return NULL;
}

const hone_tf_row hone_tf_variables[] = {
    {"HoneWeight", .import = import_weight},
    {"ReadVariableOp", .import = import_read},
    {"ResourceGather", .import = import_resource_gather},
    {"VarHandleOp", .import = import_handle},
    {"Variable", .import = import_variable},
    {"VariableV2", .import = import_variable},
    {0},
};
