/* The fields of TensorFlow's messages that matter here. Room: import. */
#include "import/tensorflow/proto.h"

#include <string.h>

#define ONE(message, number, kind, member)  HONE_PROTO_ONE(number, kind, tf_##message, member)
#define MANY(message, number, kind, member) HONE_PROTO_MANY(number, kind, tf_##message, member)

static const hone_proto_rule entry_rules[] = {
    ONE(entry, 1, BYTES, key),
    ONE(entry, 2, BYTES, value),
};
static const hone_proto_rule graph_def_rules[] = {
    MANY(graph_def, 1, BYTES, nodes),
    ONE(graph_def, 2, BYTES, library),
    ONE(graph_def, 4, BYTES, versions),
};
static const hone_proto_rule node_def_rules[] = {
    ONE(node_def, 1, BYTES, name),
    ONE(node_def, 2, BYTES, op),
    MANY(node_def, 3, BYTES, inputs),
    ONE(node_def, 4, BYTES, device),
    MANY(node_def, 5, BYTES, attrs),
};
static const hone_proto_rule attr_value_rules[] = {
    ONE(attr_value, 1, BYTES, list),  ONE(attr_value, 2, BYTES, s),
    ONE(attr_value, 3, VARINT, i),    ONE(attr_value, 4, FIXED32, f),
    ONE(attr_value, 5, VARINT, b),    ONE(attr_value, 6, VARINT, type),
    ONE(attr_value, 7, BYTES, shape), ONE(attr_value, 8, BYTES, tensor),
    ONE(attr_value, 9, BYTES, placeholder), ONE(attr_value, 10, BYTES, func),
};
static const hone_proto_rule attr_list_rules[] = {
    MANY(attr_list, 2, BYTES, s),     MANY(attr_list, 3, VARINT, i),
    MANY(attr_list, 4, FIXED32, f),   MANY(attr_list, 5, VARINT, b),
    MANY(attr_list, 6, VARINT, type), MANY(attr_list, 7, BYTES, shape),
    MANY(attr_list, 9, BYTES, func),
};
static const hone_proto_rule shape_proto_rules[] = {
    MANY(shape_proto, 2, BYTES, dims),
    ONE(shape_proto, 3, VARINT, unknown_rank),
};
static const hone_proto_rule tensor_proto_rules[] = {
    ONE(tensor_proto, 1, VARINT, dtype),      ONE(tensor_proto, 2, BYTES, shape),
    ONE(tensor_proto, 4, BYTES, content),     MANY(tensor_proto, 5, FIXED32, floats),
    MANY(tensor_proto, 6, FIXED64, doubles),  MANY(tensor_proto, 7, VARINT, ints),
    MANY(tensor_proto, 8, BYTES, strings),    MANY(tensor_proto, 9, FIXED32, complexes),
    MANY(tensor_proto, 10, VARINT, int64s),   MANY(tensor_proto, 11, VARINT, bools),
    MANY(tensor_proto, 12, FIXED64, complexes128), MANY(tensor_proto, 13, VARINT, halves),
    MANY(tensor_proto, 16, VARINT, uint32s),  MANY(tensor_proto, 17, VARINT, uint64s),
    ONE(tensor_proto, 18, BYTES, float8s),
};
static const hone_proto_rule function_def_rules[] = {
    ONE(function_def, 1, BYTES, signature),
    MANY(function_def, 3, BYTES, nodes),
    MANY(function_def, 4, BYTES, returns),
};
static const hone_proto_rule op_def_rules[] = {
    ONE(op_def, 1, BYTES, name),
    MANY(op_def, 2, BYTES, inputs),
    MANY(op_def, 3, BYTES, outputs),
};
static const hone_proto_rule saved_model_rules[] = {
    ONE(saved_model, 1, VARINT, version),
    MANY(saved_model, 2, BYTES, meta_graphs),
};
static const hone_proto_rule meta_graph_rules[] = {
    ONE(meta_graph, 1, BYTES, info),
    ONE(meta_graph, 2, BYTES, graph),
    ONE(meta_graph, 3, BYTES, saver),
    MANY(meta_graph, 5, BYTES, signatures),
};
static const hone_proto_rule signature_def_rules[] = {
    MANY(signature_def, 1, BYTES, inputs),
    MANY(signature_def, 2, BYTES, outputs),
};
static const hone_proto_rule tensor_info_rules[] = {
    ONE(tensor_info, 1, BYTES, name),
    ONE(tensor_info, 2, VARINT, dtype),
    ONE(tensor_info, 3, BYTES, shape),
};
static const hone_proto_rule bundle_entry_rules[] = {
    ONE(bundle_entry, 1, VARINT, dtype),  ONE(bundle_entry, 2, BYTES, shape),
    ONE(bundle_entry, 3, VARINT, shard),  ONE(bundle_entry, 4, VARINT, offset),
    ONE(bundle_entry, 5, VARINT, size),   ONE(bundle_entry, 6, FIXED32, crc),
    MANY(bundle_entry, 7, BYTES, slices),
};
static const hone_proto_rule saved_tensor_rules[] = {
    ONE(saved_tensor, 2, BYTES, full_name),
    ONE(saved_tensor, 3, BYTES, key),
};

#define TF_READER(message)                                                                       \
  hone_status *tf_read_##message(hone_proto_reader *reader, hone_bytes bytes, tf_##message *out) { \
    memset(out, 0, sizeof *out);                                                                 \
    return hone_proto_read(reader, bytes, message##_rules,                                       \
                           sizeof message##_rules / sizeof *message##_rules, out);               \
  }
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

hone_status *tf_read_bytes(hone_proto_reader *reader, hone_bytes message, uint32_t number,
                           hone_bytes *out) {
  hone_proto_rule rule = {number, HONE_PROTO_BYTES, false, 0};
  *out = (hone_bytes){0};
  return hone_proto_read(reader, message, &rule, 1, out);
}

hone_status *tf_read_number(hone_proto_reader *reader, hone_bytes message, uint32_t number,
                            uint64_t *out) {
  hone_proto_rule rule = {number, HONE_PROTO_VARINT, false, 0};
  hone_bytes span = {0};
  HONE_TRY(hone_proto_read(reader, message, &rule, 1, &span));
  *out = hone_proto_varint(span);
  return NULL;
}

hone_status *tf_read_list(hone_proto_reader *reader, hone_bytes message, uint32_t number,
                          hone_proto_list *out) {
  hone_proto_rule rule = {number, HONE_PROTO_BYTES, true, 0};
  *out = (hone_proto_list){0};
  return hone_proto_read(reader, message, &rule, 1, out);
}
