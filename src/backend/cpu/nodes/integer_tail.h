/* The pointwise tail of an integer product as a program of integer_finish.h.
 * Room: backend/cpu/nodes. */
#ifndef HONE_BACKEND_CPU_NODES_INTEGER_TAIL_H
#define HONE_BACKEND_CPU_NODES_INTEGER_TAIL_H

#include "backend/cpu/products/integer_finish.h"
#include "ir/graph.h"

enum { HONE_INTEGER_BESIDE = 3 };

typedef struct hone_integer_tail {
  hone_integer_finish finish;                   /* operands are bound at plan */
  const hone_value *values[HONE_INTEGER_STEPS]; /* what a step reads, or NULL */
  /* Of the node taken last: the nodes that make its other operand out of values[…] and that the
   * step does by itself. */
  const hone_node *beside[HONE_INTEGER_BESIDE];
  int beside_count;
} hone_integer_tail;

/* Takes `node`, which alone reads `result`, what the tail makes so far (at first the sums). False,
 * and nothing is to be used of `tail`, where no step does what the node does. */
bool hone_integer_tail_take(hone_integer_tail *tail, const hone_node *node,
                            const hone_value *result);

#endif
