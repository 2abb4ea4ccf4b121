/* ONNX's messages as spans of the file (onnx.proto names the fields). Room: import. */
#ifndef HONE_IMPORT_ONNX_PROTO_H
#define HONE_IMPORT_ONNX_PROTO_H

#include "base/protobuf.h"

typedef struct onnx_opset {
  hone_bytes domain, version;
} onnx_opset;

typedef struct onnx_model {
  hone_bytes ir_version, graph;
  hone_proto_list opsets, functions;
} onnx_model;

typedef struct onnx_graph {
  hone_bytes name;
  hone_proto_list nodes, initializers, sparse_initializers, inputs, outputs, value_infos;
} onnx_graph;

typedef struct onnx_function {
  hone_bytes name, domain, overload;
  hone_proto_list inputs, outputs, attributes, attribute_defaults, nodes, opsets;
} onnx_function;

typedef struct onnx_node {
  hone_bytes name, op, domain, overload;
  hone_proto_list inputs, outputs, attributes;
} onnx_node;

typedef enum onnx_attribute_type {
  ONNX_UNDEFINED,
  ONNX_FLOAT,
  ONNX_INT,
  ONNX_STRING,
  ONNX_TENSOR,
  ONNX_GRAPH,
  ONNX_FLOATS,
  ONNX_INTS,
  ONNX_STRINGS,
  ONNX_TENSORS,
  ONNX_GRAPHS,
  ONNX_SPARSE_TENSOR
} onnx_attribute_type;

typedef struct onnx_attribute {
  hone_bytes name, reference, type, f, i, s, t, g, tp, sparse;
  hone_proto_list floats, ints, strings;
} onnx_attribute;

typedef struct onnx_tensor {
  hone_bytes name, dtype, raw, location;
  hone_proto_list dims, floats, int32s, strings, int64s, doubles, uint64s, external;
} onnx_tensor;

typedef struct onnx_sparse_tensor {
  hone_bytes values, indices;
  hone_proto_list dims;
} onnx_sparse_tensor;

typedef struct onnx_value_info {
  hone_bytes name, type;
} onnx_value_info;

typedef struct onnx_type {
  hone_bytes tensor, sequence, optional;
} onnx_type;

typedef struct onnx_tensor_type {
  hone_bytes dtype, shape;
} onnx_tensor_type;

typedef struct onnx_shape {
  hone_proto_list dims;
} onnx_shape;

typedef struct onnx_dim {
  hone_bytes size, symbol;
} onnx_dim;

typedef struct onnx_entry { /* of external_data */
  hone_bytes key, value;
} onnx_entry;

/* Each clears `out` and reads one message into it. */
#define ONNX_MESSAGES(X)                                                                      \
  X(opset)                                                                                    \
  X(model) X(graph) X(function) X(node) X(attribute) X(tensor) X(sparse_tensor) X(value_info) \
      X(type) X(tensor_type) X(shape) X(dim) X(entry)
#define ONNX_READ(message)                                                                    \
  HONE_MUST_USE hone_status *onnx_read_##message(hone_proto_reader *reader, hone_bytes bytes, \
                                                 onnx_##message *out);
ONNX_MESSAGES(ONNX_READ)
#undef ONNX_READ

#endif
