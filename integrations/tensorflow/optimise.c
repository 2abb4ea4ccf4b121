/* Graphs optimised as TensorFlow runs them. What can be replaced, the core says; here the graph is
 * told about for it (types and shapes, what must stay), and the nodes are given their segments. */
#include "optimise.h"

#include <hone/tensorflow.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph_def.h"
#include "session.h"

/* Constants whose message is this large are weights: they stay nodes, and the engine packs them. */
#define WEIGHT_BYTES 4096
/* Fewer nodes are no segment: an engine costs a call. */
#define LEAST_NODES 3

/* A segment without any of these is not worth a call. */
static const char *const heavy_ops[] = {
    "Conv2D",        "_FusedConv2D",          "DepthwiseConv2dNative", "_FusedDepthwiseConv2dNative",
    "Conv3D",        "_FusedConv3D",          "Conv2DBackpropInput",   "Conv3DBackpropInputV2",
    "MatMul",        "_FusedMatMul",          "BatchMatMul",           "BatchMatMulV2",
    "BatchMatMulV3", "_MklFusedBatchMatMulV2", "Einsum"};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool is_set(const char *name) {
  const char *text = getenv(name);
  return text && *text && strcmp(text, "0") != 0 && strcmp(text, "false") != 0;
}

bool hone_is_disabled(void) { return is_set("HONE_DISABLE"); }
bool hone_is_wanted(void) { return is_set("HONE_AUTO") && !hone_is_disabled(); }

/* Ours has no state, but who has a function to destroy it has one to make it. */
static char optimiser;
void *hone_optimiser_new(void) { return &optimiser; }
void hone_optimiser_free(void *unused) { (void)unused; }

/* ---- Looking at the graph ---- */

static bool begins(hone_bytes name, const char *prefix) {
  size_t size = strlen(prefix);
  return name.size >= size && memcmp(name.data, prefix, size) == 0;
}

static bool is_heavy(hone_bytes op) {
  for (size_t i = 0; i < COUNT(heavy_ops); i++)
    if (hone_is_text(op, heavy_ops[i])) return true;
  return false;
}

/* Whether a variable is written in the graph that reads it. `resource`: where the graph has it
 * from. */
static bool is_written(const hone_graph_def *graph, hone_edge resource) {
  for (int i = 0; i < graph->node_count; i++) {
    const hone_node *node = &graph->nodes[i];
    bool writes = begins(node->op, "Assign") || begins(node->op, "ResourceApply") ||
                  begins(node->op, "ResourceS");
    for (int k = 0; writes && k < node->input_count; k++)
      if (node->inputs[k].node == resource.node && node->inputs[k].output == resource.output)
        return true;
  }
  return false;
}

/* Whether a node works on a weight that the graph changes: a step of training. */
static bool trains(const hone_graph_def *graph, const hone_node *heavy) {
  for (int i = 0; i < heavy->input_count; i++) {
    int from = heavy->inputs[i].node;
    const hone_node *read = from < 0 ? NULL : &graph->nodes[from];
    if (read && hone_is_text(read->op, "ReadVariableOp") && read->input_count &&
        read->inputs[0].node >= 0 && is_written(graph, read->inputs[0]))
      return true;
  }
  return false;
}

/* The first node that is worth an engine; NULL: none is, or the graph trains. */
static const hone_node *find_heavy(const hone_graph_def *graph) {
  const hone_node *first = NULL;
  for (int i = 0; i < graph->node_count; i++) {
    const hone_node *node = &graph->nodes[i];
    if (!is_heavy(node->op)) continue;
    if (trains(graph, node)) return NULL;
    if (!first) first = node;
  }
  return first;
}

static bool is_elsewhere(const hone_node *node, const hone_node *heavy) {
  return node->device.size && heavy->device.size &&
         (node->device.size != heavy->device.size ||
          memcmp(node->device.data, heavy->device.data, node->device.size) != 0);
}

static bool is_on_processor(const hone_node *node) {
  return !node->device.size || memmem(node->device.data, node->device.size, "CPU", 3);
}

/* What gives a weight. Those of other graphs than inference's are not worth waiting for. */
static bool is_weight(const hone_node *node) {
  if (hone_is_text(node->op, "ReadVariableOp")) return true;
  return hone_is_text(node->op, "Const") && hone_find_attr(node, "value").size >= WEIGHT_BYTES;
}

/* ---- What must stay native ---- */

static void add_name(hone_message *list, const char *name, size_t size) {
  if (list->size) hone_add_raw(list, ",", 1);
  hone_add_raw(list, name, size);
}

/* Nodes that callers feed and fetch. */
static void add_preserved(const TF_GrapplerItem *item, hone_message *list, TF_Status *status) {
  int count = 0;
  size_t room = 0;
  tf.TF_GetNodesToPreserveListSize(item, &count, &room, status);
  if (tf.TF_GetCode(status) != TF_OK || count <= 0) return;
  char **names = calloc((size_t)count, sizeof *names);
  size_t *sizes = calloc((size_t)count, sizeof *sizes);
  void *memory = malloc(room + 1);
  if (names && sizes && memory)
    tf.TF_GetNodesToPreserveList(item, names, sizes, count, memory, room, status);
  else
    list->failed = true;
  for (int i = 0; !list->failed && tf.TF_GetCode(status) == TF_OK && i < count; i++)
    add_name(list, names[i], sizes[i]);
  free(names);
  free(sizes);
  free(memory);
}

static void list_native(const hone_graph_def *graph, const hone_node *heavy,
                        const TF_GrapplerItem *item, hone_message *list, TF_Status *status) {
  add_preserved(item, list, status);
  for (int i = 0; i < graph->node_count; i++) {
    const hone_node *node = &graph->nodes[i];
    if (is_weight(node) || is_elsewhere(node, heavy))
      add_name(list, node->name.data, node->name.size);
  }
  hone_add_raw(list, "", 1);
}

/* ---- Types and shapes ---- */

/* attr { key, value { list: `list` } } */
static void add_list_attr(hone_message *node, const char *key, hone_message *list) {
  hone_message value = {0};
  hone_add_message(&value, 1, list);
  hone_add_attr(node, key, &value);
}

/* Adds what is known of one output, an OpInfo.TensorProperties. */
static void add_properties(const TF_Buffer *properties, hone_message *types,
                           hone_message *shapes) {
  const char *at = properties->data, *end = at ? at + properties->length : at;
  hone_wire_field field;
  hone_bytes shape = {0};
  uint64_t type = 0;
  while (at && hone_read_field(&at, end, &field)) {
    if (field.number == 1 && !field.bytes) type = field.value;
    if (field.number == 2 && field.bytes) shape = (hone_bytes){field.bytes, field.size};
  }
  hone_add_varint(types, 6 << 3);
  hone_add_varint(types, type);
  hone_add_field(shapes, 7, shape.data ? shape.data : "", shape.size);
}

/* The node with _output_types and _output_shapes. */
static void add_described(hone_message *out, const hone_node *node, TF_GraphProperties *known,
                          TF_Status *status) {
  hone_message described = {0}, types = {0}, shapes = {0};
  char name[2048];
  int count = 0;
  hone_add_raw(&described, node->body.data, node->body.size);
  if (node->name.size < sizeof name) {
    snprintf(name, sizeof name, "%.*s", (int)node->name.size, (const char *)node->name.data);
    tf.TF_GetOutputPropertiesListSize(known, name, &count, status);
  }
  TF_Buffer **buffers = count > 0 ? calloc((size_t)count, sizeof *buffers) : NULL;
  for (int i = 0; buffers && i < count; i++) buffers[i] = tf.TF_NewBuffer();
  if (buffers) tf.TF_GetOutputPropertiesList(known, name, buffers, count, status);
  for (int i = 0; buffers && i < count; i++) {
    add_properties(buffers[i], &types, &shapes);
    tf.TF_DeleteBuffer(buffers[i]);
  }
  free(buffers);
  add_list_attr(&described, "_output_types", &types);
  add_list_attr(&described, "_output_shapes", &shapes);
  hone_add_message(out, 1, &described);
}

/* The graph with what TensorFlow knows of every output. */
static void describe(const hone_graph_def *graph, hone_bytes bytes, const TF_GrapplerItem *item,
                     hone_message *out, TF_Status *status) {
  const char *at = bytes.data, *end = at + bytes.size, *start = at;
  hone_wire_field field;
  TF_GraphProperties *known = tf.TF_NewGraphProperties(item);
  tf.TF_InferStatically(known, 0, 0, 0, 0, status);
  for (int i = 0; tf.TF_GetCode(status) == TF_OK && i < graph->node_count; i++)
    add_described(out, &graph->nodes[i], known, status);
  tf.TF_DeleteGraphProperties(known);
  while (hone_read_field(&at, end, &field)) {
    if (field.number != 1) hone_add_raw(out, start, (size_t)(at - start));
    start = at;
  }
}

/* ---- Writing the new graph ---- */

typedef struct rewriting {
  const char *prefix; /* of the names of what is new */
  const hone_node *heavy;
  hone_conversion *conversion;
  hone_graph_def graph; /* the conversion's result */
} rewriting;

/* Adds the engine of a segment's node as live.h says; false where the node is not to be found. */
static bool add_segment(const rewriting *r, const hone_segment_model *model, hone_message *out) {
  int at = hone_find_node(&r->graph, (hone_bytes){model->name, strlen(model->name)});
  const char *comma = "";
  char text[30];
  if (at < 0) return false;
  const hone_node *node = &r->graph.nodes[at];
  hone_add_raw(out, "HONE SEGMENT\ninputs=", 20);
  hone_add_raw(out, model->inputs, strlen(model->inputs));
  hone_add_raw(out, "\noutputs=", 9);
  hone_add_raw(out, model->outputs, strlen(model->outputs));
  hone_add_raw(out, "\nweights=", 9);
  for (int i = 0; i < node->input_count && node->inputs[i].output >= 0; i++) {
    int from = node->inputs[i].node;
    bool is_own = from >= 0 && begins(r->graph.nodes[from].name, model->name);
    if (from < 0 || is_own || !is_weight(&r->graph.nodes[from])) continue;
    snprintf(text, sizeof text, "%s%d", comma, i);
    hone_add_raw(out, text, strlen(text));
    comma = ",";
  }
  hone_add_raw(out, "\n\n", 2);
  hone_add_raw(out, model->graph_def, model->size);
  return true;
}

/* node { name, op: "Const", device, attr dtype: uint8, attr value { tensor } } */
static void add_bytes_node(const rewriting *r, hone_bytes name, const hone_message *content,
                           hone_message *out) {
  hone_message node = {0}, tensor = {0}, shape = {0}, dim = {0}, value = {0};
  hone_add_field(&node, 1, name.data, name.size);
  hone_add_text(&node, 2, "Const");
  if (r->heavy->device.size) hone_add_field(&node, 4, r->heavy->device.data, r->heavy->device.size);
  hone_add_type_attr(&node, "dtype", TF_UINT8);
  hone_add_varint(&dim, 1 << 3);
  hone_add_varint(&dim, content->size);
  hone_add_message(&shape, 2, &dim);
  hone_add_varint(&tensor, 1 << 3);
  hone_add_varint(&tensor, TF_UINT8);
  hone_add_message(&tensor, 2, &shape);
  hone_add_field(&tensor, 4, content->data, content->size);
  hone_add_message(&value, 8, &tensor);
  hone_add_attr(&node, "value", &value);
  node.failed |= content->failed;
  hone_add_message(out, 1, &node);
}

/* The node that holds a segment's engine, if it is one: with the segment in it. */
static bool add_engine_bytes(const rewriting *r, const hone_node *node, hone_message *out,
                             bool *good) {
  size_t count = hone_conversion_segment_count(r->conversion);
  for (size_t i = 0; i < count; i++) {
    hone_segment_model model = {0};
    hone_message content = {0};
    hone_status *status = hone_conversion_model(r->conversion, i, &model);
    size_t size = model.name ? strlen(model.name) : 0;
    bool found = !status && model.name && size + 5 == node->name.size &&
                 begins(node->name, model.name) &&
                 memcmp((const char *)node->name.data + size, "_path", 5) == 0;
    if (found) {
      *good &= add_segment(r, &model, &content);
      add_bytes_node(r, node->name, &content, out);
    }
    free(content.data);
    if (!status) hone_text_release(model.graph_def);
    hone_status_free(status);
    if (found) return true;
  }
  return false;
}

static bool add_node(const rewriting *r, const hone_node *node, hone_message *out) {
  bool good = true;
  bool is_new = begins(node->name, r->prefix);
  if (is_new && hone_is_text(node->op, "Const") && add_engine_bytes(r, node, out, &good))
    return good;
  hone_message copy = {0};
  hone_add_raw(&copy, node->body.data, node->body.size);
  if (is_new && !node->device.size && r->heavy->device.size)
    hone_add_field(&copy, 4, r->heavy->device.data, r->heavy->device.size);
  hone_add_message(out, 1, &copy);
  return good;
}

static bool rewrite(rewriting *r, hone_bytes result, hone_message *out) {
  const char *at = result.data, *end = at + result.size, *start = at;
  hone_wire_field field;
  bool good = hone_graph_def_open(&r->graph, result);
  if (!good) return false;
  good = hone_can_run(&r->graph);
  for (int i = 0; good && i < r->graph.node_count; i++) good = add_node(r, &r->graph.nodes[i], out);
  while (good && hone_read_field(&at, end, &field)) {
    if (field.number != 1) hone_add_raw(out, start, (size_t)(at - start));
    start = at;
  }
  hone_graph_def_close(&r->graph);
  return good && !out->failed;
}

/* ---- Converting ---- */

/* Leaves a segment that is not worth it; false for one that is left, or nothing. */
static bool keep_segment(hone_conversion *conversion, size_t index) {
  static const uint8_t nothing[1];
  hone_segment_model model = {0};
  hone_graph_def graph;
  hone_status *status = hone_conversion_model(conversion, index, &model);
  bool worth = false;
  if (!status && hone_graph_def_open(&graph, (hone_bytes){model.graph_def, model.size})) {
    for (int i = 0; i < graph.node_count; i++) worth |= is_heavy(graph.nodes[i].op);
    hone_graph_def_close(&graph);
  }
  if (!status) hone_text_release(model.graph_def);
  hone_status_free(status);
  status = worth ? hone_conversion_place(conversion, index, NULL, (hone_bytes){nothing, 1})
                 : hone_conversion_leave(conversion, index, "it is not worth a call");
  worth &= !status;
  hone_status_free(status);
  return worth;
}

static bool convert(hone_bytes described, const char *native, const hone_node *heavy,
                    hone_message *out) {
  static atomic_uint number;
  char prefix[40];
  snprintf(prefix, sizeof prefix, "hone_auto_%u", atomic_fetch_add(&number, 1));
  hone_conversion_options options = {
      .native = native, .prefix = prefix, .least_nodes = LEAST_NODES};
  rewriting r = {.prefix = prefix, .heavy = heavy};
  /* The function that the nodes name is lost: a plug-in cannot add any. Their engines hold all. */
  hone_engine_nodes nodes = {.op = "HoneEngine"};
  char *result = NULL;
  size_t size = 0;
  bool good = false;
  hone_status *status = hone_conversion_new(described, &options, &r.conversion);
  for (size_t i = 0; !status && i < hone_conversion_segment_count(r.conversion); i++)
    good |= keep_segment(r.conversion, i);
  if (!status && good) status = hone_conversion_result(r.conversion, &nodes, &result, &size);
  good = !status && good && rewrite(&r, (hone_bytes){result, size}, out);
  hone_text_release(result);
  hone_conversion_free(r.conversion);
  hone_status_free(status);
  return good;
}

static bool optimise(const TF_Buffer *given, const TF_GrapplerItem *item, hone_message *out,
                     TF_Status *status) {
  hone_bytes bytes = {given->data, given->length};
  hone_message described = {0}, native = {0};
  hone_graph_def graph;
  bool good = hone_graph_def_open(&graph, bytes);
  const hone_node *heavy = good ? find_heavy(&graph) : NULL;
  if (heavy && is_on_processor(heavy)) {
    list_native(&graph, heavy, item, &native, status);
    describe(&graph, bytes, item, &described, status);
    good = tf.TF_GetCode(status) == TF_OK && !described.failed && !native.failed &&
           convert((hone_bytes){described.data, described.size}, native.data, heavy, out);
  } else {
    good = false;
  }
  hone_graph_def_close(&graph);
  free(described.data);
  free(native.data);
  return good;
}

static void free_result(void *data, size_t size) {
  (void)size;
  free(data);
}

void hone_optimise(void *unused, const TF_Buffer *graph, const TF_GrapplerItem *item,
                   TF_Buffer *result, TF_Status *status) {
  hone_message out = {0};
  (void)unused;
  if (hone_is_wanted() && optimise(graph, item, &out, status)) {
    *result = (TF_Buffer){out.data, out.size, free_result};
    tf.TF_SetStatus(status, TF_OK, "");
  } else {
    free(out.data);
    tf.TF_SetStatus(status, TF_ABORTED, "nothing of the graph is for Hone");
  }
}
