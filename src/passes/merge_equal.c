/* Nodes of one op with equal attributes and inputs become one; so do equal constants.
 * Room: passes. */
#include <string.h>

#include "base/map.h"
#include "base/text.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

/* Larger constants are compared by where they lie only. */
enum { COMPARED_BYTES = 4096 };

static void add_word(hone_text *key, uint64_t word) {
  hone_text_add(key, (const char *)&word, sizeof word);
}
static void add_real(hone_text *key, double value) {
  hone_text_add(key, (const char *)&value, sizeof value);
}
static void add_string(hone_text *key, const char *text) {
  hone_text_add(key, text ? text : "", strlen(text ? text : "") + 1);
}

static void add_attr(hone_text *key, const hone_attr *attr) {
  add_word(key, (uint64_t)attr->integer);
  add_real(key, attr->real);
  add_string(key, attr->text);
  add_word(key, attr->count);
  for (size_t i = 0; i < attr->count && attr->integers; i++)
    add_word(key, (uint64_t)attr->integers[i]);
  for (size_t i = 0; i < attr->count && attr->reals; i++) add_real(key, attr->reals[i]);
  for (size_t i = 0; i < attr->count && attr->texts; i++) add_string(key, attr->texts[i]);
}

static void add_node(hone_text *key, const hone_node *node) {
  hone_value *in[2] = {hone_node_in(node, 0), hone_node_in(node, 1)};
  bool swap = (node->op->facts & HONE_COMMUTATIVE) && in[0] && in[1] && in[0]->id > in[1]->id;
  add_word(key, (uint64_t)(uintptr_t)node->op);
  add_word(key, (uint64_t)node->input_count);
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *value = swap && i < 2 ? in[1 - i] : node->inputs[i].value;
    add_word(key, value ? value->id + 1u : 0u);
  }
  for (int i = 0; i < HONE_MAX_ATTRS && node->op->attrs[i].name; i++)
    add_attr(key, &node->attrs[i]);
}

static void add_constant(hone_text *key, const hone_value *value) {
  add_word(key, 0);
  add_word(key, (uint64_t)value->type.dtype);
  add_word(key, (uint64_t)value->type.shape.rank);
  for (int i = 0; i < value->type.shape.rank; i++)
    add_word(key, (uint64_t)value->type.shape.dim[i]);
  if (value->constant_size <= COMPARED_BYTES && value->type.dtype != HONE_STR)
    hone_text_add(key, value->constant, value->constant_size);
  else
    add_word(key, (uint64_t)(uintptr_t)value->constant);
}

/* The first value or node of this key: the one given if it is the first. */
static hone_status *first_of(hone_map *map, hone_text *key, void *item, void **first) {
  HONE_TRY(hone_text_status(key));
  *first = hone_map_get(map, key->data, key->size);
  if (*first) return NULL;
  *first = item;
  return hone_map_put(map, key->data, key->size, item);
}

static hone_status *merge_constants(hone_graph *graph, hone_map *map, hone_text *key) {
  for (size_t i = 0; i < graph->constant_count; i++) {
    hone_value *value = graph->constants[i];
    void *first;
    if (!value->uses) continue;
    key->size = 0;
    add_constant(key, value);
    HONE_TRY(first_of(map, key, value, &first));
    if (first == value) continue;
    bool output = false;
    for (const hone_use *use = value->uses; use; use = use->next) output = output || !use->user;
    if (!output) hone_value_replace(value, first);
  }
  return NULL;
}

static bool may_merge(const hone_node *node) {
  if ((node->op->facts & HONE_IMPURE) || node->region_count) return false;
  for (int i = 0; i < node->output_count; i++)
    for (const hone_use *use = node->outputs[i] ? node->outputs[i]->uses : NULL; use;
         use = use->next)
      if (!use->user) return false;
  return true;
}

/* `node` does what `first` did before it. */
static hone_status *merge(hone_node *node, hone_node *first, hone_pass_context *context) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && (i >= first->output_count || !first->outputs[i])) return NULL;
  hone_pass_fired(context, "merge equal nodes");
  HONE_TRY(hone_node_add_sources(first, node));
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) hone_value_replace(node->outputs[i], first->outputs[i]);
  hone_remove_unused(node);
  return NULL;
}

static hone_status *merge_nodes(hone_graph *graph, hone_pass_context *context, hone_map *map,
                                hone_text *key) {
  for (hone_node *node = graph->first, *next; node; node = next) {
    void *first;
    next = node->next;
    if (!may_merge(node)) continue;
    key->size = 0;
    add_node(key, node);
    HONE_TRY(first_of(map, key, node, &first));
    if (first != node) HONE_TRY(merge(node, first, context));
  }
  return NULL;
}

static hone_status *merge_graph(hone_graph *graph, hone_pass_context *context) {
  hone_map map = {0};
  hone_text key = {0};
  hone_status *status = merge_constants(graph, &map, &key);
  if (!status) status = merge_nodes(graph, context, &map, &key);
  hone_text_free(&key);
  hone_map_free(&map);
  return status;
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  return hone_each_graph(graph, context, merge_graph);
}

const hone_pass hone_pass_merge_equal = {"merge_equal", run};
