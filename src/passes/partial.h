/* What is known of small integer tensors before anything runs: shape arithmetic with symbols.
 * Room: passes. */
#ifndef HONE_PASSES_PARTIAL_H
#define HONE_PASSES_PARTIAL_H

#include "passes/rewrite.h"

#define HONE_PARTIAL_ROOM 32

typedef enum hone_item_kind {
  HONE_ITEM_UNKNOWN,
  HONE_ITEM_INT,
  HONE_ITEM_SYMBOL /* the size that `value`, a symbolic hone_dim, stands for */
} hone_item_kind;

typedef struct hone_item {
  hone_item_kind kind;
  int64_t value;
} hone_item;

/* The elements of an integer or bool tensor of rank 0 or 1. */
typedef struct hone_partial {
  size_t count;
  hone_item items[HONE_PARTIAL_ROOM];
} hone_partial;

/* Partial values of one graph, by value id. Zero-initialised but for `graph`. */
typedef struct hone_partials {
  const hone_graph *graph;
  hone_partial **known;
  size_t room;
  hone_arena arena;
  bool failed; /* memory ran out: something may be known and is not told */
} hone_partials;

/* What is known of `value`; NULL if nothing is. Constants are read when first asked for. */
const hone_partial *hone_partial_of(hone_partials *partials, const hone_value *value);
/* Works out the outputs of `node` from its inputs, whose turn was before. */
HONE_MUST_USE hone_status *hone_partial_node(hone_partials *partials, const hone_node *node);
bool hone_partial_is_known(const hone_partial *partial);

#endif
