/* The values of the model as it was imported, kept by name and source node. */
#include <stdlib.h>
#include <string.h>

#include "compare.h"

static bool copy_tensor(const hone_tensor *from, hone_tensor *out) {
  *out = *from;
  out->data = malloc(from->size + 1);
  if (out->data && from->size) memcpy(out->data, from->data, from->size);
  return out->data != NULL;
}

static bool push(record_list *list, const hone_watched *step) {
  if (list->count == list->room) {
    size_t room = list->room ? list->room * 2 : 256;
    record *items = realloc(list->items, room * sizeof *items);
    if (!items) return false;
    list->items = items;
    list->room = room;
  }
  record *r = &list->items[list->count];
  *r = (record){.name = strdup(step->name),
                .source = strdup(step->source_count ? step->sources[step->source_count - 1] : "")};
  bool good = copy_tensor(&step->value, &r->tensor) && r->name && r->source;
  list->count++;
  return good;
}

bool keep_record(void *argument, const hone_watched *step) {
  record_list *list = argument;
  if (step->depth > 0 || step->value.kind != HONE_TENSOR || !has_numbers(step->value.dtype))
    return true;
  list->failed = !push(list, step);
  return !list->failed;
}

const record *find_record(const record_list *list, const char *name) {
  for (size_t i = 0; i < list->count; i++)
    if (strcmp(list->items[i].name, name) == 0) return &list->items[i];
  return NULL;
}

void free_records(record_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    free(list->items[i].name);
    free(list->items[i].source);
    free(list->items[i].tensor.data);
  }
  free(list->items);
  *list = (record_list){0};
}
