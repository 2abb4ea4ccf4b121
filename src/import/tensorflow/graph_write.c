/* The parts that written graphs and functions are made of: attributes and nodes. Room: import.
 *
 * Field numbers: tensorflow/core/framework/{graph,node_def,attr_value,function,op_def,tensor,
 * tensor_shape}.proto.
 */
#include "import/tensorflow/graph_write.h"

#include <stdio.h>
#include <string.h>

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

tf_open_attr tf_begin_attr(hone_text *out, const char *key) {
  tf_open_attr open;
  open.entry = hone_proto_begin(out, 5);
  hone_proto_put_text(out, 1, key);
  open.value = hone_proto_begin(out, 2);
  return open;
}

void tf_end_attr(hone_text *out, tf_open_attr open) {
  hone_proto_end(out, open.value);
  hone_proto_end(out, open.entry);
}

void tf_put_type_attr(hone_text *out, const char *key, int type) {
  tf_open_attr open = tf_begin_attr(out, key);
  hone_proto_put_number(out, 6, (uint64_t)type);
  tf_end_attr(out, open);
}

void tf_put_number_attr(hone_text *out, const char *key, uint64_t value) {
  tf_open_attr open = tf_begin_attr(out, key);
  hone_proto_put_number(out, 3, value);
  tf_end_attr(out, open);
}

void tf_put_function_attr(hone_text *out, const char *key, const char *segment) {
  char name[400];
  tf_open_attr open = tf_begin_attr(out, key);
  size_t function = hone_proto_begin(out, 10);
  snprintf(name, sizeof name, "%s_native_segment", segment);
  hone_proto_put_text(out, 1, name);
  hone_proto_end(out, function);
  tf_end_attr(out, open);
}

hone_status *tf_put_types_attr(hone_conversion *c, hone_text *out, const char *key,
                               const tf_edge *edges, int count, const int *more) {
  tf_open_attr open = tf_begin_attr(out, key);
  size_t list = hone_proto_begin(out, 1);
  for (int i = 0; i < count; i++) {
    hone_shape shape;
    int type;
    HONE_TRY(tf_port_type(c, edges[i], &type, &shape));
    hone_proto_put_number(out, 6, (uint64_t)type);
  }
  for (; more && *more; more++) hone_proto_put_number(out, 6, (uint64_t)*more);
  hone_proto_end(out, list);
  tf_end_attr(out, open);
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

void tf_put_shape_attr(hone_text *out, const char *key, const hone_shape *shape) {
  tf_open_attr open = tf_begin_attr(out, key);
  put_shape(out, 7, shape);
  tf_end_attr(out, open);
}

hone_status *tf_put_shapes_attr(hone_conversion *c, hone_text *out, const char *key,
                                const tf_edge *edges, int count) {
  tf_open_attr open = tf_begin_attr(out, key);
  size_t list = hone_proto_begin(out, 1);
  for (int i = 0; i < count; i++) {
    hone_shape shape;
    int type;
    HONE_TRY(tf_port_type(c, edges[i], &type, &shape));
    put_shape(out, 7, &shape);
  }
  hone_proto_end(out, list);
  tf_end_attr(out, open);
  return NULL;
}

/* ---- Nodes ---- */

void tf_put_edge(hone_text *out, hone_bytes node, int output) {
  char index[16] = "";
  if (output) snprintf(index, sizeof index, ":%d", output);
  hone_proto_put_tag(out, 3, HONE_PROTO_BYTES);
  hone_proto_put_varint(out, node.size + strlen(index));
  hone_text_add(out, node.data, node.size);
  hone_text_puts(out, index);
}

void tf_put_control(hone_text *out, hone_bytes node) {
  hone_proto_put_tag(out, 3, HONE_PROTO_BYTES);
  hone_proto_put_varint(out, node.size + 1);
  hone_text_puts(out, "^");
  hone_text_add(out, node.data, node.size);
}

/* Attributes that were written for the conversion alone, and `_class`: nodes that a node is to be
 * near to, which may go into an engine. */
static bool is_dropped(hone_bytes key) {
  return tf_span_is(key, "_output_types") || tf_span_is(key, "_output_shapes") ||
         tf_span_is(key, "_class");
}

hone_status *tf_put_head(hone_conversion *c, int index, hone_text *out) {
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

size_t tf_begin_node(hone_text *out, uint32_t number, const char *name, const char *op) {
  size_t begin = hone_proto_begin(out, number);
  hone_proto_put_text(out, 1, name);
  hone_proto_put_text(out, 2, op);
  return begin;
}

void tf_put_bytes_node(hone_text *out, const char *name, int type, hone_bytes bytes) {
  size_t node = tf_begin_node(out, 1, name, "Const");
  tf_put_type_attr(out, "dtype", type);
  tf_open_attr open = tf_begin_attr(out, "value");
  size_t tensor = hone_proto_begin(out, 8);
  hone_shape shape = {.rank = type == TF_DT_UINT8, .dim = {(int64_t)bytes.size}};
  hone_proto_put_number(out, 1, (uint64_t)type);
  put_shape(out, 2, &shape);
  hone_proto_put_bytes(out, type == TF_DT_UINT8 ? 4 : 8, bytes);
  hone_proto_end(out, tensor);
  tf_end_attr(out, open);
  hone_proto_end(out, node);
}

void tf_put_placeholder(hone_text *out, const char *name, int type) {
  size_t node = tf_begin_node(out, 1, name, "Placeholder");
  tf_put_type_attr(out, "dtype", type);
  hone_proto_end(out, node);
}
