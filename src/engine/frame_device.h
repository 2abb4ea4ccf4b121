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
  uint64_t ways; /* how its values cross */
  unsigned uses;
  hone_recording *recording; /* NULL until then */
  void **callers; /* addresses of the caller's in it, by input, then by output; for hone_free */
} hone_frame_recording;

typedef struct hone_frame_device {
  const hone_device *device; /* NULL: no plan of the frame needed one yet */
  hone_stream *stream;
  unsigned char *memory; /* the device's */
  size_t size;
  unsigned char *pinned;
  size_t pinned_size;
  uint64_t kept; /* the number of the plan whose kept roots are in the memory; 0: none */
  bool pending;  /* runs are under way that nobody has waited for */
  const hone_device_run *checked; /* of frame->plan: such a run may meet a value that is no place */
  hone_frame_recording recordings[HONE_RECORDINGS];
  size_t next; /* which of them is replaced next */
} hone_frame_device;

/* The run's own stream: the caller's where there is one. */
hone_stream *hone_frame_stream(const struct hone_frame *frame);
/* Waits for what is under way, and says what came of it. */
HONE_MUST_USE hone_status *hone_frame_device_settle(struct hone_frame *frame);
/* Whether a run that nobody has waited for has met a value that is no place, as far as is known. */
bool hone_frame_device_faulted(const struct hone_frame *frame);
/* Copies between the caller's memory on the device and the host's, now. */
HONE_MUST_USE hone_status *hone_frame_device_fetch(struct hone_frame *frame, const void *from,
                                                   void *to, size_t bytes);
HONE_MUST_USE hone_status *hone_frame_device_send(struct hone_frame *frame, void *to,
                                                  const void *from, size_t bytes);
/* The caller's memory on the device for output `index`, if it is large enough. */
HONE_MUST_USE hone_status *hone_frame_device_place(const struct hone_frame *frame, int index,
                                                   size_t bytes, void **out);
/* Makes room for the plan, which has steps on a device. */
HONE_MUST_USE hone_status *hone_frame_device_enter(struct hone_frame *frame, const hone_plan *plan);
/* What step `index` of the frame's plan runs on; its addresses are written to `pointers`, as those of a
 * step on the host are. */
hone_device_io hone_frame_device_io(const struct hone_frame *frame, size_t index, void **pointers);
void hone_frame_device_free(struct hone_frame *frame);
/* The run whose first step is `step`. */
const hone_device_run *hone_frame_device_run_at(const hone_plan *plan, size_t step);
/* Does the whole run, copies included, and returns when it is over. */
HONE_MUST_USE hone_status *hone_frame_device_run(struct hone_frame *frame,
                                                 const hone_device_run *run);
/* Does one step of the run, with the copies before the first and after the last; with `show` its outputs
 * are then on the host, in memory of this run's. */
HONE_MUST_USE hone_status *hone_frame_device_step(struct hone_frame *frame, size_t step, bool show);

#endif
