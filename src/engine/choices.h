/* The kernels that an engine chose, by what they run: for another engine like it. Room: engine. */
#ifndef HONE_ENGINE_CHOICES_H
#define HONE_ENGINE_CHOICES_H

#include "base/map.h"
#include "engine/engine.h"

/* Zero-initialised is empty. The engine outlives it. */
typedef struct hone_choices {
  hone_map units; /* sources and body of a group, elements left out, to its unit */
  hone_map results; /* the name of a group's result to its unit */
  bool by_result; /* groups are looked up by that: of engines of one model */
  size_t missed;  /* groups that were looked up in vain */
} hone_choices;

HONE_MUST_USE hone_status *hone_choices_read(const hone_engine *engine, hone_choices *out);
/* The group that makes what this one makes is taken from this engine, not from one that was read. */
HONE_MUST_USE hone_status *hone_choices_take(hone_choices *choices, hone_unit *unit);
/* The unit that makes what `group` makes; NULL when the engine has none. */
const hone_unit *hone_choices_of_result(const hone_choices *choices, const hone_node *group);
/* The unit of the same group; NULL when the engine has none. */
HONE_MUST_USE hone_status *hone_choices_find(hone_choices *choices, const hone_unit *unit,
                                             const hone_unit **out);
void hone_choices_free(hone_choices *choices);

#endif
