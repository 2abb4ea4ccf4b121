/* Finding the same group in another engine. Room: engine. */
#include "engine/choices.h"

#include <string.h>

#include "ir/text.h"

/* All that makes a group what it is but the elements of its constants. */
static hone_status *key_of(const hone_unit *unit, hone_text *out) {
  for (int i = 0; i < unit->node->source_count; i++) {
    hone_text_puts(out, unit->node->sources[i]);
    hone_text_add(out, "", 1);
  }
  return hone_graph_print(unit->body, 0, NULL, NULL, out);
}

static const char *result_of(const hone_node *group) {
  for (int i = 0; i < group->output_count; i++)
    if (group->outputs[i]) return group->outputs[i]->name;
  return "";
}

hone_status *hone_choices_take(hone_choices *choices, hone_unit *unit) {
  const char *result = result_of(unit->node);
  return hone_map_put(&choices->results, result, strlen(result), unit);
}

const hone_unit *hone_choices_of_result(const hone_choices *choices, const hone_node *group) {
  const char *result = result_of(group);
  return hone_map_get(&choices->results, result, strlen(result));
}

static hone_status *add_unit(void *argument, hone_unit *unit) {
  hone_choices *choices = argument;
  hone_text key = {0};
  if (!unit->body) return NULL;
  hone_status *status = key_of(unit, &key);
  if (!status) status = hone_map_put(&choices->units, key.data, key.size, unit);
  hone_text_free(&key);
  return status ? status : hone_choices_take(choices, unit);
}

hone_status *hone_choices_read(const hone_engine *engine, hone_choices *out) {
  return hone_visit_units(engine->program, add_unit, out);
}

hone_status *hone_choices_find(hone_choices *choices, const hone_unit *unit,
                               const hone_unit **out) {
  hone_text key = {0};
  if (choices->by_result) {
    *out = hone_choices_of_result(choices, unit->node);
    choices->missed += !*out;
    return NULL;
  }
  hone_status *status = key_of(unit, &key);
  if (!status) *out = hone_map_get(&choices->units, key.data, key.size);
  if (!status && !*out) choices->missed++;
  hone_text_free(&key);
  return status;
}

void hone_choices_free(hone_choices *choices) {
  hone_map_free(&choices->units);
  hone_map_free(&choices->results);
}
