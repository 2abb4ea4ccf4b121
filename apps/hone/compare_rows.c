/* The steps of the engine, each with its errors; which value of the model a step's value is. */
#include <stdlib.h>
#include <string.h>

#include "compare.h"

/* Whether dims are the reference's behind `order`. */
static bool fits(const hone_tensor *y, const hone_tensor *reference, const int *order) {
  if (y->rank != reference->rank) return false;
  for (int i = 0; i < y->rank; i++)
    if (reference->dims[i] != y->dims[order ? order[i] : i]) return false;
  return true;
}

/* The engine may hold a channels-first value with its channels last. */
static difference differ_any_layout(const hone_tensor *y, const hone_tensor *reference) {
  difference best = differ(y, reference, NULL);
  int order[HONE_MAX_RANK];
  if (y->rank < 3 || y->rank != reference->rank) return best;
  order[0] = 0;
  order[1] = y->rank - 1;
  for (int i = 2; i < y->rank; i++) order[i] = i - 1;
  if (!fits(y, reference, order)) return best;
  difference last = differ(y, reference, order);
  return !best.known || last.relative < best.relative ? last : best;
}

static bool computes(const hone_watched *step, const char *source) {
  for (size_t i = 0; i < step->source_count; i++)
    if (strcmp(step->sources[i], source) == 0) return true;
  return false;
}

/* Names that no user gave count from _0 in every graph: the same one says nothing. */
static bool is_made_up(const char *name) {
  return name[0] == '_' && name[1] >= '0' && name[1] <= '9';
}

/* The record that the step's value is: that of its name, else the nearest one that one of its
 * source nodes gave. */
static void match(const record_list *records, const hone_watched *step, row *r) {
  const record *same = is_made_up(step->name) ? NULL : find_record(records, step->name);
  if (same && fits(&step->value, &same->tensor, NULL)) {
    r->model = differ(&step->value, &same->tensor, NULL);
    return;
  }
  difference best = {0};
  for (size_t i = 0; i < records->count; i++) {
    const record *candidate = &records->items[i];
    if (!computes(step, candidate->source)) continue;
    difference d = differ_any_layout(&step->value, &candidate->tensor);
    if (d.known && (!best.known || d.relative <= best.relative)) best = d;
  }
  r->renamed = true;
  r->model = best;
}

static void worsen(difference *to, const difference *from) {
  if (!from->known) return;
  bool finite = from->reference_finite && (!to->known || to->reference_finite);
  if (!to->known || from->relative > to->relative) *to = *from;
  to->reference_finite = finite;
}

static char **copy_names(const char *const *from, size_t count) {
  char **names = calloc(count + 1, sizeof *names);
  for (size_t i = 0; names && i < count; i++) names[i] = strdup(from[i]);
  return names;
}

static void free_names(char **names, size_t count) {
  for (size_t i = 0; names && i < count; i++) free(names[i]);
  free(names);
}

static row *push(row_list *list, const hone_watched *step) {
  if (list->count == list->room) {
    size_t room = list->room ? list->room * 2 : 256;
    row *items = realloc(list->items, room * sizeof *items);
    if (!items) return NULL;
    list->items = items;
    list->room = room;
  }
  row *r = &list->items[list->count];
  *r =
      (row){.node = strdup(step->source_count ? step->sources[step->source_count - 1] : step->name),
            .ops = strdup(step->ops),
            .kernel = strdup(step->kernel),
            .name = strdup(step->name),
            .sources = copy_names(step->sources, step->source_count),
            .inputs = copy_names(step->inputs, step->input_count),
            .source_count = step->source_count,
            .input_count = step->input_count,
            .depth = step->depth,
            .finite = true,
            .dtype = step->value.dtype};
  list->count++;
  return r->node && r->ops && r->kernel && r->name && r->sources && r->inputs ? r : NULL;
}

/* In a body the same step comes once a turn. */
static row *find_row(row_list *list, const hone_watched *step) {
  for (size_t i = step->depth ? 0 : list->count; i < list->count; i++)
    if (list->items[i].depth == step->depth && strcmp(list->items[i].name, step->name) == 0)
      return &list->items[i];
  return push(list, step);
}

bool add_row(void *argument, const hone_watched *step) {
  row_list *list = argument;
  if (step->value.kind != HONE_TENSOR) return true;
  row *r = find_row(list, step);
  if (!r) {
    list->failed = true;
    return false;
  }
  difference own = {0};
  if (step->reference) own = differ(&step->value, step->reference, NULL);
  worsen(&r->own, &own);
  r->finite = r->finite && is_finite_tensor(&step->value);
  if (step->depth == 0 && list->records) match(list->records, step, r);
  return true;
}

void free_rows(row_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    row *r = &list->items[i];
    free_names(r->sources, r->source_count);
    free_names(r->inputs, r->input_count);
    free(r->node);
    free(r->ops);
    free(r->kernel);
    free(r->name);
  }
  free(list->items);
  *list = (row_list){0};
}
