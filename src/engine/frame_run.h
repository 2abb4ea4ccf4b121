/* What frame.c, segment.c and frame_run.c share: the pieces of a run. Room: engine. */
#ifndef HONE_ENGINE_FRAME_RUN_H
#define HONE_ENGINE_FRAME_RUN_H

#include "engine/frame.h"

/* Makes room for the stage and writes down where its values are: of a stage that the frame entered last
 * what changes from run to run (frame.c). */
HONE_MUST_USE hone_status *hone_frame_enter(hone_frame *frame, const hone_plan *plan);
/* Memory for output `index`: the caller's where it is bound, else the frame's own (frame.c). */
HONE_MUST_USE hone_status *hone_frame_output_memory(hone_frame *frame, int index, hone_dtype dtype,
                                                    const hone_shape *shape, size_t bytes,
                                                    void **out);

/* Runs `count` kernel steps from `first` on (segment.c). */
HONE_MUST_USE hone_status *hone_frame_segment(hone_frame *frame, size_t first, size_t count);
/* Whether the run was cancelled or is too late; asked by the calling thread alone. */
bool hone_run_should_stop(hone_run_state *run);
/* Adds the time since `start` to the profile of the step's unit. */
void hone_frame_record(hone_frame *frame, const hone_plan_step *step, uint64_t start);

#endif
