/* A frame's part of a device: its stream, its memory there, what was recorded. Room: engine. */
#ifndef HONE_ENGINE_FRAME_DEVICE_H
#define HONE_ENGINE_FRAME_DEVICE_H

#include "engine/plan.h"

struct hone_frame;

#define HONE_RECORDINGS 16

/* A run of a plan, recorded at its second use. */
typedef struct hone_frame_recording {
  uint64_t plan; /* its number */
  size_t run;
  unsigned uses;
  hone_recording *recording; /* NULL until then */
} hone_frame_recording;

typedef struct hone_frame_device {
  const hone_device *device; /* NULL: no plan of the frame needed one yet */
  hone_stream *stream;
  unsigned char *memory; /* the device's */
  size_t size;
  unsigned char *pinned;
  size_t pinned_size;
  hone_frame_recording recordings[HONE_RECORDINGS];
  size_t next; /* which of them is replaced next */
} hone_frame_device;

/* Makes room for the plan, which has steps on a device. */
HONE_MUST_USE hone_status *hone_frame_device_enter(struct hone_frame *frame, const hone_plan *plan);
void hone_frame_device_free(hone_frame_device *device);
/* The run whose first step is `step`. */
const hone_device_run *hone_frame_device_run_at(const hone_plan *plan, size_t step);
/* Does the whole run, copies included, and returns when it is over. */
HONE_MUST_USE hone_status *hone_frame_device_run(struct hone_frame *frame,
                                                 const hone_device_run *run);
/* Does one step of the run, with the copies before the first and after the last; with `show` its outputs
 * are then on the host, in memory of this run's. */
HONE_MUST_USE hone_status *hone_frame_device_step(struct hone_frame *frame, size_t step, bool show);

#endif
