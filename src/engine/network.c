/* Networks: inputs, constants, outputs, any op, and the model at the end. Room: engine. */
#include "engine/network.h"

#include <string.h>

#include "ir/text.h"

hone_status *hone_network_new(const char *name, hone_network **out) {
  hone_network *network = hone_alloc_zero(sizeof *network);
  HONE_TRY_MEMORY(network);
  hone_status *status = hone_graph_new(name, &network->graph);
  if (status) {
    hone_free(network);
    return status;
  }
  *out = network;
  return NULL;
}

void hone_network_free(hone_network *network) {
  if (!network || network->outer) return;
  for (hone_network *body = network->bodies, *next; body; body = next) {
    next = body->next;
    hone_free(body);
  }
  hone_graph_free(network->graph);
  hone_free(network);
}

static hone_status *check_open(const hone_network *network) {
  const hone_network *root = network;
  while (root->outer) root = root->outer;
  if (!root->graph) return hone_error(HONE_INVALID_ARGUMENT, "the network is finished");
  return network->closed ? hone_error(HONE_INVALID_ARGUMENT, "the body is closed") : NULL;
}

hone_status *hone_network_finish(hone_network *network, hone_model **out) {
  HONE_TRY(check_open(network));
  if (network->outer) return hone_error(HONE_INVALID_ARGUMENT, "a body is closed, not finished");
  for (const hone_network *body = network->bodies; body; body = body->next)
    if (!body->closed)
      return hone_error_at(hone_error(HONE_INVALID_ARGUMENT, "its body is not closed"), "node '%s'",
                           hone_node_label(body->owner));
  if (network->graph->output_count == 0)
    return hone_error(HONE_INVALID_ARGUMENT, "the network has no output");
  HONE_TRY(hone_graph_verify(network->graph));
  hone_graph *graph = network->graph;
  network->graph = NULL; /* the model's, or without memory freed */
  return hone_model_wrap(graph, out);
}

/* ---- Values --------------------------------------------------------------------------------- */

static hone_status *check_name(const hone_network *network, const char *name) {
  HONE_TRY(check_open(network));
  if (!name || !*name) return hone_error(HONE_INVALID_ARGUMENT, "a name is missing");
  if (hone_graph_find(network->graph, name))
    return hone_error(HONE_INVALID_ARGUMENT, "there is a value '%.200s' already", name);
  return NULL;
}

static hone_status *add_input(hone_network *network, const char *name, const char *type,
                              hone_value **out) {
  hone_type parsed;
  HONE_TRY(check_name(network, name));
  if (network->outer)
    return hone_error(HONE_INVALID_ARGUMENT, "a body has no inputs but those it starts with");
  if (!type) return hone_error(HONE_INVALID_ARGUMENT, "its type is missing");
  HONE_TRY(hone_type_parse(network->graph, type, &parsed));
  if (!parsed.dtype) return hone_error(HONE_INVALID_ARGUMENT, "its element type is missing");
  return hone_graph_input(network->graph, name, parsed, out);
}

hone_status *hone_network_input(hone_network *network, const char *name, const char *type,
                                hone_value **out) {
  return hone_error_at(add_input(network, name, type, out), "input '%.200s'", name ? name : "");
}

/* `release` NULL with `copied` false: the bytes live long enough by themselves. */
static hone_status *add_constant(hone_network *network, const char *name, const hone_tensor *tensor,
                                 bool copied, hone_value **out) {
  hone_datum datum;
  size_t bytes;
  HONE_TRY(check_name(network, name));
  HONE_TRY(hone_tensor_read(tensor, &network->graph->root->storage, &datum));
  if (datum.kind != HONE_KIND_TENSOR)
    return hone_error(HONE_INVALID_ARGUMENT, "a constant is a tensor");
  if (!copied && datum.dtype == HONE_STR)
    return hone_error(HONE_INVALID_ARGUMENT, "strings are copied, not lent");
  if (!hone_shape_bytes(&datum.shape, datum.dtype, &bytes))
    return hone_error(HONE_LIMIT, "its size overflows");
  return (copied ? hone_graph_constant_copy : hone_graph_constant)(
      network->graph, name, datum.dtype, datum.shape, datum.data, bytes, out);
}

hone_status *hone_network_constant(hone_network *network, const char *name,
                                   const hone_tensor *tensor, hone_value **out) {
  return hone_error_at(add_constant(network, name, tensor, true, out), "constant '%.200s'",
                       name ? name : "");
}

hone_status *hone_network_lend(hone_network *network, const char *name, const hone_tensor *tensor,
                               void (*release)(void *), void *argument, hone_value **out) {
  hone_status *status = add_constant(network, name, tensor, false, out);
  /* Without memory for the keeper the constant must not be seen: it would outlive its bytes. */
  if (!status && release) {
    status = hone_graph_keep(network->graph, release, argument);
    if (status) network->graph->constant_count--;
  }
  return hone_error_at(status, "constant '%.200s'", name ? name : "");
}

static bool is_output(const hone_graph *graph, const hone_value *value) {
  for (int i = 0; i < graph->output_count; i++)
    if (graph->outputs[i].value == value) return true;
  return false;
}

/* An input, a constant or a value given twice goes through identity: an output has a name of its
 * own. */
static hone_status *add_output(hone_network *network, hone_value *value, const char *name) {
  HONE_TRY(check_open(network));
  if (!value) return hone_error(HONE_INVALID_ARGUMENT, "its value is missing");
  if (name && strcmp(value->name, name) != 0) HONE_TRY(check_name(network, name));
  hone_layer layer = hone_layer_begin(network, name);
  value = hone_layer_value(&layer, value);
  if (value && (!value->producer || is_output(network->graph, value)))
    value = HONE_LAYER_OP(&layer, "identity", NULL, value);
  HONE_TRY(hone_layer_end(&layer));
  if (name) HONE_TRY(hone_value_rename(value, name));
  return hone_graph_output(network->graph, value);
}

hone_status *hone_network_output(hone_network *network, hone_value *value, const char *name) {
  return hone_error_at(add_output(network, value, name), "output '%.200s'", name ? name : "");
}

/* ---- Layers --------------------------------------------------------------------------------- */

hone_layer hone_layer_begin(hone_network *network, const char *name) {
  hone_layer layer = {.network = network, .name = name && *name ? name : NULL};
  layer.status = check_open(network);
  layer.open = layer.status == NULL;
  if (layer.open) layer.before = network->graph->last;
  return layer;
}

void hone_layer_keep(hone_layer *layer, hone_status *status) {
  if (!layer->status)
    layer->status = status;
  else
    hone_status_free(status);
}

/* The body's own value for one of the network around it. A constant is copied into the body, its
 * bytes shared; anything else comes in as an input of the owner and of all its bodies. */
static hone_status *capture(hone_network *body, hone_value *outside, hone_value **out) {
  hone_node *owner = body->owner;
  if (outside->constant)
    return hone_graph_constant(body->graph, outside->name, outside->type.dtype, outside->type.shape,
                               outside->constant, outside->constant_size, out);
  for (int i = body->first_capture; i < owner->input_count; i++)
    if (owner->inputs[i].value == outside) {
      *out = body->graph->inputs[i + body->region_offset];
      return NULL;
    }
  for (int r = 0; r < owner->region_count; r++) {
    hone_value *inside;
    HONE_TRY(hone_graph_input(owner->regions[r], outside->name, outside->type, &inside));
    if (owner->regions[r] == body->graph) *out = inside;
  }
  return hone_node_add_input(owner, outside);
}

/* Bodies are nested a bounded number of levels, so this ends. */
static hone_status *resolve(hone_network *network, hone_value *value, hone_value **out) {
  *out = value;
  if (value->graph == network->graph) return NULL;
  if (!network->outer)
    return hone_error(HONE_INVALID_ARGUMENT, "value '%.100s' is not of this network", value->name);
  hone_value *outside;
  HONE_TRY(resolve(network->outer, value, &outside));
  return capture(network, outside, out);
}

hone_value *hone_layer_value(hone_layer *layer, hone_value *value) {
  hone_value *found = NULL;
  if (value && !layer->status) hone_layer_keep(layer, resolve(layer->network, value, &found));
  return layer->status ? NULL : found;
}

static hone_status *new_node(hone_layer *layer, const hone_op *op, hone_value *const *inputs,
                             size_t input_count, size_t output_count, hone_node **out) {
  HONE_TRY(hone_node_new(layer->network->graph, NULL, op, NULL, 0, (int)output_count, out));
  for (size_t i = 0; i < input_count && !layer->status; i++)
    HONE_TRY(hone_node_add_input(*out, hone_layer_value(layer, inputs[i])));
  return layer->name ? hone_node_add_source(*out, layer->name) : NULL;
}

/* Far beyond any use, and safe as ints. */
#define MOST_OPERANDS 65536

hone_node *hone_layer_node(hone_layer *layer, const char *name, hone_value *const *inputs,
                           size_t input_count, size_t output_count) {
  hone_node *node = NULL;
  if (layer->status) return NULL;
  const hone_op *op = name ? hone_op_find(name, strlen(name)) : NULL;
  while (input_count > 0 && !inputs[input_count - 1]) input_count--;
  if (!op)
    hone_layer_keep(layer,
                    hone_error(HONE_INVALID_ARGUMENT, "there is no op '%.100s'", name ? name : ""));
  else if (input_count > MOST_OPERANDS || output_count > MOST_OPERANDS)
    hone_layer_keep(layer, hone_error(HONE_LIMIT, "more than %d operands", MOST_OPERANDS));
  else
    hone_layer_keep(layer, new_node(layer, op, inputs, input_count, output_count, &node));
  return layer->status ? NULL : node;
}

void hone_layer_attributes(hone_layer *layer, hone_node *node, const char *text) {
  if (node && text) hone_layer_keep(layer, hone_attrs_parse(node, text));
}

hone_value *hone_layer_infer(hone_layer *layer, hone_node *node) {
  if (!node || layer->status) return NULL;
  hone_layer_keep(layer, hone_node_check(node));
  if (!layer->status) hone_layer_keep(layer, hone_node_infer(node));
  return layer->status ? NULL : hone_node_out(node, 0);
}

hone_value *hone_layer_ints(hone_layer *layer, const int64_t *values, size_t count) {
  hone_value *out = NULL;
  if (!values || layer->status) return NULL;
  hone_layer_keep(layer, hone_graph_ints(layer->network->graph, NULL, 1, values, count, &out));
  return layer->status ? NULL : out;
}

hone_value *hone_layer_op(hone_layer *layer, const char *op, hone_value *const *inputs,
                          size_t input_count, const char *attributes) {
  hone_node *node = hone_layer_node(layer, op, inputs, input_count, 1);
  hone_layer_attributes(layer, node, attributes);
  return hone_layer_infer(layer, node);
}

/* Values are called after their layer: "conv1", and its further ones "conv1:1", "conv1:2". */
static hone_status *name_values(const hone_layer *layer, hone_value *const *values, size_t count) {
  hone_text text = {0};
  for (size_t i = 0; layer->name && i < count; i++) {
    if (!values[i]) continue;
    text.size = 0;
    hone_text_puts(&text, layer->name);
    if (i) hone_text_printf(&text, ":%zu", i);
    hone_status *status = hone_text_status(&text);
    if (!status) status = hone_value_rename(values[i], text.data);
    if (status) {
      hone_text_free(&text);
      return status;
    }
  }
  hone_text_free(&text);
  return NULL;
}

hone_status *hone_layer_end(hone_layer *layer) {
  hone_status *status = layer->status;
  if (!status) return NULL;
  hone_graph *graph = layer->network->graph;
  while (layer->open && graph->last != layer->before) hone_node_remove(graph->last);
  bool named = strncmp(hone_status_place(status), "node ", 5) == 0;
  return named ? status : hone_error_at(status, "node '%.200s'", layer->name ? layer->name : "");
}

hone_status *hone_layer_give(hone_layer *layer, hone_value *const *values,
                             hone_value **const *outputs, size_t count) {
  if (!layer->status) layer->status = name_values(layer, values, count);
  HONE_TRY(hone_layer_end(layer));
  for (size_t i = 0; i < count; i++)
    if (outputs[i]) *outputs[i] = values[i];
  return NULL;
}

hone_status *hone_layer_give_node(hone_layer *layer, const hone_node *node, hone_value **outputs) {
  int count = node ? node->output_count : 0; /* no node: the layer has a failure to end with */
  if (!layer->status && node) layer->status = name_values(layer, node->outputs, (size_t)count);
  HONE_TRY(hone_layer_end(layer));
  for (int i = 0; i < count; i++) outputs[i] = node->outputs[i];
  return NULL;
}

hone_status *hone_network_add(hone_network *network, const char *name, const char *op,
                              hone_value *const *inputs, size_t input_count, const char *attributes,
                              hone_value **outputs, size_t output_count) {
  hone_layer layer = hone_layer_begin(network, name);
  hone_node *node = hone_layer_node(&layer, op, inputs, input_count, output_count);
  if (node && (node->op->facts & HONE_HAS_REGIONS))
    hone_layer_keep(&layer, hone_error(HONE_INVALID_ARGUMENT,
                                       "op '%s' has bodies: hone_network_if and hone_network_loop "
                                       "make those",
                                       op));
  hone_layer_attributes(&layer, node, attributes);
  (void)hone_layer_infer(&layer, node);
  return hone_layer_give_node(&layer, node, outputs);
}

/* ---- The table of ops ------------------------------------------------------------------------ */

static void print_names(hone_text *text, const char *signature) {
  for (const char *at = signature; *at; at++) {
    if (*at == ' ') hone_text_puts(text, ",");
    hone_text_add(text, at, 1);
  }
}

static void print_op(hone_text *text, const hone_op *op) {
  static const char *const kinds[] = {"", "int",  "flag", "real",  "text",
                                      "", "type", "ints", "reals", "texts"};
  hone_text_printf(text, "%s(", op->name);
  print_names(text, op->inputs);
  hone_text_puts(text, ") -> (");
  print_names(text, op->outputs);
  hone_text_puts(text, ")");
  for (int i = 0; i < HONE_MAX_ATTRS && op->attrs[i].name; i++) {
    const hone_attr_def *attr = &op->attrs[i];
    const char *kind = attr->kind == HONE_ATTR_CHOICE ? attr->choices : kinds[attr->kind];
    hone_text_printf(text, "%s%s: %s", i ? ", " : " {", attr->name, kind);
    if (attr->fallback) hone_text_printf(text, " = %s", attr->fallback);
  }
  hone_text_puts(text, op->attrs[0].name ? "}\n" : "\n");
}

hone_status *hone_ops_text(char **out) {
  hone_text text = {0};
  size_t count;
  const hone_op *const *ops = hone_op_list(&count);
  for (size_t i = 0; i < count; i++) print_op(&text, ops[i]);
  hone_status *status = hone_text_status(&text);
  if (status)
    hone_text_free(&text);
  else
    *out = text.data;
  return status;
}
