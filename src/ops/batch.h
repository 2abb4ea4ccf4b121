/* Batches: whether the rows of what a graph gives follow each from the same row of what it is given.
 * Room: ops. */
#ifndef HONE_OPS_BATCH_H
#define HONE_OPS_BATCH_H

#include "ir/graph.h"

/* The symbol that every output of the root graph begins with, where row i of the outputs follows from
 * row i of those inputs that begin with it too, from nothing of the other rows nor from how many there
 * are: a run of many rows can be made of runs of some. 0 where there is none, or that cannot be told.
 * Inputs without the symbol are the same for all rows. */
HONE_MUST_USE hone_status *hone_batch_symbol(const hone_graph *graph, hone_dim *out);

#endif
