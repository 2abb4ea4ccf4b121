/* TensorFlow's messages as spans of the file. Room: import. */
#ifndef HONE_IMPORT_TENSORFLOW_PROTO_H
#define HONE_IMPORT_TENSORFLOW_PROTO_H

#include "base/protobuf.h"
#include "base/protobuf_text.h"

/* A map's entry; `value` a message or a text. */
typedef struct tf_entry {
  hone_bytes key, value;
} tf_entry;

typedef struct tf_graph_def {
  hone_proto_list nodes;
  hone_bytes library, versions;
} tf_graph_def;

typedef struct tf_node_def {
  hone_bytes name, op, device;
  hone_proto_list inputs, attrs;
} tf_node_def;

/* Of the members at most one is there. */
typedef struct tf_attr_value {
  hone_bytes list, s, i, f, b, type, shape, tensor, placeholder, func;
} tf_attr_value;

typedef struct tf_attr_list {
  hone_proto_list s, i, f, b, type, shape, func;
} tf_attr_list;

typedef struct tf_shape_proto {
  hone_proto_list dims;
  hone_bytes unknown_rank;
} tf_shape_proto;

typedef struct tf_tensor_proto {
  hone_bytes dtype, shape, content;
  hone_proto_list floats, doubles, ints, strings, complexes, int64s, bools, halves, complexes128,
      uint32s, uint64s;
  hone_bytes float8s;
} tf_tensor_proto;

typedef struct tf_function_def {
  hone_bytes signature;
  hone_proto_list nodes, returns;
} tf_function_def;

typedef struct tf_op_def {
  hone_bytes name;
  hone_proto_list inputs, outputs;
} tf_op_def;

typedef struct tf_saved_model {
  hone_bytes version;
  hone_proto_list meta_graphs;
} tf_saved_model;

typedef struct tf_meta_graph {
  hone_bytes info, graph, saver;
  hone_proto_list signatures;
} tf_meta_graph;

typedef struct tf_signature_def {
  hone_proto_list inputs, outputs;
} tf_signature_def;

typedef struct tf_tensor_info {
  hone_bytes name, dtype, shape;
} tf_tensor_info;

typedef struct tf_bundle_entry {
  hone_bytes dtype, shape, shard, offset, size, crc;
  hone_proto_list slices;
} tf_bundle_entry;

/* A tensor of an object that a checkpoint holds: the variable's own name, and its key in the bundle. */
typedef struct tf_saved_tensor {
  hone_bytes full_name, key;
} tf_saved_tensor;

/* Each clears `out` and reads `message` into it. */
#define TF_READER(message)                                                                       \
  HONE_MUST_USE hone_status *tf_read_##message(hone_proto_reader *reader, hone_bytes bytes,      \
                                               tf_##message *out);
TF_READER(entry)
TF_READER(graph_def)
TF_READER(node_def)
TF_READER(attr_value)
TF_READER(attr_list)
TF_READER(shape_proto)
TF_READER(tensor_proto)
TF_READER(function_def)
TF_READER(op_def)
TF_READER(saved_model)
TF_READER(meta_graph)
TF_READER(signature_def)
TF_READER(tensor_info)
TF_READER(bundle_entry)
TF_READER(saved_tensor)
#undef TF_READER

/* schema.c: the two kinds of files by name, for those in the text form. */
extern const hone_proto_field tf_graph_def_schema[], tf_saved_model_schema[];

/* Field `number` of a message of which nothing else is wanted: bytes, a number, all of a list. */
HONE_MUST_USE hone_status *tf_read_bytes(hone_proto_reader *reader, hone_bytes message,
                                         uint32_t number, hone_bytes *out);
HONE_MUST_USE hone_status *tf_read_number(hone_proto_reader *reader, hone_bytes message,
                                          uint32_t number, uint64_t *out);
HONE_MUST_USE hone_status *tf_read_list(hone_proto_reader *reader, hone_bytes message,
                                        uint32_t number, hone_proto_list *out);

static inline bool tf_span_is(hone_bytes span, const char *text) {
  size_t size = __builtin_strlen(text);
  return span.size == size && (size == 0 || __builtin_memcmp(span.data, text, size) == 0);
}

static inline bool tf_spans_equal(hone_bytes a, hone_bytes b) {
  return a.size == b.size && (a.size == 0 || __builtin_memcmp(a.data, b.data, a.size) == 0);
}

#endif
