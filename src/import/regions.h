/* Conditionals and loops for importers: regions that take what they capture as inputs, carried
 * types that settle. Room: import. */
#ifndef HONE_IMPORT_REGIONS_H
#define HONE_IMPORT_REGIONS_H

#include "import/emit.h"

/* The region's stand-in for `value` of the graph around it: a constant of its own with the same
 * bytes, or an input. Captures of the region's node begin at its input `first`; the region's input
 * for the node's input i is i + `offset`. A value of the region itself stays what it is. */
HONE_MUST_USE hone_status *hone_region_capture(hone_graph *region, int first, int offset,
                                               hone_value *value, hone_value **out);
/* What these are for an `if`; for a loop of n carried values the first capture is 2 + n, the
 * offset 0. */
#define HONE_IF_CAPTURE 1
#define HONE_IF_OFFSET  (-1)

/* Takes back all regions of a node and the captures, from input `first` on, that only they needed:
 * names become free. */
void hone_regions_forget(hone_node *node, int first);
/* Opens what `turned` has otherwise than the carried `type`; `open` has a bit a dim that was opened
 * before. Says whether that changed anything. */
HONE_MUST_USE hone_status *hone_carried_widen(hone_graph *graph, size_t index,
                                              const hone_type *turned, hone_type *type,
                                              unsigned char *open, bool *changed);

/* A conditional in the making. */
typedef struct hone_branching {
  hone_call *call;
  hone_value *condition; /* bool, rank 0 */
  int output_count;
  /* Emits a branch into `region`, capturing as for an `if`, and gives its outputs. Where the
   * condition is known, `region` is the graph around it and nothing is captured. */
  hone_status *(*fill)(struct hone_branching *branching, hone_graph *region, bool taken,
                       hone_value **out);
} hone_branching;

/* `out`: output_count values of the graph around it. */
HONE_MUST_USE hone_status *hone_emit_if(hone_branching *branching, hone_value **out);

/* A loop in the making. What is carried starts with the type of its first value; where the body
 * gives another, the dims that differ become open and the body is emitted again. */
typedef struct hone_looping {
  hone_call *call;
  hone_value *trips, *condition; /* of the first turn; NULL: no bound, true */
  hone_value **initial;          /* of what is carried */
  size_t carried, scanned;
  /* Emits the body into `region`, whose inputs are iteration (s64), condition (bool), carried,
   * captures; gives condition, carried, scanned. */
  hone_status *(*fill)(struct hone_looping *looping, hone_graph *region, hone_value **out);
  /* The loop's own. */
  hone_node *node;
  hone_type *types;
  unsigned char *open; /* bit d: dim d differs from turn to turn */
} hone_looping;

/* `out`: the carried values after the last turn, then the scanned ones stacked. */
HONE_MUST_USE hone_status *hone_emit_loop(hone_looping *looping, hone_value **out);

#endif
