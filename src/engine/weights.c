/* The weights of a model by name, and new elements for them. Room: engine. */
#include <hone/network.h>
#include <hone/refit.h>
#include <string.h>

#include "engine/weights.h"

/* One weight: the first constant with these bytes, and all others that share them (a body has
 * constants of its own for those of the graph around it). */
typedef struct weight {
  hone_value **values;
  size_t count, room;
  bool replaceable;
} weight;

struct hone_weights {
  hone_arena memory;
  hone_map by_bytes; /* address and size to weight */
  weight **all;      /* the replaceable ones that have a name of the user's */
  size_t count, room;
};

static bool is_shape_input(const hone_use *use) {
  const hone_node *node = use->user;
  for (int i = 0; node && i < node->input_count; i++)
    if (&node->inputs[i] == use) return hone_op_shaped_by(node->op, i);
  return false;
}

/* Whether its elements are free: no shape, no size, nothing that importing looked at. */
static bool is_free(const hone_value *value) {
  hone_dtype dtype = value->type.dtype;
  hone_dtype_class class = hone_dtype_class_of(dtype);
  bool whole = class == HONE_CLASS_SIGNED || class == HONE_CLASS_UNSIGNED, dequantised = true;
  if (value->fixed) return false;
  for (const hone_use *use = value->uses; use; use = use->next) {
    if (is_shape_input(use)) return false;
    dequantised = dequantised && use->user && use->user->op == &hone_op_dequantize;
  }
  return class == HONE_CLASS_FLOAT || (whole && hone_dtype_bits(dtype) <= 8) ||
         (dtype == HONE_S32 && dequantised);
}

static hone_status *grow(hone_arena *memory, void *items, size_t count, size_t *room) {
  void **list = items;
  if (count < *room) return NULL;
  size_t more = *room ? *room * 2 : 4;
  void **grown = HONE_NEW_ARRAY(memory, more, void *);
  HONE_TRY_MEMORY(grown);
  if (count) memcpy(grown, *(void **)list, count * sizeof *grown);
  *(void **)list = grown;
  *room = more;
  return NULL;
}

static hone_status *take_constant(hone_weights *list, hone_value *value) {
  struct {
    const void *bytes;
    size_t size;
  } key = {value->constant, value->constant_size};
  if (!value->uses && !value->fixed) return NULL;
  weight *w = hone_map_get(&list->by_bytes, (const char *)&key, sizeof key);
  if (!w) {
    w = HONE_NEW(&list->memory, weight);
    HONE_TRY_MEMORY(w);
    w->replaceable = true;
    HONE_TRY(hone_map_put(&list->by_bytes, (const char *)&key, sizeof key, w));
  }
  HONE_TRY(grow(&list->memory, &w->values, w->count, &w->room));
  w->values[w->count++] = value;
  w->replaceable = w->replaceable && is_free(value);
  return NULL;
}

static hone_status *take_graph(hone_weights *list, const hone_graph *graph) {
  for (size_t i = 0; i < graph->constant_count; i++)
    HONE_TRY(take_constant(list, graph->constants[i]));
  for (const hone_node *node = graph->first; node; node = node->next)
    for (int r = 0; r < node->region_count; r++) HONE_TRY(take_graph(list, node->regions[r]));
  return NULL;
}

/* Names that the graph made up: an underscore and a number. */
static bool is_made_up(const char *name) {
  return name[0] == '_' && name[1] && strspn(name + 1, "0123456789") == strlen(name + 1);
}

static hone_status *choose(hone_weights *list) {
  size_t at = 0;
  const hone_map_entry *entry;
  while ((entry = hone_map_next(&list->by_bytes, &at))) {
    weight *w = entry->value;
    if (!w->replaceable || is_made_up(w->values[0]->name) || !w->values[0]->constant_size) continue;
    HONE_TRY(grow(&list->memory, &list->all, list->count, &list->room));
    list->all[list->count++] = w;
  }
  return NULL;
}

static hone_status *make_list(const hone_model *model, hone_weights **out) {
  hone_weights *list = hone_alloc_zero(sizeof *list);
  HONE_TRY_MEMORY(list);
  hone_status *status = take_graph(list, model->graph);
  if (!status) status = choose(list);
  hone_map_free(&list->by_bytes);
  if (status)
    hone_weights_free(list);
  else
    *out = list;
  return status;
}

void hone_weights_free(hone_weights *list) {
  if (!list) return;
  hone_map_free(&list->by_bytes);
  hone_arena_free(&list->memory);
  hone_free(list);
}

/* The list, made when first asked for; models are read by many threads at once. */
static hone_status *list_of(const hone_model *model, hone_weights **out) {
  hone_model *shared = (hone_model *)(uintptr_t)model; /* what is remembered is no change to see */
  hone_status *status = NULL;
  pthread_mutex_lock(&shared->lock);
  if (!shared->weights) status = make_list(model, &shared->weights);
  *out = shared->weights;
  pthread_mutex_unlock(&shared->lock);
  return status;
}

size_t hone_weight_count(const hone_model *model) {
  hone_weights *list;
  hone_status *status = list_of(model, &list);
  hone_status_free(status);
  return status ? 0 : list->count;
}

hone_status *hone_weight_at(const hone_model *model, size_t index, hone_port *out) {
  hone_weights *list;
  HONE_TRY(list_of(model, &list));
  if (index >= list->count)
    return hone_error(HONE_INVALID_ARGUMENT, "there is no weight %zu", index);
  const hone_value *value = list->all[index]->values[0];
  hone_value_describe(value, out);
  out->type.data = (void *)(uintptr_t)value->constant;
  out->type.size = value->constant_size;
  return NULL;
}

static hone_status *set_weight(hone_model *model, const weight *w, const hone_tensor *tensor) {
  const hone_value *value = w->values[0];
  hone_arena scratch = {0};
  hone_datum datum;
  hone_status *status = hone_tensor_read(tensor, &scratch, &datum);
  hone_arena_free(&scratch);
  HONE_TRY(status);
  if (datum.kind != HONE_KIND_TENSOR || datum.dtype != value->type.dtype ||
      !hone_shape_equal(&datum.shape, &value->type.shape))
    return hone_error(HONE_INVALID_ARGUMENT,
                      "it has to have the element type and the shape that "
                      "it had");
  const void *bytes = hone_arena_copy(model->graph->arena, datum.data, value->constant_size);
  HONE_TRY_MEMORY(bytes);
  for (size_t i = 0; i < w->count; i++) w->values[i]->constant = bytes;
  return NULL;
}

hone_status *hone_weight_set(hone_model *model, const char *name, const hone_tensor *tensor) {
  hone_weights *list;
  HONE_TRY(list_of(model, &list));
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->all[i]->values[0]->name, name) == 0)
      return hone_error_at(set_weight(model, list->all[i], tensor), "weight '%.200s'", name);
  return hone_error(HONE_NOT_FOUND, "there is no weight '%.200s' that can be replaced", name);
}
