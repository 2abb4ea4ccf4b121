/* Typical sizes to measure with. Room: engine. */
#ifndef HONE_ENGINE_TYPICAL_H
#define HONE_ENGINE_TYPICAL_H

#include "engine/plan.h"

/* The root's inputs as `shapes` (name:1x3x224x224,other:1x8) gives them. A dimension that it leaves
 * open is 1 where it stands first, else 224 in inputs of rank 4 and 128 in others. Elements are
 * zero. `out` has one for each input, from `memory`. */
HONE_MUST_USE hone_status *hone_typical_inputs(const hone_graph *graph, const char *shapes,
                                               hone_arena *memory, hone_datum *out);

#endif
