/* What graphs and functions are written with, in protobuf's wire format. Room: import. */
#ifndef HONE_IMPORT_TENSORFLOW_GRAPH_WRITE_H
#define HONE_IMPORT_TENSORFLOW_GRAPH_WRITE_H

#include "base/protobuf_write.h"
#include "import/tensorflow/conversion.h"

/* DataTypes that nodes of ours have. */
enum { TF_DT_STRING = 7, TF_DT_UINT8 = 4 };

/* An attribute of a node that is open; its value is written between begin and end. */
typedef struct tf_open_attr {
  size_t entry, value;
} tf_open_attr;
tf_open_attr tf_begin_attr(hone_text *out, const char *key);
void tf_end_attr(hone_text *out, tf_open_attr open);

void tf_put_type_attr(hone_text *out, const char *key, int type);
void tf_put_number_attr(hone_text *out, const char *key, uint64_t value);
/* The function that a segment's is called by. */
void tf_put_function_attr(hone_text *out, const char *key, const char *segment);
/* The types of edges, and `more` behind them, which end with 0 (NULL: none). */
HONE_MUST_USE hone_status *tf_put_types_attr(hone_conversion *c, hone_text *out, const char *key,
                                             const tf_edge *edges, int count, const int *more);
HONE_MUST_USE hone_status *tf_put_shapes_attr(hone_conversion *c, hone_text *out, const char *key,
                                              const tf_edge *edges, int count);
void tf_put_shape_attr(hone_text *out, const char *key, const hone_shape *shape);

/* Begins a node as field `number` of what is around it; hone_proto_end ends it. */
size_t tf_begin_node(hone_text *out, uint32_t number, const char *name, const char *op);
/* Name, operator, device and attributes of one of the graph's nodes. */
HONE_MUST_USE hone_status *tf_put_head(hone_conversion *c, int index, hone_text *out);
/* An input, as a graph names it. */
void tf_put_edge(hone_text *out, hone_bytes node, int output);
/* A node that only has to run before. */
void tf_put_control(hone_text *out, hone_bytes node);
/* A constant: a text, or bytes as a vector of uint8. */
void tf_put_bytes_node(hone_text *out, const char *name, int type, hone_bytes bytes);
void tf_put_placeholder(hone_text *out, const char *name, int type);

#endif
