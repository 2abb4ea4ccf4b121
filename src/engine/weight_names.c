/* The user's names for constants that only bodies use. Room: engine.
 *
 * A body has constants of its own for those of the graph around it, with the same bytes. Names are
 * unique, so that they are called after them with a number: "w_12". Where nobody else uses "w", the
 * name goes to the constant that is used, since it is what the user knows it by. */
#include <string.h>

#include "engine/weights.h"

typedef struct bytes_key {
  const void *bytes;
  size_t size;
} bytes_key;

static bytes_key key_of(const hone_value *constant) {
  return (bytes_key){constant->constant, constant->constant_size};
}

typedef hone_status *constant_visit(hone_map *used, hone_value *constant);

/* Every constant, those outside before those inside. */
static hone_status *visit(const hone_graph *graph, constant_visit *call, hone_map *used) {
  for (size_t i = 0; i < graph->constant_count; i++) HONE_TRY(call(used, graph->constants[i]));
  for (const hone_node *node = graph->first; node; node = node->next)
    for (int r = 0; r < node->region_count; r++) HONE_TRY(visit(node->regions[r], call, used));
  return NULL;
}

static hone_status *note_used(hone_map *used, hone_value *constant) {
  bytes_key key = key_of(constant);
  if (!constant->uses || hone_map_get(used, (const char *)&key, sizeof key)) return NULL;
  return hone_map_put(used, (const char *)&key, sizeof key, constant);
}

/* Whether `name` is `base`, an underscore and a number. */
static bool is_called_after(const char *name, const char *base) {
  size_t size = strlen(base);
  if (strncmp(name, base, size) != 0 || name[size] != '_' || !name[size + 1]) return false;
  return strspn(name + size + 1, "0123456789") == strlen(name + size + 1);
}

static hone_status *give_name(hone_map *used, hone_value *constant) {
  bytes_key key = key_of(constant);
  hone_value *heir = constant->uses ? NULL : hone_map_get(used, (const char *)&key, sizeof key);
  if (!heir || !is_called_after(heir->name, constant->name)) return NULL;
  const char *name = constant->name;
  HONE_TRY(hone_value_rename(constant, ""));
  return hone_value_rename(heir, name);
}

hone_status *hone_weights_name(hone_graph *graph) {
  hone_map used = {0};
  hone_status *status = visit(graph, note_used, &used);
  if (!status) status = visit(graph, give_name, &used);
  hone_map_free(&used);
  return status;
}
