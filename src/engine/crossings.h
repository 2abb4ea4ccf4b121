/* How the values of a run on the device cross between there and the host. Room: engine. */
#ifndef HONE_ENGINE_CROSSINGS_H
#define HONE_ENGINE_CROSSINGS_H

#include "engine/frame.h"

size_t hone_root_bytes(const hone_plan *plan, uint32_t id);
/* Where root `id` is on the device: in the caller's memory, or in the frame's. */
unsigned char *hone_root_on_device(const hone_frame *frame, uint32_t id);

/* A number that is another where values cross in other ways: recordings hold some of the copies. */
uint64_t hone_crossings_ways(const hone_frame *frame, const hone_device_run *run);
/* Whether copying begins on the host, into memory that an earlier run may still be reading. */
bool hone_crossings_wait(const hone_frame *frame, const hone_device_run *run);
/* Whether nothing is left to copy on the host after the run. */
bool hone_crossings_end_there(const hone_frame *frame, const hone_device_run *run);

/* What is copied on the host before the run, and the copies that are no part of a recording. */
HONE_MUST_USE hone_status *hone_crossings_before(hone_frame *frame, const hone_device_run *run,
                                                 hone_stream *stream);
/* The copies that are a part of a recording: to the device, or with `down` from it. */
HONE_MUST_USE hone_status *hone_crossings_ask(hone_frame *frame, const hone_device_run *run,
                                              hone_stream *stream, bool down);
/* After the run those that are none. */
HONE_MUST_USE hone_status *hone_crossings_after(hone_frame *frame, const hone_device_run *run,
                                                hone_stream *stream);
/* What is copied on the host when all that is over. */
void hone_crossings_finish(hone_frame *frame, const hone_device_run *run);

#endif
