/* Plans: a program bound to concrete shapes. Room: engine.
 *
 * A plan is one stage. It covers units first_unit up to next_unit, which is where the next stage
 * starts: at a unit that needs a shape or an element that only running can tell. The stages that
 * followed so far hang below a plan, each under its own key. Plans are immutable once published,
 * hold offsets and no addresses, and are counted by reference.
 */
#ifndef HONE_ENGINE_PLAN_H
#define HONE_ENGINE_PLAN_H

#include <stdatomic.h>

#include "engine/program.h"

/* Where a value is during a run. */
typedef enum hone_location_kind {
  HONE_AT_NOWHERE = 0, /* not made yet */
  HONE_AT_INPUT,       /* input `index`, in the caller's memory */
  HONE_AT_CONSTANT,    /* the graph's own bytes */
  HONE_AT_FIXED,       /* computed while planning, in the plan's memory */
  HONE_AT_ARENA,       /* at `offset` of the frame's arena */
  HONE_AT_OUTPUT,      /* in output `index`: the caller's memory, or the frame's */
  HONE_AT_DEVICE,      /* in the device's memory alone */
  HONE_AT_GROWN        /* where the run put it: the frame's table has the address */
} hone_location_kind;

typedef struct hone_location {
  hone_location_kind kind;
  int index;
  size_t offset;
  const void *bytes; /* FIXED */
} hone_location;

/* What a plan knows of one value. */
typedef struct hone_planned {
  hone_type type;
  hone_location at;
  const hone_datum *known; /* its elements, where planning knows them */
  uint32_t root;           /* the value whose memory this is (itself, or through views and parts) */
  size_t inside;           /* bytes from where the root begins */
  size_t pitch;            /* elements from row to row of the last axis; 0: side by side */
  const hone_shape *bound; /* ARENA: what its memory is for where only running tells its size */
  bool typed;              /* the type is final: every dim known, or no tensor */
  bool on_device;          /* its root has a place in the device's memory */
  bool on_host;            /* of a root: a step on the host, or a later stage, reads or writes it */
  size_t device_offset;    /* of a root: that place */
  size_t pinned_offset;    /* of a small root that one step on the device stores and none reads, or one
                              reads and none stores: its place in the frame's pinned memory, where that
                              step may use it; else 0 */
} hone_planned;

typedef struct hone_plan_step {
  const hone_unit *unit;
  hone_step kernel; /* KERNEL */
  size_t pointers;  /* where its inputs' and outputs' addresses begin among the frame's */
} hone_plan_step;

/* Steps on a device that follow each other, and the roots that cross before and after them. */
typedef struct hone_device_run {
  size_t first, count; /* steps */
  uint32_t *up, *down; /* roots, by value id */
  size_t up_count, down_count;
  bool faults;
} hone_device_run;

#define HONE_DEVICE_ALIGNMENT 256

struct hone_plan {
  uint64_t number; /* no other plan of the process has it */
  const hone_program *program;
  const void *key; /* what the stage was planned for */
  size_t key_size;
  int threads;
  _Atomic int references;
  hone_planned *values; /* by value id, as they are after the stage */
  hone_plan_step *steps;
  size_t step_count;
  size_t first_unit, next_unit;
  uint64_t *needed;     /* elements of the next unit's inputs that its shape rule reads, by bit */
  size_t pointer_count; /* addresses that the steps' inputs and outputs take */
  uint32_t *moving;     /* values whose place or size is another from run to run, by value id */
  size_t moving_count;
  uint32_t *grown_views; /* views of what grows in a run, in the order of their units */
  size_t grown_view_count;
  size_t arena_size;    /* bytes, scratch included */
  size_t scratch_offset;
  size_t *output_bytes; /* of the outputs that this stage places AT_OUTPUT */
  hone_device_run *device_runs; /* NULL where all runs on the host */
  size_t device_run_count;
  uint32_t *kept; /* roots that planning knows, by value id: they cross once and stay on the device */
  size_t kept_count;
  size_t device_size, device_scratch; /* of the device's memory, and an offset in it */
  size_t pinned_size, pinned_kept; /* of the frame's pinned memory, and where kept roots lie in it */
  hone_plan *stages; /* what followed, newest first */
  hone_plan *next;   /* in the list that this plan hangs in */
  hone_arena memory; /* everything above */
};

/* The plan for `inputs` (their shapes; elements too where the program says so), after `before`
 * (NULL: from the start; else `frame_data` has the run's data by value id). Found in the cache, or
 * made. The caller owns one reference. */
HONE_MUST_USE hone_status *hone_plan_get(hone_program *program, hone_plan *before,
                                         const hone_datum *data, int threads,
                                         hone_plan **out);
/* LIMIT, naming what takes most, where a run of the stage takes more than `limit` bytes (0: none) for
 * values and scratch. What only running tells does not count. */
HONE_MUST_USE hone_status *hone_plan_check_limit(const hone_plan *plan, size_t limit);
void hone_plan_release(hone_plan *plan);
/* Writes the key that `hone_plan_get` looks for into `out` and says its size; with room too small
 * only the size. A context compares it with its last plan's before it asks. */
size_t hone_plan_key(const hone_program *program, const hone_plan *before, const hone_datum *data,
                     void *out, size_t room);
void hone_plans_drop(hone_program *program);
/* How many plans were made in this process, for tests. */
uint64_t hone_plan_count(void);

/* What the plans of the program will read of the engine's file, kernels taking the sizes that they get,
 * is whole, or CORRUPT; regions' too. */
HONE_MUST_USE hone_status *hone_program_check_stored(const hone_program *program);
/* What the meaning of a node reads of the engine's file is whole, or CORRUPT. */
HONE_MUST_USE hone_status *hone_plan_check_node(const hone_program *program, const hone_node *node);

/* Types and known elements of every value of a body from those of its inputs; `types` and `known`
 * by value id. Also used by the builder for typical shapes. */
HONE_MUST_USE hone_status *hone_infer_body(const hone_graph *body, hone_type *types,
                                           const hone_datum **known, hone_arena *memory);
/* Whether planning may read the elements of a group's constant: a small one, the host's, or one that
 * a rule reads. Kernels have their own copy of whatever they read, and the reference reads when it
 * runs. */
bool hone_planning_reads(const hone_value *constant);
/* Whether the type is final. */
bool hone_type_known(const hone_type *type);
/* One node with these types and elements in; `known_out` gets elements where they follow, bounded
 * in size; `made` says what the memory of new elements comes from. */
HONE_MUST_USE hone_status *hone_infer_node(const hone_node *node, const hone_type *const *in,
                                           const hone_datum *const *known, hone_type *out,
                                           const hone_datum **known_out, hone_arena *made);

#endif
