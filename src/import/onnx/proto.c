/* The fields of ONNX's messages that matter here. Room: import. */
#include "import/onnx/proto.h"

#include <string.h>

#define ONE(message, number, kind, member)  HONE_PROTO_ONE(number, kind, onnx_##message, member)
#define MANY(message, number, kind, member) HONE_PROTO_MANY(number, kind, onnx_##message, member)

static const hone_proto_rule opset_rules[] = {
    ONE(opset, 1, BYTES, domain),
    ONE(opset, 2, VARINT, version),
};
static const hone_proto_rule model_rules[] = {
    ONE(model, 1, VARINT, ir_version),
    ONE(model, 7, BYTES, graph),
    MANY(model, 8, BYTES, opsets),
    MANY(model, 25, BYTES, functions),
};
static const hone_proto_rule graph_rules[] = {
    MANY(graph, 1, BYTES, nodes),
    ONE(graph, 2, BYTES, name),
    MANY(graph, 5, BYTES, initializers),
    MANY(graph, 11, BYTES, inputs),
    MANY(graph, 12, BYTES, outputs),
    MANY(graph, 13, BYTES, value_infos),
    MANY(graph, 15, BYTES, sparse_initializers),
};
static const hone_proto_rule function_rules[] = {
    ONE(function, 1, BYTES, name),      MANY(function, 4, BYTES, inputs),
    MANY(function, 5, BYTES, outputs),  MANY(function, 6, BYTES, attributes),
    MANY(function, 7, BYTES, nodes),    MANY(function, 9, BYTES, opsets),
    ONE(function, 10, BYTES, domain),   MANY(function, 11, BYTES, attribute_defaults),
    ONE(function, 13, BYTES, overload),
};
static const hone_proto_rule node_rules[] = {
    MANY(node, 1, BYTES, inputs),  MANY(node, 2, BYTES, outputs),    ONE(node, 3, BYTES, name),
    ONE(node, 4, BYTES, op),       MANY(node, 5, BYTES, attributes), ONE(node, 7, BYTES, domain),
    ONE(node, 8, BYTES, overload),
};
static const hone_proto_rule attribute_rules[] = {
    ONE(attribute, 1, BYTES, name),      ONE(attribute, 2, FIXED32, f),
    ONE(attribute, 3, VARINT, i),        ONE(attribute, 4, BYTES, s),
    ONE(attribute, 5, BYTES, t),         ONE(attribute, 6, BYTES, g),
    MANY(attribute, 7, FIXED32, floats), MANY(attribute, 8, VARINT, ints),
    MANY(attribute, 9, BYTES, strings),  ONE(attribute, 14, BYTES, tp),
    ONE(attribute, 20, VARINT, type),    ONE(attribute, 21, BYTES, reference),
    ONE(attribute, 22, BYTES, sparse),
};
static const hone_proto_rule tensor_rules[] = {
    MANY(tensor, 1, VARINT, dims),      ONE(tensor, 2, VARINT, dtype),
    MANY(tensor, 4, FIXED32, floats),   MANY(tensor, 5, VARINT, int32s),
    MANY(tensor, 6, BYTES, strings),    MANY(tensor, 7, VARINT, int64s),
    ONE(tensor, 8, BYTES, name),        ONE(tensor, 9, BYTES, raw),
    MANY(tensor, 10, FIXED64, doubles), MANY(tensor, 11, VARINT, uint64s),
    MANY(tensor, 13, BYTES, external),  ONE(tensor, 14, VARINT, location),
};
static const hone_proto_rule sparse_tensor_rules[] = {
    ONE(sparse_tensor, 1, BYTES, values),
    ONE(sparse_tensor, 2, BYTES, indices),
    MANY(sparse_tensor, 3, VARINT, dims),
};
static const hone_proto_rule value_info_rules[] = {
    ONE(value_info, 1, BYTES, name),
    ONE(value_info, 2, BYTES, type),
};
static const hone_proto_rule type_rules[] = {
    ONE(type, 1, BYTES, tensor),
    ONE(type, 4, BYTES, sequence),
    ONE(type, 9, BYTES, optional),
};
static const hone_proto_rule tensor_type_rules[] = {
    ONE(tensor_type, 1, VARINT, dtype),
    ONE(tensor_type, 2, BYTES, shape),
};
static const hone_proto_rule shape_rules[] = {
    MANY(shape, 1, BYTES, dims),
};
static const hone_proto_rule dim_rules[] = {
    ONE(dim, 1, VARINT, size),
    ONE(dim, 2, BYTES, symbol),
};
static const hone_proto_rule entry_rules[] = {
    ONE(entry, 1, BYTES, key),
    ONE(entry, 2, BYTES, value),
};

#define ONNX_READ(message)                                                         \
  hone_status *onnx_read_##message(hone_proto_reader *reader, hone_bytes bytes,    \
                                   onnx_##message *out) {                          \
    memset(out, 0, sizeof *out);                                                   \
    return hone_proto_read(reader, bytes, message##_rules,                         \
                           sizeof message##_rules / sizeof *message##_rules, out); \
  }
ONNX_MESSAGES(ONNX_READ)
