/* Unknown sizes that are the same. An op's result sizes follow from its attributes, its inputs' sizes
 * and the elements of its shape inputs, so that two nodes alike in these make results of the same
 * size, whatever it is. Broadcasting does not care for order or repetition: its result is known by
 * the set of symbols that went into it. What is known to be the same can be fused. Room: passes. */
#include "passes/same_sizes.h"

#include <string.h>

#include "base/text.h"

enum { MOST_PARTS = 4 };

/* The symbols that a size is the broadcast of, in ascending order. */
typedef struct parts {
  hone_dim symbols[MOST_PARTS];
  int count;
} parts;

static bool add_symbol(parts *set, hone_dim symbol) {
  int at = 0;
  while (at < set->count && set->symbols[at] < symbol) at++;
  if (at < set->count && set->symbols[at] == symbol) return true;
  if (set->count == MOST_PARTS) return false;
  memmove(&set->symbols[at + 1], &set->symbols[at],
          (size_t)(set->count - at) * sizeof *set->symbols);
  set->symbols[at] = symbol;
  set->count++;
  return true;
}

/* Adds what `dim` is made of; false for too many. */
static bool add_dim(const hone_same_sizes *same, parts *set, hone_dim dim) {
  const parts *inner = hone_map_get(&same->parts, (const char *)&dim, sizeof dim);
  if (!inner) return add_symbol(set, dim);
  for (int i = 0; i < inner->count; i++)
    if (!add_symbol(set, inner->symbols[i])) return false;
  return true;
}

/* The symbols that meet in axis `axis` of the result; false where a known size decides. */
static bool meeting(const hone_same_sizes *same, const hone_node *node, int axis, parts *out) {
  int rank = node->outputs[0]->type.shape.rank;
  *out = (parts){.count = 0};
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *input = node->inputs[i].value;
    if (!input) continue;
    int own = axis - (rank - input->type.shape.rank);
    if (input->type.shape.rank < 0) return false;
    if (own < 0 || input->type.shape.dim[own] == 1) continue;
    if (hone_dim_known(input->type.shape.dim[own])) return false;
    if (!add_dim(same, out, input->type.shape.dim[own])) return false;
  }
  return out->count > 0;
}

static hone_status *name_broadcast(hone_same_sizes *same, const parts *set, hone_dim *dim) {
  size_t size = (size_t)set->count * sizeof *set->symbols;
  if (set->count == 1) {
    *dim = set->symbols[0];
    return NULL;
  }
  const hone_dim *known = hone_map_get(&same->broadcasts, (const char *)set->symbols, size);
  if (known) {
    *dim = *known;
    return NULL;
  }
  hone_dim *kept = hone_arena_copy(&same->arena, dim, sizeof *dim);
  parts *of = hone_arena_copy(&same->arena, set, sizeof *set);
  if (!kept || !of) return hone_error_memory();
  HONE_TRY(hone_map_put(&same->broadcasts, (const char *)set->symbols, size, kept));
  return hone_map_put(&same->parts, (const char *)dim, sizeof *dim, of);
}

static hone_status *same_broadcast(hone_same_sizes *same, hone_node *node) {
  hone_shape *shape = &node->outputs[0]->type.shape;
  for (int axis = 0; axis < shape->rank; axis++) {
    parts set;
    if (hone_dim_known(shape->dim[axis]) || !meeting(same, node, axis, &set)) continue;
    HONE_TRY(name_broadcast(same, &set, &shape->dim[axis]));
  }
  return NULL;
}

static void add_word(hone_text *key, int64_t word) {
  hone_text_add(key, (const char *)&word, sizeof word);
}

static void add_attr(hone_text *key, const hone_attr *attr) {
  add_word(key, attr->integer);
  hone_text_add(key, (const char *)&attr->real, sizeof attr->real);
  hone_text_puts(key, attr->text ? attr->text : "");
  add_word(key, (int64_t)attr->count);
  for (size_t i = 0; i < attr->count && attr->integers; i++) add_word(key, attr->integers[i]);
  for (size_t i = 0; i < attr->count && attr->reals; i++)
    hone_text_add(key, (const char *)&attr->reals[i], sizeof attr->reals[i]);
}

/* The elements of a shape input as far as they are known; else which value it is. */
static void add_elements(hone_text *key, hone_partials *partials, const hone_value *value) {
  const hone_partial *partial = hone_partial_of(partials, value);
  bool whole = partial != NULL;
  for (size_t i = 0; whole && i < partial->count; i++)
    whole = partial->items[i].kind != HONE_ITEM_UNKNOWN;
  add_word(key, whole);
  if (!whole) add_word(key, value->id);
  for (size_t i = 0; whole && i < partial->count; i++) {
    add_word(key, partial->items[i].kind);
    add_word(key, partial->items[i].value);
  }
}

static void add_node(hone_text *key, hone_partials *partials, const hone_node *node) {
  add_word(key, (int64_t)(intptr_t)node->op);
  for (int i = 0; i < HONE_MAX_ATTRS && node->op->attrs[i].name; i++)
    add_attr(key, &node->attrs[i]);
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *value = node->inputs[i].value;
    add_word(key, value ? value->type.shape.rank : -2);
    if (!value) continue;
    for (int k = 0; k < value->type.shape.rank; k++) add_word(key, value->type.shape.dim[k]);
    if (hone_op_shaped_by(node->op, i)) add_elements(key, partials, value);
  }
}

/* Takes over the symbols of `from` where both have one. */
static void take_symbols(const hone_shape *from, hone_shape *to) {
  for (int i = 0; from->rank == to->rank && i < to->rank; i++)
    if (!hone_dim_known(to->dim[i]) && !hone_dim_known(from->dim[i])) to->dim[i] = from->dim[i];
}

static bool has_symbols(const hone_node *node) {
  for (int i = 0; i < node->output_count; i++) {
    const hone_value *output = node->outputs[i];
    for (int k = 0; output && k < output->type.shape.rank; k++)
      if (!hone_dim_known(output->type.shape.dim[k])) return true;
  }
  return false;
}

/* The node that was the first of its kind decides. */
static hone_status *same_kind(hone_same_sizes *same, hone_text *key, hone_node *node) {
  HONE_TRY(hone_text_status(key));
  const hone_shape *first = hone_map_get(&same->shapes, key->data, key->size);
  hone_shape *kept = first ? NULL : HONE_NEW_ARRAY(&same->arena, node->output_count, hone_shape);
  if (!first && !kept) return hone_error_memory();
  for (int i = 0; i < node->output_count; i++) {
    if (!node->outputs[i]) continue;
    if (first) take_symbols(&first[i], &node->outputs[i]->type.shape);
    else kept[i] = node->outputs[i]->type.shape;
  }
  return first ? NULL : hone_map_put(&same->shapes, key->data, key->size, kept);
}

hone_status *hone_same_sizes_node(hone_same_sizes *same, hone_partials *partials,
                                  hone_node *node) {
  const uint32_t others = HONE_DATA_SHAPED | HONE_HAS_REGIONS | HONE_OBJECTS;
  if ((node->op->facts & others) || !has_symbols(node)) return NULL;
  if (node->op->facts & HONE_POINTWISE) return same_broadcast(same, node);
  hone_text key = {0};
  add_node(&key, partials, node);
  add_word(&key, node->output_count);
  hone_status *status = same_kind(same, &key, node);
  hone_text_free(&key);
  return status;
}

void hone_same_sizes_free(hone_same_sizes *same) {
  hone_map_free(&same->shapes);
  hone_map_free(&same->broadcasts);
  hone_map_free(&same->parts);
  hone_arena_free(&same->arena);
}
