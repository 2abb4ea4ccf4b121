/* What became of a graph's nodes, as JSON; see hone/tensorflow.h. Room: import. */
#include <inttypes.h>
#include <string.h>

#include "import/tensorflow/conversion.h"

static void quote(hone_text *out, hone_bytes text) {
  hone_text_quote(out, text.data ? text.data : "", text.size);
}

static hone_status *say_edge(const hone_conversion *c, tf_edge edge, hone_text *out) {
  hone_bytes name = c->body->nodes[edge.node].name;
  hone_text text = {0};
  hone_text_printf(&text, "%.*s:%d", (int)name.size, (const char *)name.data, edge.output);
  hone_status *status = hone_text_status(&text);
  if (!status) hone_text_quote(out, text.data, text.size);
  hone_text_free(&text);
  return status;
}

static hone_status *say_ports(hone_conversion *c, const char *key, const tf_edge *edges, int count,
                              hone_text *out) {
  hone_text_printf(out, ", \"%s\": [", key);
  for (int i = 0; i < count; i++) {
    hone_shape shape;
    int type;
    HONE_TRY(tf_port_type(c, edges[i], &type, &shape));
    hone_text_puts(out, i ? ", {\"tensor\": " : "{\"tensor\": ");
    HONE_TRY(say_edge(c, edges[i], out));
    hone_text_printf(out, ", \"type\": %d, \"shape\": ", type);
    if (shape.rank < 0) hone_text_puts(out, "null}");
    for (int k = 0; k < shape.rank; k++) {
      hone_text_puts(out, k ? ", " : "[");
      if (shape.dim[k] < 0)
        hone_text_puts(out, "null");
      else
        hone_text_printf(out, "%" PRId64, shape.dim[k]);
    }
    if (shape.rank >= 0) hone_text_puts(out, shape.rank ? "]}" : "[]}");
  }
  hone_text_puts(out, "]");
  return NULL;
}

static hone_status *say_segment(hone_conversion *c, const tf_segment *segment, hone_text *out) {
  bool left = segment->left;
  hone_text_printf(out, "{\"name\": \"%s\", \"size\": %d, \"nodes\": [", segment->name,
                   segment->size);
  for (int i = 0; i < segment->node_count; i++) {
    const tf_node *node = &c->body->nodes[segment->nodes[i]];
    hone_text_puts(out, i ? ", [" : "[");
    quote(out, node->name);
    hone_text_puts(out, ", ");
    quote(out, node->op);
    hone_text_puts(out, "]");
  }
  hone_text_puts(out, "]");
  HONE_TRY(say_ports(c, "inputs", segment->inputs, left ? 0 : segment->input_count, out));
  HONE_TRY(say_ports(c, "outputs", segment->outputs, left ? 0 : segment->output_count, out));
  hone_text_puts(out, "}");
  return NULL;
}

static void say_native(const hone_conversion *c, hone_text *out) {
  const char *between = "";
  for (int i = 0; i < c->body->node_count; i++) {
    int index = c->order[i];
    const tf_node *node = &c->body->nodes[index];
    const char *why = c->verdicts[index].why;
    if (!why) continue;
    hone_text_printf(out, "%s{\"node\": ", between);
    quote(out, node->name);
    hone_text_puts(out, ", \"op\": ");
    quote(out, node->op);
    hone_text_puts(out, ", \"reason\": ");
    hone_text_quote(out, why, strlen(why));
    hone_text_puts(out, "}");
    between = ", ";
  }
}

static hone_status *describe(hone_conversion *c, hone_text *out) {
  hone_text_puts(out, "{\"segments\": [");
  for (int i = 0; i < c->segment_count; i++) {
    if (i) hone_text_puts(out, ", ");
    HONE_TRY(say_segment(c, &c->segments[i], out));
  }
  hone_text_puts(out, "], \"native\": [");
  say_native(c, out);
  hone_text_puts(out, "]}");
  return hone_text_status(out);
}

hone_status *hone_conversion_describe(hone_conversion *c, char **out) {
  hone_text text = {0};
  hone_status *status = describe(c, &text);
  if (status)
    hone_text_free(&text);
  else
    *out = text.data;
  return status;
}
