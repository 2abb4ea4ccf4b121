/* Copying graphs and moving pieces between them. Room: ir. */
#include <string.h>

#include "base/map.h"
#include "ir/op.h"

static void *pointer_get(hone_map *map, const void *key) {
  return hone_map_get(map, (const char *)&key, sizeof key);
}
static hone_status *pointer_put(hone_map *map, const void *key, void *to) {
  return hone_map_put(map, (const char *)&key, sizeof key, to);
}

static hone_status *copy_dim(hone_graph *to, const hone_graph *from, hone_dim *dim) {
  if (hone_dim_known(*dim) || to->root == from->root) return NULL;
  return hone_graph_symbol(to, hone_graph_symbol_name(from, *dim), dim);
}

hone_status *hone_type_copy(hone_graph *to, const hone_graph *from, hone_type *type) {
  for (int i = 0; i < type->shape.rank; i++) HONE_TRY(copy_dim(to, from, &type->shape.dim[i]));
  return NULL;
}

/* Attributes' arrays move into the new graph's arena. */
static hone_status *copy_attr(hone_arena *arena, hone_attr_kind kind, hone_attr *attr) {
  if ((kind == HONE_ATTR_TEXT || kind == HONE_ATTR_CHOICE) && attr->text) {
    attr->text = hone_arena_text(arena, attr->text, strlen(attr->text));
    HONE_TRY_MEMORY(attr->text);
  }
  if (attr->integers) {
    attr->integers = hone_arena_copy(arena, attr->integers, attr->count * sizeof(int64_t));
    HONE_TRY_MEMORY(attr->integers);
  }
  if (attr->reals) {
    attr->reals = hone_arena_copy(arena, attr->reals, attr->count * sizeof(double));
    HONE_TRY_MEMORY(attr->reals);
  }
  if (!attr->texts) return NULL;
  const char **texts = HONE_NEW_ARRAY(arena, attr->count + 1, const char *);
  HONE_TRY_MEMORY(texts);
  for (size_t i = 0; i < attr->count; i++) {
    texts[i] = hone_arena_text(arena, attr->texts[i], strlen(attr->texts[i]));
    HONE_TRY_MEMORY(texts[i]);
  }
  attr->texts = texts;
  return NULL;
}

static hone_status *copy_body(const hone_graph *from, hone_graph *to, hone_map *values);

/* The value of `to` that stands for `value`; constants are made when first met. */
static hone_status *copied_value(hone_graph *to, hone_map *values, const hone_value *value,
                                 hone_value **out) {
  *out = NULL;
  if (!value) return NULL;
  *out = pointer_get(values, value);
  if (*out || !value->constant) return NULL;
  HONE_TRY(hone_graph_constant(to, value->name, value->type.dtype, value->type.shape,
                               value->constant, value->constant_size, out));
  (*out)->place = value->place;
  (*out)->fixed = value->fixed;
  return pointer_put(values, value, *out);
}

hone_status *hone_node_copy(const hone_node *node, hone_graph *to, hone_node *before,
                            hone_map *values, hone_node **out) {
  hone_value *none = NULL;
  hone_node *copy;
  HONE_TRY(hone_node_new(to, before, node->op, &none, 0, 0, &copy));
  for (int i = 0; i < node->input_count; i++) {
    hone_value *input;
    HONE_TRY(copied_value(to, values, node->inputs[i].value, &input));
    HONE_TRY(hone_node_add_input(copy, input));
  }
  for (int i = 0; i < node->output_count; i++) {
    const hone_value *output = node->outputs[i];
    hone_type type = output ? output->type : (hone_type){0};
    hone_value *made;
    HONE_TRY(hone_type_copy(to, node->graph, &type));
    HONE_TRY(hone_node_add_output(copy, output ? output->name : NULL, type, &made));
    if (!output) {
      hone_node_drop_output(copy, i);
      continue;
    }
    made->place = output->place;
    HONE_TRY(pointer_put(values, output, made));
  }
  for (int i = 0; i < HONE_MAX_ATTRS && node->op->attrs[i].name; i++) {
    copy->attrs[i] = node->attrs[i];
    HONE_TRY(copy_attr(to->arena, node->op->attrs[i].kind, &copy->attrs[i]));
  }
  HONE_TRY(hone_node_add_sources(copy, node));
  for (int i = 0; i < node->region_count; i++) {
    hone_graph *region;
    hone_map inner = {0};
    HONE_TRY(hone_graph_new_region(copy, node->regions[i]->name, &region));
    hone_status *status = copy_body(node->regions[i], region, &inner);
    hone_map_free(&inner);
    HONE_TRY(status);
  }
  if (out) *out = copy;
  return NULL;
}

static hone_status *copy_body(const hone_graph *from, hone_graph *to, hone_map *values) {
  for (int i = 0; i < from->input_count; i++) {
    const hone_value *input = from->inputs[i];
    hone_type type = input->type;
    hone_value *made;
    HONE_TRY(hone_type_copy(to, from, &type));
    HONE_TRY(hone_graph_input(to, input->name, type, &made));
    made->place = input->place;
    HONE_TRY(pointer_put(values, input, made));
  }
  for (const hone_node *node = from->first; node; node = node->next)
    HONE_TRY(hone_node_copy(node, to, NULL, values, NULL));
  for (int i = 0; i < from->output_count; i++) {
    hone_value *value;
    HONE_TRY(copied_value(to, values, from->outputs[i].value, &value));
    HONE_TRY(hone_graph_output(to, value));
  }
  return NULL;
}

hone_status *hone_graph_copy(const hone_graph *graph, hone_graph **out) {
  hone_graph *copy;
  hone_map values = {0};
  HONE_TRY(hone_graph_new(graph->name, &copy));
  hone_status *status = copy_body(graph, copy, &values);
  hone_map_free(&values);
  if (status) {
    hone_graph_free(copy);
    return status;
  }
  *out = copy;
  return NULL;
}
