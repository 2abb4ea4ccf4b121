/* Where a symbolic size can be read first. Room: passes. */
#ifndef HONE_PASSES_ANCHORS_H
#define HONE_PASSES_ANCHORS_H

#include "passes/partial.h"

typedef struct hone_anchor {
  hone_value *value; /* NULL: not met yet */
  int axis;
} hone_anchor;

/* By symbol. Zero-initialised is empty. */
typedef struct hone_anchors {
  hone_anchor *first;
  size_t room;
  hone_arena arena;
} hone_anchors;

/* Notes the symbols of a value, whose turn is in the graph's order: inputs, then outputs of nodes. */
HONE_MUST_USE hone_status *hone_anchors_note(hone_anchors *anchors, hone_value *value);
/* A number that is one symbolic size, but was got at from a later tensor, is read from the first that
 * has it: what only its shape was needed of is then not computed. `*to` is NULL where that is so. */
HONE_MUST_USE hone_status *hone_anchors_read(hone_anchors *anchors, hone_partials *partials,
                                             hone_node *node, hone_value **to);

#endif
