/* Writing a segment: as a model of its own, and as a function that runs where its engine cannot. Room:
 * import. */
#include <stdio.h>
#include <string.h>

#include "import/tensorflow/conversion.h"
#include "import/tensorflow/graph_write.h"

int tf_find_edge(const tf_edge *edges, int count, tf_edge edge) {
  for (int i = 0; i < count; i++)
    if (tf_edges_equal(edges[i], edge)) return i;
  return -1;
}

hone_status *tf_mark_constants(hone_conversion *c, const tf_segment *segment, bool **out) {
  *out = HONE_NEW_ARRAY(&c->importer.scratch, c->body->node_count + 1, bool);
  HONE_TRY_MEMORY(*out);
  for (int i = 0; i < segment->node_count; i++) {
    const tf_node *node = &c->body->nodes[segment->nodes[i]];
    for (int k = 0; k < node->input_count; k++)
      if (tf_find_edge(segment->inputs, segment->input_count, node->inputs[k]) < 0)
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
  int at = tf_find_edge(segment->inputs, segment->input_count, edge);
  if (at < 0 && !function) {
    tf_put_edge(out, c->body->nodes[edge.node].name, edge.output);
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

/* What a node waits for within its loop or conditional: a constant hangs on its branch by that alone. */
static void put_controls(const hone_conversion *c, int index, hone_text *out) {
  const tf_node *node = &c->body->nodes[index];
  for (int i = 0; i < node->control_count; i++) {
    int from = node->inputs[node->input_count + i].node;
    if (tf_is_whole(c, index) && c->verdicts[from].whole == c->verdicts[index].whole)
      tf_put_control(out, c->body->nodes[from].name);
  }
}

static hone_status *put_node(hone_conversion *c, const tf_segment *segment, int index,
                             uint32_t number, hone_text *out) {
  const tf_node *node = &c->body->nodes[index];
  size_t begin = hone_proto_begin(out, number);
  HONE_TRY(tf_put_head(c, index, out));
  for (int k = 0; k < node->input_count; k++)
    HONE_TRY(put_input(c, segment, node->inputs[k], number == 3, out));
  put_controls(c, index, out);
  hone_proto_end(out, begin);
  return NULL;
}

/* A constant that the function reads from the file of weights, whose path is its last argument. */
static void put_weight(hone_conversion *c, const tf_segment *segment, int index, hone_text *out) {
  const tf_node *node = &c->body->nodes[index];
  char text[400];
  size_t begin = hone_proto_begin(out, 3);
  hone_proto_put_bytes(out, 1, node->name);
  hone_proto_put_text(out, 2, "HoneWeight");
  snprintf(text, sizeof text, "%s%d", c->stem, segment->input_count);
  hone_proto_put_text(out, 3, text);
  tf_put_type_attr(out, "dtype", c->weights[index].type);
  tf_put_number_attr(out, "index", (uint64_t)c->weights[index].place - 1);
  snprintf(text, sizeof text, "assets/%s", c->weights_name);
  tf_open_attr open = tf_begin_attr(out, "file");
  hone_proto_put_text(out, 2, text);
  tf_end_attr(out, open);
  hone_proto_end(out, begin);
}

/* The nodes of a segment and its constants as fields `number`: a graph's or a function's. */
static hone_status *put_nodes(hone_conversion *c, const tf_segment *segment, uint32_t number,
                              hone_text *out) {
  bool *constants;
  HONE_TRY(tf_mark_constants(c, segment, &constants));
  for (int i = 0; i < segment->node_count; i++)
    HONE_TRY(put_node(c, segment, segment->nodes[i], number, out));
  for (int i = 0; i < c->body->node_count; i++) {
    if (!constants[i]) continue;
    if (number == 3 && c->weights && c->weights[i].place)
      put_weight(c, segment, i, out);
    else
      HONE_TRY(put_node(c, segment, i, number, out));
  }
  return NULL;
}

hone_status *tf_write_model(hone_conversion *c, const tf_segment *segment, hone_text *out) {
  for (int i = 0; i < segment->input_count; i++) {
    char name[32];
    hone_shape shape;
    int type;
    HONE_TRY(tf_port_type(c, segment->inputs[i], &type, &shape));
    snprintf(name, sizeof name, "%s%d", c->stem, i);
    size_t node = tf_begin_node(out, 1, name, "Placeholder");
    tf_put_type_attr(out, "dtype", type);
    tf_put_shape_attr(out, "shape", &shape);
    hone_proto_end(out, node);
  }
  HONE_TRY(put_nodes(c, segment, 1, out));
  if (c->graph.library.size) hone_proto_put_bytes(out, 2, c->graph.library);
  if (c->graph.versions.size) hone_proto_put_bytes(out, 4, c->graph.versions);
  return hone_text_status(out);
}

/* An ArgDef of a function, as field `number`. */
static void put_argument(uint32_t number, const char *stem, int index, int type, hone_text *out) {
  char name[32];
  snprintf(name, sizeof name, "%s%d", stem, index);
  size_t argument = hone_proto_begin(out, number);
  hone_proto_put_text(out, 1, name);
  hone_proto_put_number(out, 3, (uint64_t)type);
  hone_proto_end(out, argument);
}

static hone_status *put_arguments(hone_conversion *c, uint32_t number, const char *stem,
                                  const tf_edge *edges, int count, hone_text *out) {
  for (int i = 0; i < count; i++) {
    hone_shape shape;
    int type;
    HONE_TRY(tf_port_type(c, edges[i], &type, &shape));
    put_argument(number, stem, i, type, out);
  }
  return NULL;
}

hone_status *tf_put_function(hone_conversion *c, const tf_segment *segment, hone_text *out) {
  char name[400];
  size_t function = hone_proto_begin(out, 1);
  size_t signature = hone_proto_begin(out, 1);
  snprintf(name, sizeof name, "%s_native_segment", segment->name);
  hone_proto_put_text(out, 1, name);
  HONE_TRY(put_arguments(c, 2, c->stem, segment->inputs, segment->input_count, out));
  if (tf_reads_weights(c, segment)) put_argument(2, c->stem, segment->input_count, TF_DT_STRING, out);
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

