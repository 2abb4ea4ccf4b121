/* How many bytes the units of an engine copy at typical sizes, for the report. Room: engine. */
#ifndef HONE_ENGINE_COPIED_H
#define HONE_ENGINE_COPIED_H

#include "engine/engine.h"

/* By unit of the root program: the bytes that its outputs take, less those that are made in their place
 * before it; 0 where it takes no step, -1 where its sizes are known only from a run. For units that only
 * move elements that is what they copy. The sizes are those of hone_typical_inputs without a wish. */
HONE_MUST_USE hone_status *hone_copied_bytes(const hone_engine *engine, hone_arena *memory,
                                             int64_t **out);

#endif
