/* What an engine holds of one graph: a unit a node, and the plans made so far. Room: engine.
 *
 * The root graph has a program, and so has every region of its control-flow nodes. All of it is
 * immutable once built, but for the plan cache, which has a lock that is taken only when a context
 * meets shapes that it has no plan for.
 */
#ifndef HONE_ENGINE_PROGRAM_H
#define HONE_ENGINE_PROGRAM_H

#include <pthread.h>

#include "backend/backend.h"

typedef struct hone_program hone_program;
typedef struct hone_plan hone_plan;

/* How a node runs. */
typedef enum hone_unit_kind {
  HONE_UNIT_KERNEL, /* a group on a backend's kernel */
  HONE_UNIT_PLAIN,  /* by its reference, on the calling thread: groups without a kernel, host ops,
                       ops on objects */
  HONE_UNIT_VIEW,   /* nothing to do: the output is the input's bytes */
  HONE_UNIT_CONTROL /* if, loop, scan: the engine runs the regions' programs */
} hone_unit_kind;

/* What build found out about a group, for the report. */
typedef struct hone_choice {
  const char *candidate; /* the chosen kernel's name, or "reference"; NULL for no group */
  int variant;
  int candidate_count;
  bool measured; /* by the clock or from the timing cache, not by the cost model */
} hone_choice;

typedef struct hone_unit {
  const hone_node *node;
  const hone_graph *body; /* of a group, else NULL */
  hone_unit_kind kind;
  hone_prepared prepared; /* KERNEL */
  hone_program **regions; /* CONTROL: one a region */
  hone_choice choice;
  double nanoseconds; /* as measured at build; 0 where it was not */
  double inside; /* on a device: what it adds to a run by the times between marks, if measured */
} hone_unit;

struct hone_program {
  const hone_graph *graph;
  hone_dim batch; /* of the root: the symbol of rows that do not follow from each other, or 0 */
  struct hone_stored *stored; /* the file that weights and packs lie in; NULL when built here */
  hone_unit *units; /* in the order of the nodes */
  size_t unit_count;
  const hone_value **values; /* by value id; NULL where the id is a node's or is gone */
  size_t value_count;        /* one more than the largest id */
  uint64_t *host_inputs;     /* bit i: the elements of input i are part of a plan's key */
  pthread_mutex_t lock;      /* of the plan cache */
  hone_plan *plans;          /* newest first */
  size_t plan_count;
};

/* Whether the engine itself runs this op's regions (control.c); the others' run by reference. */
bool hone_control_runs(const hone_op *op);
/* What input `input` of its regions begins as; NULL for a loop's counter and condition. */
const hone_value *hone_control_source(const hone_node *node, int input);
/* Units for every node, nothing chosen yet; memory from `arena`. */
HONE_MUST_USE hone_status *hone_program_make(const hone_graph *graph, hone_arena *arena,
                                             hone_program **out);
/* Gives back what a backend holds for the unit's kernel. */
void hone_unit_release(hone_unit *unit);
/* Frees the plans and locks, of the regions too, and what backends hold; the rest is the arena's. */
void hone_program_drop(hone_program *program);
static inline bool hone_program_host_input(const hone_program *program, int input) {
  return program->host_inputs[input / 64] >> (input % 64) & 1;
}

#endif
