/* The kernels that an engine chose, by what they run: for another engine like it. Room: engine. */
#ifndef HONE_ENGINE_CHOICES_H
#define HONE_ENGINE_CHOICES_H

#include "base/map.h"
#include "engine/engine.h"

/* Zero-initialised is empty. The engine outlives it. */
typedef struct hone_choices {
  hone_map units; /* sources and body of a group, elements left out, to its unit */
  size_t missed;  /* groups that were looked up in vain */
} hone_choices;

HONE_MUST_USE hone_status *hone_choices_read(const hone_engine *engine, hone_choices *out);
/* The unit of the same group; NULL when the engine has none. */
HONE_MUST_USE hone_status *hone_choices_find(hone_choices *choices, const hone_unit *unit,
                                             const hone_unit **out);
void hone_choices_free(hone_choices *choices);

#endif
