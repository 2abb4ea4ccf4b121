/* Launches for known sizes: what a step of a plan is on a GPU. Room: backend/cuda. */
#ifndef HONE_BACKEND_CUDA_PLAN_H
#define HONE_BACKEND_CUDA_PLAN_H

#include "backend/cuda/stage.h"

#define HONE_CUDA_COUNTERS 1024 /* of a stream */

/* What an address is taken from when the step runs. */
typedef enum hone_cuda_from {
  HONE_CUDA_NOTHING = 0,
  HONE_CUDA_INPUT,   /* the group's input `index` */
  HONE_CUDA_OUTPUT,  /* the group's output `index` */
  HONE_CUDA_SCRATCH, /* `at` bytes into the step's scratch */
  HONE_CUDA_PACK,    /* `at` bytes into the body's pack */
  HONE_CUDA_HELD,    /* the address `at`, which the stage holds */
  HONE_CUDA_COUNTS,  /* the stream's counters of 32 bits: 0 before a launch, and left so */
  HONE_CUDA_FAULT    /* where kernels say which element is no place */
} hone_cuda_from;

typedef struct hone_cuda_slot {
  hone_cuda_from from;
  int index;
  size_t at;
} hone_cuda_slot;

/* A library's part of a run: what the library asks of a stream, on the pointers of a launch. */
typedef hone_status *hone_cuda_call(const void *own, void *const *pointers, void *stream);
/* A tensor whose boxes the copy engine brings, f32 as TF32; axes from the innermost on. A box is
 * a row of 128 bytes on the first. Of an image in windows, [channel, column, row, image], a box is
 * `pixels` windows at one tap. Rank 0: nothing is brought. */
typedef struct hone_cuda_boxes {
  hone_dtype dtype;
  int rank;
  uint64_t sizes[4], strides[3]; /* elements; bytes, from the second axis on */
  uint32_t box[4], steps[4];     /* steps: from window to window */
  uint64_t at;                   /* bytes from the pointer to the first element */
  int low[2], high[2];           /* corners of the windows' first taps: columns, rows */
  uint32_t pixels;               /* 0: it is no image in windows */
} hone_cuda_boxes;

typedef struct hone_cuda_launch {
  struct hone_cuda_launch *next;
  void *function;
  hone_cuda_call *call; /* NULL: a kernel of ours is started; else this is called, on memory that lies at
                           multiples of 16 bytes */
  const void *own;      /* for it */
  bool aligned;         /* like a call, it takes only memory that lies at multiples of 16 bytes */
  const hone_node *node; /* that faults speak of; NULL: none */
  unsigned grid[3];      /* blocks */
  unsigned threads;      /* of a block */
  unsigned shared;       /* bytes of shared memory that the launch asks for */
  bool follows;          /* its kernels wait for what the one before leaves, and so may begin early */
  /* The same work by boxes of the first pointers' tensors, where all addresses are multiples of 16. */
  const struct hone_cuda_launch *boxed;
  hone_cuda_boxes boxes[HONE_CUDA_BOXED];
  hone_cuda_args args;   /* the pointers are filled in when it runs */
  hone_cuda_slot slots[HONE_CUDA_POINTERS];
} hone_cuda_launch;

typedef struct hone_cuda_reads hone_cuda_reads;

struct hone_cuda_plan {
  const hone_cuda_body *body;
  const hone_group_view *view;
  hone_arena *arena;
  hone_cuda_launch *first, **end;
  int *output;       /* by value id: 1 + which output of the body's it is */
  size_t *scratch;   /* by value id: 1 + where it begins in scratch */
  size_t scratch_size;
  hone_cuda_reads *reads; /* by stage: reads.h */
  bool may_fault;
};

/* What step->args is. */
typedef struct hone_cuda_step {
  const hone_cuda_body *body;
  const hone_cuda_launch *first;
  const hone_cuda_launch *otherwise; /* by the first rows, where a library's memory is not aligned; NULL:
                                        none is a library's */
} hone_cuda_step;

HONE_MUST_USE hone_status *hone_cuda_plan_body(const hone_cuda_body *body,
                                               const hone_group_view *view, hone_arena *arena,
                                               hone_step *out);

/* For the kernels' rows. A launch of the stage's kernel, at the end of the list; the core's inputs are
 * its first pointers, and where the stage finishes its elements its streams and results are set. */
HONE_MUST_USE hone_status *hone_cuda_launch_new(hone_cuda_plan *plan, const hone_cuda_stage *stage,
                                                hone_cuda_launch **out);
/* Room of its own in scratch. */
HONE_MUST_USE hone_status *hone_cuda_scratch(hone_cuda_plan *plan, size_t bytes,
                                             hone_cuda_slot *out);
/* The stage by `call`, a library's; the kernel's last pointer is `workspace` bytes of its own. */
HONE_MUST_USE hone_status *hone_cuda_launch_library(hone_cuda_plan *plan,
                                                    const hone_cuda_stage *stage,
                                                    hone_cuda_call *call, size_t workspace);
/* Blocks for `count` elements, one a thread, more a thread beyond what fills a GPU. */
void hone_cuda_launch_elements(hone_cuda_launch *launch, int64_t count);
/* A block for each of `count` pieces of work, several a block beyond 2^20. */
void hone_cuda_launch_blocks(hone_cuda_launch *launch, int64_t count);
hone_cuda_slot hone_cuda_slot_of(const hone_cuda_plan *plan, const hone_value *value);
static inline const hone_shape *hone_cuda_shape(const hone_cuda_plan *plan, const hone_value *value) {
  return &plan->view->types[value->id].shape;
}
int64_t hone_cuda_count(const hone_shape *shape);
/* Integers that planning knows: a host input of the group or a constant; false where it does not. */
bool hone_cuda_ints(const hone_cuda_plan *plan, const hone_value *value, int64_t *out, size_t room,
                    size_t *count);

#endif
