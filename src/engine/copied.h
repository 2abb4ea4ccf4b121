/* How many bytes the units of an engine copy at typical sizes, and have cross between a device and the
 * host, for the report. Room: engine. */
#ifndef HONE_ENGINE_COPIED_H
#define HONE_ENGINE_COPIED_H

#include "engine/engine.h"

/* By unit of the root program. The sizes are those of hone_typical_inputs without a wish; -1 where they
 * are known only from a run. */
typedef struct hone_unit_bytes {
  int64_t copied;  /* the bytes that its outputs take, less those that are made in their place before it;
                      0 where it takes no step. For units that only move elements what they copy. */
  int64_t crossed; /* of a unit on the host: what it reads from a device, and gives one to read */
} hone_unit_bytes;
HONE_MUST_USE hone_status *hone_unit_bytes_of(const hone_engine *engine, hone_arena *memory,
                                              hone_unit_bytes **out);

#endif
