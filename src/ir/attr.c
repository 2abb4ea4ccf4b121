/* Attributes: defaults from the schema, getters, setters. Room: ir. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/op.h"

/* Parses the comma-separated items of a schema's "[1, 2]". Schemas are ours: asserts, no errors. */
static hone_status *list_default(hone_arena *arena, const hone_attr_def *def, hone_attr *attr) {
  size_t count = strcmp(def->fallback, "[]") != 0;
  for (const char *at = def->fallback; *at; at++) count += *at == ',';
  int64_t *integers = HONE_NEW_ARRAY(arena, count + 1, int64_t);
  double *reals = HONE_NEW_ARRAY(arena, count + 1, double);
  if (!integers || !reals) return hone_error_memory();
  const char *at = def->fallback + 1;
  for (size_t i = 0; i < count; i++) {
    char *end;
    reals[i] = strtod(at, &end);
    integers[i] = (int64_t)reals[i];
    assert(end != at);
    at = end + 1;
  }
  attr->count = count;
  attr->integers = integers;
  attr->reals = reals;
  attr->texts = NULL;
  assert(def->kind != HONE_ATTR_TEXTS || count == 0);
  return NULL;
}

static hone_status *attr_default(hone_arena *arena, const hone_attr_def *def, hone_attr *attr) {
  const char *text = def->fallback;
  if (!text) return NULL;
  switch (def->kind) {
    case HONE_ATTR_INT: attr->integer = strtoll(text, NULL, 10); break;
    case HONE_ATTR_FLAG: attr->integer = strcmp(text, "true") == 0; break;
    case HONE_ATTR_REAL: attr->real = strtod(text, NULL); break;
    case HONE_ATTR_TEXT:
    case HONE_ATTR_CHOICE: attr->text = text; break;
    case HONE_ATTR_DTYPE: attr->integer = hone_dtype_parse(text, strlen(text)); break;
    case HONE_ATTR_INTS:
    case HONE_ATTR_REALS:
    case HONE_ATTR_TEXTS: return list_default(arena, def, attr);
    case HONE_ATTR_NONE: break;
  }
  return NULL;
}

hone_status *hone_attrs_default(hone_arena *arena, const hone_op *op, hone_attr **out) {
  int count = 0;
  while (count < HONE_MAX_ATTRS && op->attrs[count].name) count++;
  *out = HONE_NEW_ARRAY(arena, count + 1, hone_attr);
  HONE_TRY_MEMORY(*out);
  for (int i = 0; i < count; i++) HONE_TRY(attr_default(arena, &op->attrs[i], &(*out)[i]));
  return NULL;
}

static hone_attr *find(const hone_node *node, const char *name) {
  int index = hone_op_attr_index(node->op, name, strlen(name));
  assert(index >= 0);
  return &node->attrs[index];
}

const hone_attr *hone_node_attr(const hone_node *node, const char *name) {
  return find(node, name);
}
int64_t hone_node_int(const hone_node *node, const char *name) { return find(node, name)->integer; }
bool hone_node_flag(const hone_node *node, const char *name) {
  return find(node, name)->integer != 0;
}
double hone_node_real(const hone_node *node, const char *name) { return find(node, name)->real; }
const char *hone_node_text(const hone_node *node, const char *name) {
  const char *text = find(node, name)->text;
  return text ? text : "";
}
hone_dtype hone_node_dtype(const hone_node *node, const char *name) {
  return (hone_dtype)find(node, name)->integer;
}
const int64_t *hone_node_ints(const hone_node *node, const char *name, size_t *count) {
  const hone_attr *attr = find(node, name);
  *count = attr->count;
  return attr->integers;
}
const double *hone_node_reals(const hone_node *node, const char *name, size_t *count) {
  const hone_attr *attr = find(node, name);
  *count = attr->count;
  return attr->reals;
}

hone_status *hone_node_set_int(hone_node *node, const char *name, int64_t value) {
  *find(node, name) = (hone_attr){.given = true, .integer = value};
  return NULL;
}

hone_status *hone_node_set_real(hone_node *node, const char *name, double value) {
  *find(node, name) = (hone_attr){.given = true, .real = value};
  return NULL;
}

/* A CHOICE takes only what its schema lists. */
static bool is_choice(const char *choices, const char *text) {
  size_t size = strlen(text);
  for (const char *at = choices; *at;) {
    size_t span = strcspn(at, "|");
    if (span == size && memcmp(at, text, size) == 0) return true;
    at += span + (at[span] == '|');
  }
  return false;
}

hone_status *hone_node_set_text(hone_node *node, const char *name, const char *text) {
  int index = hone_op_attr_index(node->op, name, strlen(name));
  assert(index >= 0);
  const hone_attr_def *def = &node->op->attrs[index];
  if (def->kind == HONE_ATTR_CHOICE && !is_choice(def->choices, text))
    return hone_error(HONE_INVALID_MODEL, "%s: attribute %s is not one of %s", node->op->name, name,
                      def->choices);
  char *copy = hone_arena_text(node->graph->arena, text, strlen(text));
  HONE_TRY_MEMORY(copy);
  node->attrs[index] = (hone_attr){.given = true, .text = copy};
  return NULL;
}

hone_status *hone_node_set_ints(hone_node *node, const char *name, const int64_t *values,
                                size_t count) {
  int64_t *copy = HONE_NEW_ARRAY(node->graph->arena, count + 1, int64_t);
  HONE_TRY_MEMORY(copy);
  if (count) memcpy(copy, values, count * sizeof *copy);
  *find(node, name) = (hone_attr){.given = true, .count = count, .integers = copy};
  return NULL;
}

hone_status *hone_node_set_reals(hone_node *node, const char *name, const double *values,
                                 size_t count) {
  double *copy = HONE_NEW_ARRAY(node->graph->arena, count + 1, double);
  HONE_TRY_MEMORY(copy);
  if (count) memcpy(copy, values, count * sizeof *copy);
  *find(node, name) = (hone_attr){.given = true, .count = count, .reals = copy};
  return NULL;
}

hone_status *hone_node_set_texts(hone_node *node, const char *name, const char *const *values,
                                 size_t count) {
  hone_arena *arena = node->graph->arena;
  const char **copy = HONE_NEW_ARRAY(arena, count + 1, const char *);
  HONE_TRY_MEMORY(copy);
  for (size_t i = 0; i < count; i++) {
    copy[i] = hone_arena_text(arena, values[i], strlen(values[i]));
    HONE_TRY_MEMORY(copy[i]);
  }
  *find(node, name) = (hone_attr){.given = true, .count = count, .texts = copy};
  return NULL;
}
