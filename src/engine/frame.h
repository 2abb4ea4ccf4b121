/* Frames: one program in the middle of a run. Room: engine.
 *
 * A context has a frame for the root, and each control-flow unit has frames of its own for its
 * regions, made when first entered and kept. A frame owns its arena and outputs; they grow when a
 * plan needs more and never shrink, so that a steady run allocates nothing.
 */
#ifndef HONE_ENGINE_FRAME_H
#define HONE_ENGINE_FRAME_H

#include "engine/callers.h"
#include "engine/engine.h"
#include "engine/frame_device.h"
#include "engine/plan.h"
#include "engine/seen.h"

typedef struct hone_buffer {
  unsigned char *data; /* 64-byte aligned */
  size_t size;
} hone_buffer;

typedef struct hone_step_time {
  uint64_t runs, nanoseconds;
} hone_step_time;

/* What every run reads comes first: in a program of many engines a small one's time is that of
 * getting at its own memory. */
typedef struct hone_frame {
  hone_run_state *run; /* the context's: cancel, threads, limits */
  hone_program *program;
  const hone_plan *plan; /* the stage that runs now, one of the chain */
  hone_plan **chain;     /* the stages of the last run, in order; references are held */
  size_t chain_count, chain_room;
  hone_buffer key; /* of the stage that is looked for */
  hone_datum *data; /* by value id: what each value is now */
  uint64_t entered; /* the number of the plan whose places stand there; 0: of none */
  hone_buffer arena;
  hone_tensor *bound; /* root: the caller's memory for outputs, data NULL where not; else NULL */
  void **pointers;    /* the addresses of the steps of the plan that runs */
  size_t pointer_room;
  hone_callers callers;
  hone_arena objects;           /* what grew in this run: outputs of plain units, strings, items */
  hone_buffer *outputs;         /* the frame's own, by output */
  hone_seen seen;               /* stages of earlier runs, found again without the program's lock */
  struct hone_frame **children; /* by unit, then region; NULL where none was made */
  size_t *child_start;          /* by unit: index of its first child */
  hone_arena loops[2];          /* carried values of a loop, one iteration each in turn */
  hone_step_time *times;        /* by unit; NULL when not profiled */
  int depth;
  hone_arena memory; /* of all the arrays above */
  hone_frame_device device;
} hone_frame;

HONE_MUST_USE hone_status *hone_frame_new(hone_run_state *run, hone_program *program, int depth,
                                          hone_frame **out);
void hone_frame_free(hone_frame *frame);

/* Runs the program on `inputs` (one for each input of the graph). After it, frame->data has the
 * outputs' values; they stay until the frame runs again. */
HONE_MUST_USE hone_status *hone_frame_run(hone_frame *frame, const hone_datum *inputs);
/* Plans the first stage for these inputs and takes the memory that it needs, as a run would; `bound`
 * says where the outputs are. */
HONE_MUST_USE hone_status *hone_frame_ready(hone_frame *frame, const hone_datum *inputs);
/* Output `index` of the last run. */
const hone_datum *hone_frame_output(const hone_frame *frame, int index);
size_t hone_frame_memory(const hone_frame *frame);

/* Sets frame->plan to the stage at `depth` of the chain, for what the frame holds now: stages.c. */
HONE_MUST_USE hone_status *hone_frame_stage(hone_frame *frame, size_t depth);
void hone_frame_forget_stages(hone_frame *frame);

/* Runs unit `index`, an if or a loop, of the frame: control.c. */
HONE_MUST_USE hone_status *hone_frame_control(hone_frame *frame, size_t index);
/* The frame of region `region` of unit `index`, made when first asked for. */
HONE_MUST_USE hone_status *hone_frame_child(hone_frame *frame, size_t index, int region,
                                            hone_frame **out);
/* Makes `datum`, which unit `node` gave, output `index` of it. What lies in the memory of one of
 * the node's inputs is copied: that memory may be another value's as soon as the node is done. */
HONE_MUST_USE hone_status *hone_frame_give(hone_frame *frame, const hone_node *node, int index,
                                           const hone_datum *datum);
bool hone_buffer_grow(hone_buffer *buffer, size_t size);

#endif
