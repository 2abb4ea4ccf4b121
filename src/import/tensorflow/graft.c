/* Writing the graph with engines in place of segments. Room: import. */
#include <stdio.h>
#include <string.h>

#include "import/tensorflow/conversion.h"
#include "import/tensorflow/graph_write.h"

/* An input as the new graph has it: of an engine's node where a segment gave it. */
static void put_moved(const hone_conversion *c, tf_edge edge, hone_text *out) {
  int of = c->verdicts[edge.node].segment - 1;
  char name[400];
  if (of < 0) {
    tf_put_edge(out, c->body->nodes[edge.node].name, edge.output);
    return;
  }
  const tf_segment *segment = &c->segments[of];
  snprintf(name, sizeof name, "%s_out_%d", segment->name,
           tf_find_edge(segment->outputs, segment->output_count, edge));
  hone_proto_put_text(out, 3, name);
}

/* A node that stays, with those that it waits for; of a segment it waits for the engine. */
static hone_status *put_kept(hone_conversion *c, int index, hone_text *out) {
  const tf_node *node = &c->body->nodes[index];
  size_t begin = hone_proto_begin(out, 1);
  HONE_TRY(tf_put_head(c, index, out));
  for (int i = 0; i < node->input_count; i++) put_moved(c, node->inputs[i], out);
  for (int i = 0; i < node->control_count; i++) {
    int from = node->inputs[node->input_count + i].node, of = c->verdicts[from].segment - 1;
    hone_bytes name = c->body->nodes[from].name;
    if (of >= 0) name = (hone_bytes){c->segments[of].name, strlen(c->segments[of].name)};
    tf_put_control(out, name);
  }
  hone_proto_end(out, begin);
  return NULL;
}

/* What gives the engine's node its engine; its DataType. */
static int put_source(const tf_segment *segment, const char *name, hone_text *out) {
  if (segment->bytes.size) {
    tf_put_bytes_node(out, name, TF_DT_UINT8, segment->bytes);
    return TF_DT_UINT8;
  }
  if (segment->path) {
    tf_put_bytes_node(out, name, TF_DT_STRING, (hone_bytes){segment->path, strlen(segment->path)});
    return TF_DT_STRING;
  }
  tf_put_placeholder(out, name, TF_DT_STRING);
  return TF_DT_STRING;
}

/* The graph's functions; more may follow. */
static size_t begin_library(const hone_conversion *c, hone_text *out) {
  size_t begin = hone_proto_begin(out, 2);
  if (c->graph.library.size) hone_text_add(out, c->graph.library.data, c->graph.library.size);
  return begin;
}

/* A call of the segment's function on in_0, in_1, … */
static hone_status *put_call(hone_conversion *c, const tf_segment *segment, hone_text *graph) {
  const int path[] = {TF_DT_STRING, 0};
  bool reads = tf_reads_weights(c, segment);
  size_t call = tf_begin_node(graph, 1, "call", "StatefulPartitionedCall");
  for (int i = 0; i < segment->input_count + reads; i++) {
    char input[32];
    snprintf(input, sizeof input, "in_%d", i);
    hone_proto_put_text(graph, 3, input);
  }
  tf_put_function_attr(graph, "f", segment->name);
  HONE_TRY(tf_put_types_attr(c, graph, "Tin", segment->inputs, segment->input_count,
                             reads ? path : NULL));
  HONE_TRY(tf_put_types_attr(c, graph, "Tout", segment->outputs, segment->output_count, NULL));
  hone_proto_end(graph, call);
  return NULL;
}

/* The graph that a node carries: placeholders, the call, and the function. */
static hone_status *write_carried(hone_conversion *c, const tf_segment *segment,
                                  hone_text *graph) {
  bool reads = tf_reads_weights(c, segment);
  for (int i = 0; i < segment->input_count + reads; i++) {
    hone_shape shape;
    char input[32];
    int type = TF_DT_STRING;
    if (i < segment->input_count) HONE_TRY(tf_port_type(c, segment->inputs[i], &type, &shape));
    snprintf(input, sizeof input, "in_%d", i);
    tf_put_placeholder(graph, input, type);
  }
  HONE_TRY(put_call(c, segment, graph));
  size_t library = begin_library(c, graph);
  HONE_TRY(tf_put_function(c, segment, graph));
  hone_proto_end(graph, library);
  if (c->graph.versions.size) hone_proto_put_bytes(graph, 4, c->graph.versions);
  return hone_text_status(graph);
}

static hone_status *put_carried(hone_conversion *c, const tf_segment *segment, const char *name,
                                hone_text *out) {
  hone_text graph = {0};
  hone_status *status = write_carried(c, segment, &graph);
  if (!status) tf_put_bytes_node(out, name, TF_DT_UINT8, (hone_bytes){graph.data, graph.size});
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
    size_t node = tf_begin_node(out, 1, name, "EnsureShape");
    tf_put_edge(out, (hone_bytes){segment->name, strlen(segment->name)}, i);
    tf_put_type_attr(out, "T", type);
    tf_put_shape_attr(out, "shape", &shape);
    hone_proto_end(out, node);
  }
  return NULL;
}

/* The inputs of an engine's node and their types: the segment's, the path of the file of weights, the
 * segment itself, and what gives the engine, whose type is `kind`. */
static hone_status *put_inputs(hone_conversion *c, const tf_segment *segment, bool carries,
                               int kind, bool own, hone_text *out) {
  char name[400];
  int more[4] = {0}, count = 0;
  for (int i = 0; i < segment->input_count; i++) put_moved(c, segment->inputs[i], out);
  if (tf_reads_weights(c, segment)) {
    hone_proto_put_text(out, 3, c->weights_name);
    more[count++] = TF_DT_STRING;
  }
  if (carries) {
    snprintf(name, sizeof name, "%s_segment", segment->name);
    hone_proto_put_text(out, 3, name);
    more[count++] = TF_DT_UINT8;
  }
  snprintf(name, sizeof name, "%s_path", segment->name);
  hone_proto_put_text(out, 3, name);
  if (!own) more[count++] = kind;
  return tf_put_types_attr(c, out, "InT", segment->inputs, segment->input_count, more);
}

static hone_status *put_engine(hone_conversion *c, const tf_segment *segment,
                               const hone_engine_nodes *nodes, hone_text *out) {
  char carried[400], source[400];
  bool own = strcmp(nodes->op, "HoneEngine") == 0;
  snprintf(carried, sizeof carried, "%s_segment", segment->name);
  snprintf(source, sizeof source, "%s_path", segment->name);
  if (nodes->carries_segment) HONE_TRY(put_carried(c, segment, carried, out));
  int kind = put_source(segment, source, out);
  size_t node = tf_begin_node(out, 1, segment->name, nodes->op);
  HONE_TRY(put_inputs(c, segment, nodes->carries_segment, kind, own, out));
  HONE_TRY(tf_put_types_attr(c, out, "OutT", segment->outputs, segment->output_count, NULL));
  tf_put_function_attr(out, "segment_func", segment->name);
  if (own) {
    tf_put_type_attr(out, "E", kind);
  } else {
    HONE_TRY(tf_put_shapes_attr(c, out, "input_shapes", segment->inputs, segment->input_count));
    HONE_TRY(tf_put_shapes_attr(c, out, "output_shapes", segment->outputs, segment->output_count));
  }
  if (nodes->carries_segment) tf_put_number_attr(out, "carries_segment", 1);
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
    tf_put_type_attr(out, "T", type);
  } else {
    tf_edge *edges = HONE_NEW_ARRAY(&c->importer.scratch, count, tf_edge);
    HONE_TRY_MEMORY(edges);
    for (int i = 0; i < count; i++) edges[i] = (tf_edge){index, i};
    HONE_TRY(tf_put_types_attr(c, out, "T", edges, count, NULL));
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

/* The placeholder of the path of the file of weights, where any function reads it. */
static void put_weights_path(const hone_conversion *c, hone_text *out) {
  bool any = false;
  for (int i = 0; i < c->segment_count; i++) any |= tf_reads_weights(c, &c->segments[i]);
  if (any) tf_put_placeholder(out, c->weights_name, TF_DT_STRING);
}

hone_status *tf_write_result(hone_conversion *c, const hone_engine_nodes *nodes, hone_text *out) {
  HONE_TRY(tf_find_weights(c, nodes->weights));
  put_weights_path(c, out);
  HONE_TRY(put_rest(c, out));
  for (int i = 0; i < c->segment_count; i++)
    if (!c->segments[i].left) HONE_TRY(put_engine(c, &c->segments[i], nodes, out));
  size_t library = begin_library(c, out);
  for (int i = 0; i < c->segment_count; i++)
    if (!c->segments[i].left) HONE_TRY(tf_put_function(c, &c->segments[i], out));
  hone_proto_end(out, library);
  if (c->graph.versions.size) hone_proto_put_bytes(out, 4, c->graph.versions);
  return hone_text_status(out);
}
