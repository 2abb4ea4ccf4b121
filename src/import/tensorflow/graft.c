/* Writing what a conversion makes: a segment as a graph and as a function, and the graph with
 * engines in place of segments. Room: import.
 *
 * Field numbers: tensorflow/core/framework/{graph,node_def,attr_value,function,op_def,tensor,
 * tensor_shape}.proto.
 */
#include <stdio.h>
#include <string.h>

#include "base/protobuf_write.h"
#include "import/tensorflow/conversion.h"

enum { DT_STRING = 7, DT_UINT8 = 4 };

/* ---- What is known of a tensor ---- */

static hone_status *written_type(hone_conversion *c, tf_edge edge, int *type, hone_shape *shape) {
  tf_attr_list types, shapes;
  size_t count;
  HONE_TRY(tf_output_types(c, &c->body->nodes[edge.node], &types, &shapes));
  HONE_TRY(hone_proto_count(&types.type, HONE_PROTO_VARINT, &count));
  hone_proto_cursor cursor = {0};
  for (size_t i = 0; i < count && i <= (size_t)edge.output; i++) {
    uint64_t at = hone_proto_step(&types.type, &cursor);
    if (i == (size_t)edge.output) *type = (int)at;
  }
  if ((size_t)edge.output < shapes.shape.count)
    HONE_TRY(tf_read_shape(&c->importer, shapes.shape.items[edge.output], shape));
  return NULL;
}

hone_status *tf_port_type(hone_conversion *c, tf_edge edge, int *type, hone_shape *shape) {
  const tf_result *result = &c->scope.results[edge.node];
  *type = 0;
  *shape = hone_shape_unknown();
  HONE_TRY(written_type(c, edge, type, shape));
  if (edge.output >= result->count || result->values[edge.output].kind != TF_TENSOR) return NULL;
  const hone_type *found = &result->values[edge.output].value->type;
  if (!*type) *type = hone_tf_code_of(found->dtype);
  if (shape->rank < 0) *shape = found->shape;
  return NULL;
}

/* ---- Attributes ---- */

/* Begins attribute `key`; its value is written between this and end_attr. */
typedef struct open_attr {
  size_t entry, value;
} open_attr;

static open_attr begin_attr(hone_text *out, const char *key) {
  open_attr open;
  open.entry = hone_proto_begin(out, 5);
  hone_proto_put_text(out, 1, key);
  open.value = hone_proto_begin(out, 2);
  return open;
}

static void end_attr(hone_text *out, open_attr open) {
  hone_proto_end(out, open.value);
  hone_proto_end(out, open.entry);
}

static void put_type_attr(hone_text *out, const char *key, int type) {
  open_attr open = begin_attr(out, key);
  hone_proto_put_number(out, 6, (uint64_t)type);
  end_attr(out, open);
}

static void put_function_attr(hone_text *out, const char *key, const char *segment) {
  char name[400];
  open_attr open = begin_attr(out, key);
  size_t function = hone_proto_begin(out, 10);
  snprintf(name, sizeof name, "%s_native_segment", segment);
  hone_proto_put_text(out, 1, name);
  hone_proto_end(out, function);
  end_attr(out, open);
}

static hone_status *put_types_attr(hone_conversion *c, hone_text *out, const char *key,
                                   const tf_edge *edges, int count, int more, int last) {
  open_attr open = begin_attr(out, key);
  size_t list = hone_proto_begin(out, 1);
  for (int i = 0; i < count; i++) {
    hone_shape shape;
    int type;
    HONE_TRY(tf_port_type(c, edges[i], &type, &shape));
    hone_proto_put_number(out, 6, (uint64_t)type);
  }
  if (more) hone_proto_put_number(out, 6, DT_UINT8);
  if (last) hone_proto_put_number(out, 6, (uint64_t)last);
  hone_proto_end(out, list);
  end_attr(out, open);
  return NULL;
}

/* A TensorShapeProto as field `number`. */
static void put_shape(hone_text *out, uint32_t number, const hone_shape *shape) {
  size_t begin = hone_proto_begin(out, number);
  if (shape->rank < 0) hone_proto_put_number(out, 3, 1);
  for (int i = 0; i < shape->rank; i++) {
    size_t dim = hone_proto_begin(out, 2);
    hone_proto_put_number(out, 1, shape->dim[i] < 0 ? UINT64_MAX : (uint64_t)shape->dim[i]);
    hone_proto_end(out, dim);
  }
  hone_proto_end(out, begin);
}

static hone_status *put_shapes_attr(hone_conversion *c, hone_text *out, const char *key,
                                    const tf_edge *edges, int count) {
  open_attr open = begin_attr(out, key);
  size_t list = hone_proto_begin(out, 1);
  for (int i = 0; i < count; i++) {
    hone_shape shape;
    int type;
    HONE_TRY(tf_port_type(c, edges[i], &type, &shape));
    put_shape(out, 7, &shape);
  }
  hone_proto_end(out, list);
  end_attr(out, open);
  return NULL;
}

/* ---- Nodes ---- */

static void put_edge(hone_text *out, hone_bytes node, int output) {
  char index[16] = "";
  if (output) snprintf(index, sizeof index, ":%d", output);
  hone_proto_put_tag(out, 3, HONE_PROTO_BYTES);
  hone_proto_put_varint(out, node.size + strlen(index));
  hone_text_add(out, node.data, node.size);
  hone_text_puts(out, index);
}

/* Attributes that were written for the conversion alone, and `_class`: nodes that a node is to be
 * near to, which may go into an engine. */
static bool is_dropped(hone_bytes key) {
  return tf_span_is(key, "_output_types") || tf_span_is(key, "_output_shapes") ||
         tf_span_is(key, "_class");
}

/* All of a node but its inputs. */
static hone_status *put_head(hone_conversion *c, int index, hone_text *out) {
  tf_node_def def;
  HONE_TRY(tf_read_node_def(&c->importer.reader, c->graph.nodes.items[index], &def));
  hone_proto_put_bytes(out, 1, def.name);
  hone_proto_put_bytes(out, 2, def.op);
  if (def.device.size) hone_proto_put_bytes(out, 4, def.device);
  for (size_t i = 0; i < def.attrs.count; i++) {
    tf_entry entry;
    HONE_TRY(tf_read_entry(&c->importer.reader, def.attrs.items[i], &entry));
    if (!is_dropped(entry.key)) hone_proto_put_bytes(out, 5, def.attrs.items[i]);
  }
  return NULL;
}

/* Begins a node as field `number` of what is around it. */
static size_t begin_node(hone_text *out, uint32_t number, const char *name, const char *op) {
  size_t begin = hone_proto_begin(out, number);
  hone_proto_put_text(out, 1, name);
  hone_proto_put_text(out, 2, op);
  return begin;
}

static void put_bytes_node(hone_text *out, const char *name, int type, hone_bytes bytes) {
  size_t node = begin_node(out, 1, name, "Const");
  put_type_attr(out, "dtype", type);
  open_attr open = begin_attr(out, "value");
  size_t tensor = hone_proto_begin(out, 8);
  hone_shape shape = {.rank = type == DT_UINT8, .dim = {(int64_t)bytes.size}};
  hone_proto_put_number(out, 1, (uint64_t)type);
  put_shape(out, 2, &shape);
  hone_proto_put_bytes(out, type == DT_UINT8 ? 4 : 8, bytes);
  hone_proto_end(out, tensor);
  end_attr(out, open);
  hone_proto_end(out, node);
}

/* ---- Segments ---- */

static int find_edge(const tf_edge *edges, int count, tf_edge edge) {
  for (int i = 0; i < count; i++)
    if (tf_edges_equal(edges[i], edge)) return i;
  return -1;
}

/* Marks the constants that a segment's nodes use, and those that these are computed from. */
static hone_status *mark_constants(hone_conversion *c, const tf_segment *segment, bool **out) {
  *out = HONE_NEW_ARRAY(&c->importer.scratch, c->body->node_count + 1, bool);
  HONE_TRY_MEMORY(*out);
  for (int i = 0; i < segment->node_count; i++) {
    const tf_node *node = &c->body->nodes[segment->nodes[i]];
    for (int k = 0; k < node->input_count; k++)
      if (find_edge(segment->inputs, segment->input_count, node->inputs[k]) < 0)
        (*out)[node->inputs[k].node] = true;
  }
  for (int i = 0; i < segment->node_count; i++) (*out)[segment->nodes[i]] = false;
  for (int i = c->body->node_count - 1; i >= 0; i--) {
    const tf_node *node = &c->body->nodes[c->order[i]];
    for (int k = 0; (*out)[c->order[i]] && k < node->input_count; k++)
      (*out)[node->inputs[k].node] = true;
  }
  return NULL;
}

/* A node's result as a function's nodes name it: "node:output:1". */
static void spell_result(hone_conversion *c, tf_edge edge, hone_text *out) {
  const tf_node *node = &c->body->nodes[edge.node];
  const char *name;
  size_t size;
  int index = tf_output_name(node->row, edge.output, &name, &size);
  hone_text_printf(out, "%.*s:%.*s:%d", (int)node->name.size, (const char *)node->name.data,
                   (int)size, name, index);
}

/* What an input of a segment's node is called: a placeholder or an argument, or a node's result,
 * in a graph or in a function. */
static hone_status *put_input(hone_conversion *c, const tf_segment *segment, tf_edge edge,
                              bool function, hone_text *out) {
  int at = find_edge(segment->inputs, segment->input_count, edge);
  if (at < 0 && !function) {
    put_edge(out, c->body->nodes[edge.node].name, edge.output);
    return NULL;
  }
  hone_text name = {0};
  if (at >= 0)
    hone_text_printf(&name, "%s%d", c->stem, at);
  else
    spell_result(c, edge, &name);
  hone_status *status = hone_text_status(&name);
  if (!status) hone_proto_put_bytes(out, 3, (hone_bytes){name.data, name.size});
  hone_text_free(&name);
  return status;
}

static hone_status *put_node(hone_conversion *c, const tf_segment *segment, int index,
                             uint32_t number, hone_text *out) {
  const tf_node *node = &c->body->nodes[index];
  size_t begin = hone_proto_begin(out, number);
  HONE_TRY(put_head(c, index, out));
  for (int k = 0; k < node->input_count; k++)
    HONE_TRY(put_input(c, segment, node->inputs[k], number == 3, out));
  hone_proto_end(out, begin);
  return NULL;
}

/* The nodes of a segment and its constants as fields `number`: a graph's or a function's. */
static hone_status *put_nodes(hone_conversion *c, const tf_segment *segment, uint32_t number,
                              hone_text *out) {
  bool *constants;
  HONE_TRY(mark_constants(c, segment, &constants));
  for (int i = 0; i < segment->node_count; i++)
    HONE_TRY(put_node(c, segment, segment->nodes[i], number, out));
  for (int i = 0; i < c->body->node_count; i++)
    if (constants[i]) HONE_TRY(put_node(c, segment, i, number, out));
  return NULL;
}

hone_status *tf_write_model(hone_conversion *c, const tf_segment *segment, hone_text *out) {
  for (int i = 0; i < segment->input_count; i++) {
    char name[32];
    hone_shape shape;
    int type;
    HONE_TRY(tf_port_type(c, segment->inputs[i], &type, &shape));
    snprintf(name, sizeof name, "%s%d", c->stem, i);
    size_t node = begin_node(out, 1, name, "Placeholder");
    put_type_attr(out, "dtype", type);
    open_attr open = begin_attr(out, "shape");
    put_shape(out, 7, &shape);
    end_attr(out, open);
    hone_proto_end(out, node);
  }
  HONE_TRY(put_nodes(c, segment, 1, out));
  if (c->graph.library.size) hone_proto_put_bytes(out, 2, c->graph.library);
  if (c->graph.versions.size) hone_proto_put_bytes(out, 4, c->graph.versions);
  return hone_text_status(out);
}

static hone_status *put_arguments(hone_conversion *c, uint32_t number, const char *stem,
                                  const tf_edge *edges, int count, hone_text *out) {
  for (int i = 0; i < count; i++) {
    char name[32];
    hone_shape shape;
    int type;
    HONE_TRY(tf_port_type(c, edges[i], &type, &shape));
    snprintf(name, sizeof name, "%s%d", stem, i);
    size_t argument = hone_proto_begin(out, number);
    hone_proto_put_text(out, 1, name);
    hone_proto_put_number(out, 3, (uint64_t)type);
    hone_proto_end(out, argument);
  }
  return NULL;
}

/* The function that runs where the engine cannot. */
static hone_status *put_function(hone_conversion *c, const tf_segment *segment, hone_text *out) {
  char name[400];
  size_t function = hone_proto_begin(out, 1);
  size_t signature = hone_proto_begin(out, 1);
  snprintf(name, sizeof name, "%s_native_segment", segment->name);
  hone_proto_put_text(out, 1, name);
  HONE_TRY(put_arguments(c, 2, c->stem, segment->inputs, segment->input_count, out));
  HONE_TRY(put_arguments(c, 3, "out_", segment->outputs, segment->output_count, out));
  hone_proto_end(out, signature);
  HONE_TRY(put_nodes(c, segment, 3, out));
  for (int i = 0; i < segment->output_count; i++) {
    size_t entry = hone_proto_begin(out, 4);
    snprintf(name, sizeof name, "out_%d", i);
    hone_proto_put_text(out, 1, name);
    size_t value = hone_proto_begin(out, 2);
    spell_result(c, segment->outputs[i], out);
    hone_proto_end(out, value);
    hone_proto_end(out, entry);
  }
  hone_proto_end(out, function);
  return hone_text_status(out);
}

/* ---- The graph with engines ---- */

/* An input as the new graph has it: of an engine's node where a segment gave it. */
static void put_moved(const hone_conversion *c, tf_edge edge, hone_text *out) {
  int of = c->verdicts[edge.node].segment - 1;
  char name[400];
  if (of < 0) {
    put_edge(out, c->body->nodes[edge.node].name, edge.output);
    return;
  }
  const tf_segment *segment = &c->segments[of];
  snprintf(name, sizeof name, "%s_out_%d", segment->name,
           find_edge(segment->outputs, segment->output_count, edge));
  hone_proto_put_text(out, 3, name);
}

/* A node that stays, with those that it waits for; of a segment it waits for the engine. */
static hone_status *put_kept(hone_conversion *c, int index, hone_text *out) {
  const tf_node *node = &c->body->nodes[index];
  size_t begin = hone_proto_begin(out, 1);
  HONE_TRY(put_head(c, index, out));
  for (int i = 0; i < node->input_count; i++) put_moved(c, node->inputs[i], out);
  for (int i = 0; i < node->control_count; i++) {
    int from = node->inputs[node->input_count + i].node, of = c->verdicts[from].segment - 1;
    hone_bytes name = c->body->nodes[from].name;
    if (of >= 0) name = (hone_bytes){c->segments[of].name, strlen(c->segments[of].name)};
    hone_proto_put_tag(out, 3, HONE_PROTO_BYTES);
    hone_proto_put_varint(out, name.size + 1);
    hone_text_puts(out, "^");
    hone_text_add(out, name.data, name.size);
  }
  hone_proto_end(out, begin);
  return NULL;
}

/* What gives the engine's node its engine; its DataType. */
static int put_source(const tf_segment *segment, const char *name, hone_text *out) {
  if (segment->bytes.size) {
    put_bytes_node(out, name, DT_UINT8, segment->bytes);
    return DT_UINT8;
  }
  if (segment->path) {
    put_bytes_node(out, name, DT_STRING, (hone_bytes){segment->path, strlen(segment->path)});
    return DT_STRING;
  }
  size_t node = begin_node(out, 1, name, "Placeholder");
  put_type_attr(out, "dtype", DT_STRING);
  hone_proto_end(out, node);
  return DT_STRING;
}

/* The graph's functions; more may follow. */
static size_t begin_library(const hone_conversion *c, hone_text *out) {
  size_t begin = hone_proto_begin(out, 2);
  if (c->graph.library.size) hone_text_add(out, c->graph.library.data, c->graph.library.size);
  return begin;
}

/* The graph that a node carries: a call of the function on in_0, in_1, … */
static hone_status *put_carried(hone_conversion *c, const tf_segment *segment, const char *name,
                                hone_text *out) {
  hone_text graph = {0};
  char input[32];
  for (int i = 0; i < segment->input_count; i++) {
    hone_shape shape;
    int type;
    hone_status *status = tf_port_type(c, segment->inputs[i], &type, &shape);
    if (status) {
      hone_text_free(&graph);
      return status;
    }
    snprintf(input, sizeof input, "in_%d", i);
    size_t node = begin_node(&graph, 1, input, "Placeholder");
    put_type_attr(&graph, "dtype", type);
    hone_proto_end(&graph, node);
  }
  size_t call = begin_node(&graph, 1, "call", "StatefulPartitionedCall");
  for (int i = 0; i < segment->input_count; i++) {
    snprintf(input, sizeof input, "in_%d", i);
    hone_proto_put_text(&graph, 3, input);
  }
  put_function_attr(&graph, "f", segment->name);
  hone_status *status =
      put_types_attr(c, &graph, "Tin", segment->inputs, segment->input_count, 0, 0);
  if (!status)
    status = put_types_attr(c, &graph, "Tout", segment->outputs, segment->output_count, 0, 0);
  hone_proto_end(&graph, call);
  size_t library = begin_library(c, &graph);
  if (!status) status = put_function(c, segment, &graph);
  hone_proto_end(&graph, library);
  if (c->graph.versions.size) hone_proto_put_bytes(&graph, 4, c->graph.versions);
  if (!status) status = hone_text_status(&graph);
  if (!status) put_bytes_node(out, name, DT_UINT8, (hone_bytes){graph.data, graph.size});
  hone_text_free(&graph);
  return status;
}

/* A result of the engine's node goes through a node that keeps its shape. */
static hone_status *put_outputs(hone_conversion *c, const tf_segment *segment, hone_text *out) {
  for (int i = 0; i < segment->output_count; i++) {
    char name[400];
    hone_shape shape;
    int type;
    HONE_TRY(tf_port_type(c, segment->outputs[i], &type, &shape));
    snprintf(name, sizeof name, "%s_out_%d", segment->name, i);
    size_t node = begin_node(out, 1, name, "EnsureShape");
    put_edge(out, (hone_bytes){segment->name, strlen(segment->name)}, i);
    put_type_attr(out, "T", type);
    open_attr open = begin_attr(out, "shape");
    put_shape(out, 7, &shape);
    end_attr(out, open);
    hone_proto_end(out, node);
  }
  return NULL;
}

static hone_status *put_engine(hone_conversion *c, const tf_segment *segment,
                               const hone_engine_nodes *nodes, hone_text *out) {
  char carried[400], source[400];
  bool own = strcmp(nodes->op, "HoneEngine") == 0;
  snprintf(carried, sizeof carried, "%s_segment", segment->name);
  snprintf(source, sizeof source, "%s_path", segment->name);
  if (nodes->carries_segment) HONE_TRY(put_carried(c, segment, carried, out));
  int kind = put_source(segment, source, out);
  size_t node = begin_node(out, 1, segment->name, nodes->op);
  for (int i = 0; i < segment->input_count; i++) put_moved(c, segment->inputs[i], out);
  if (nodes->carries_segment) hone_proto_put_text(out, 3, carried);
  hone_proto_put_text(out, 3, source);
  HONE_TRY(put_types_attr(c, out, "InT", segment->inputs, segment->input_count,
                          nodes->carries_segment, own ? 0 : kind));
  HONE_TRY(put_types_attr(c, out, "OutT", segment->outputs, segment->output_count, 0, 0));
  put_function_attr(out, "segment_func", segment->name);
  if (own) {
    put_type_attr(out, "E", kind);
  } else {
    HONE_TRY(put_shapes_attr(c, out, "input_shapes", segment->inputs, segment->input_count));
    HONE_TRY(put_shapes_attr(c, out, "output_shapes", segment->outputs, segment->output_count));
  }
  if (nodes->carries_segment) {
    open_attr open = begin_attr(out, "carries_segment");
    hone_proto_put_number(out, 3, 1);
    end_attr(out, open);
  }
  if (nodes->attrs.size) hone_text_add(out, nodes->attrs.data, nodes->attrs.size);
  hone_proto_end(out, node);
  return put_outputs(c, segment, out);
}

/* A node that callers know by name goes on under it. */
static hone_status *put_fetched(hone_conversion *c, int index, hone_text *out) {
  int count = c->fetched[index];
  size_t node = hone_proto_begin(out, 1);
  hone_proto_put_bytes(out, 1, c->body->nodes[index].name);
  hone_proto_put_text(out, 2, count == 1 ? "Identity" : "IdentityN");
  for (int i = 0; i < count; i++) put_moved(c, (tf_edge){index, i}, out);
  if (count == 1) {
    hone_shape shape;
    int type;
    HONE_TRY(tf_port_type(c, (tf_edge){index, 0}, &type, &shape));
    put_type_attr(out, "T", type);
  } else {
    tf_edge *edges = HONE_NEW_ARRAY(&c->importer.scratch, count, tf_edge);
    HONE_TRY_MEMORY(edges);
    for (int i = 0; i < count; i++) edges[i] = (tf_edge){index, i};
    HONE_TRY(put_types_attr(c, out, "T", edges, count, 0, 0));
  }
  hone_proto_end(out, node);
  return NULL;
}

/* The nodes that stay, but for constants that engines alone use, and those known by name. */
static hone_status *put_rest(hone_conversion *c, hone_text *out) {
  int *owners;
  HONE_TRY(tf_find_owners(c, &owners));
  for (int i = 0; i < c->body->node_count; i++) {
    if (owners[i]) continue;
    if (!c->verdicts[i].segment)
      HONE_TRY(put_kept(c, i, out));
    else if (c->fetched[i])
      HONE_TRY(put_fetched(c, i, out));
  }
  return NULL;
}

hone_status *tf_write_result(hone_conversion *c, const hone_engine_nodes *nodes, hone_text *out) {
  HONE_TRY(put_rest(c, out));
  for (int i = 0; i < c->segment_count; i++)
    if (!c->segments[i].left) HONE_TRY(put_engine(c, &c->segments[i], nodes, out));
  size_t library = begin_library(c, out);
  for (int i = 0; i < c->segment_count; i++)
    if (!c->segments[i].left) HONE_TRY(put_function(c, &c->segments[i], out));
  hone_proto_end(out, library);
  if (c->graph.versions.size) hone_proto_put_bytes(out, 4, c->graph.versions);
  return hone_text_status(out);
}
