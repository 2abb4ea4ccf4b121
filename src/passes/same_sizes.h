/* Finding that two unknown sizes are the same. Room: passes. */
#ifndef HONE_PASSES_SAME_SIZES_H
#define HONE_PASSES_SAME_SIZES_H

#include "base/map.h"
#include "passes/partial.h"

/* What was worked out so far in one graph. Zero-initialised is empty. */
typedef struct hone_same_sizes {
  hone_map shapes;     /* how an output came about, to its type */
  hone_map broadcasts; /* symbols that were broadcast together, to the symbol of the result */
  hone_map parts;      /* such a result's symbol, to the symbols that it is made of */
  hone_arena arena;
} hone_same_sizes;

/* Gives the outputs of `node` the symbols of an earlier node that did the same to inputs of the same
 * sizes, and results of broadcasting the symbol of the same sizes broadcast before. */
HONE_MUST_USE hone_status *hone_same_sizes_node(hone_same_sizes *same, hone_partials *partials,
                                                hone_node *node);
void hone_same_sizes_free(hone_same_sizes *same);

#endif
