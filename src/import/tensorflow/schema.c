/* The fields of TensorFlow's messages by name, for files in protobuf's text form. Room: import.
 *
 * Only what proto.c and its callers read; a function's body may hold functions, and so on.
 */
#include "import/tensorflow/proto.h"

#define FIELD(name, number, type)           {name, number, HONE_PROTO_##type, NULL, NULL}
#define MESSAGE(name, number, schema)       {name, number, HONE_PROTO_MESSAGE, schema, NULL}
#define ELEMENT_TYPE(name, number)          {name, number, HONE_PROTO_ENUM, NULL, element_types}

/* DataType of tensorflow/core/framework/types.proto; references are 100 above their type. */
#define TYPE(name, number) {"DT_" name, number}, {"DT_" name "_REF", (number) + 100}
static const hone_proto_name element_types[] = {
    {"DT_INVALID", 0},
    TYPE("FLOAT", 1),          TYPE("DOUBLE", 2),         TYPE("INT32", 3),
    TYPE("UINT8", 4),          TYPE("INT16", 5),          TYPE("INT8", 6),
    TYPE("STRING", 7),         TYPE("COMPLEX64", 8),      TYPE("INT64", 9),
    TYPE("BOOL", 10),          TYPE("QINT8", 11),         TYPE("QUINT8", 12),
    TYPE("QINT32", 13),        TYPE("BFLOAT16", 14),      TYPE("QINT16", 15),
    TYPE("QUINT16", 16),       TYPE("UINT16", 17),        TYPE("COMPLEX128", 18),
    TYPE("HALF", 19),          TYPE("RESOURCE", 20),      TYPE("VARIANT", 21),
    TYPE("UINT32", 22),        TYPE("UINT64", 23),        TYPE("FLOAT8_E5M2", 24),
    TYPE("FLOAT8_E4M3FN", 25), TYPE("FLOAT8_E4M3FNUZ", 26), TYPE("FLOAT8_E4M3B11FNUZ", 27),
    TYPE("FLOAT8_E5M2FNUZ", 28), TYPE("INT4", 29),        TYPE("UINT4", 30),
    TYPE("INT2", 31),          TYPE("UINT2", 32),         {NULL, 0},
};

static const hone_proto_field dim[] = {FIELD("size", 1, INT), FIELD("name", 2, TEXT), {0}};
static const hone_proto_field shape[] = {
    MESSAGE("dim", 2, dim), FIELD("unknown_rank", 3, FLAG), {0}};
static const hone_proto_field tensor[] = {
    ELEMENT_TYPE("dtype", 1),       MESSAGE("tensor_shape", 2, shape),
    FIELD("tensor_content", 4, TEXT), FIELD("float_val", 5, F32),
    FIELD("double_val", 6, F64),    FIELD("int_val", 7, INT),
    FIELD("string_val", 8, TEXT),   FIELD("scomplex_val", 9, F32),
    FIELD("int64_val", 10, INT),    FIELD("bool_val", 11, FLAG),
    FIELD("dcomplex_val", 12, F64), FIELD("half_val", 13, INT),
    FIELD("uint32_val", 16, INT),   FIELD("uint64_val", 17, INT),
    FIELD("float8_val", 18, TEXT),  {0}};

static const hone_proto_field attr_entry[];
static const hone_proto_field name_and_attrs[] = {
    FIELD("name", 1, TEXT), MESSAGE("attr", 2, attr_entry), {0}};
static const hone_proto_field attr_list[] = {
    FIELD("s", 2, TEXT),         FIELD("i", 3, INT),
    FIELD("f", 4, F32),          FIELD("b", 5, FLAG),
    ELEMENT_TYPE("type", 6),     MESSAGE("shape", 7, shape),
    MESSAGE("tensor", 8, tensor), MESSAGE("func", 9, name_and_attrs), {0}};
static const hone_proto_field attr_value[] = {
    MESSAGE("list", 1, attr_list),  FIELD("s", 2, TEXT),
    FIELD("i", 3, INT),             FIELD("f", 4, F32),
    FIELD("b", 5, FLAG),            ELEMENT_TYPE("type", 6),
    MESSAGE("shape", 7, shape),     MESSAGE("tensor", 8, tensor),
    FIELD("placeholder", 9, TEXT),  MESSAGE("func", 10, name_and_attrs), {0}};
static const hone_proto_field attr_entry[] = {
    FIELD("key", 1, TEXT), MESSAGE("value", 2, attr_value), {0}};

static const hone_proto_field node[] = {
    FIELD("name", 1, TEXT),         FIELD("op", 2, TEXT), FIELD("input", 3, TEXT),
    MESSAGE("attr", 5, attr_entry), {0}};
static const hone_proto_field argument[] = {
    FIELD("name", 1, TEXT), ELEMENT_TYPE("type", 3), {0}};
static const hone_proto_field op_def[] = {
    FIELD("name", 1, TEXT), MESSAGE("input_arg", 2, argument), MESSAGE("output_arg", 3, argument),
    {0}};
static const hone_proto_field text_entry[] = {
    FIELD("key", 1, TEXT), FIELD("value", 2, TEXT), {0}};
static const hone_proto_field function[] = {
    MESSAGE("signature", 1, op_def), MESSAGE("node_def", 3, node), MESSAGE("ret", 4, text_entry),
    {0}};
static const hone_proto_field library[] = {MESSAGE("function", 1, function), {0}};
static const hone_proto_field versions[] = {FIELD("producer", 1, INT), {0}};

const hone_proto_field tf_graph_def_schema[] = {
    MESSAGE("node", 1, node), MESSAGE("library", 2, library), FIELD("version", 3, INT),
    MESSAGE("versions", 4, versions), {0}};

static const hone_proto_field tensor_info[] = {
    FIELD("name", 1, TEXT), ELEMENT_TYPE("dtype", 2), MESSAGE("tensor_shape", 3, shape), {0}};
static const hone_proto_field port_entry[] = {
    FIELD("key", 1, TEXT), MESSAGE("value", 2, tensor_info), {0}};
static const hone_proto_field signature[] = {
    MESSAGE("inputs", 1, port_entry), MESSAGE("outputs", 2, port_entry), {0}};
static const hone_proto_field signature_entry[] = {
    FIELD("key", 1, TEXT), MESSAGE("value", 2, signature), {0}};
static const hone_proto_field meta_info[] = {FIELD("tags", 4, TEXT), {0}};
static const hone_proto_field saver[] = {FIELD("restore_op_name", 3, TEXT), {0}};
static const hone_proto_field meta_graph[] = {
    MESSAGE("meta_info_def", 1, meta_info), MESSAGE("graph_def", 2, tf_graph_def_schema),
    MESSAGE("saver_def", 3, saver), MESSAGE("signature_def", 5, signature_entry), {0}};

const hone_proto_field tf_saved_model_schema[] = {
    FIELD("saved_model_schema_version", 1, INT), MESSAGE("meta_graphs", 2, meta_graph), {0}};
