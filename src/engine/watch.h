/* Showing the values of a run as they are made. Room: engine. */
#ifndef HONE_ENGINE_WATCH_H
#define HONE_ENGINE_WATCH_H

#include <hone/hone.h>

#include "base/status.h"
#include "ops/ops.h"

struct hone_frame;
struct hone_unit;

/* What a context's watched runs need; `call` NULL: not watched. */
typedef struct hone_watch {
  hone_watcher *call;
  void *argument;
  bool reference;
  hone_arena memory; /* of one step */
} hone_watch;

/* Before a step: what its ops mean for the inputs that it will see, where that is asked for and
 * the step has a kernel of its own; else `reference` is NULL. */
HONE_MUST_USE hone_status *hone_watch_before(struct hone_frame *frame,
                                             const struct hone_unit *unit, hone_datum **reference);
/* After it: its outputs are shown. */
HONE_MUST_USE hone_status *hone_watch_after(struct hone_frame *frame, const struct hone_unit *unit,
                                            const hone_datum *reference);
/* Shows units [first, end), which take no step: views, and what planning computed. */
HONE_MUST_USE hone_status *hone_watch_passive(struct hone_frame *frame, size_t first, size_t end);

#endif
