/* The end of a graph's memory for constants. Room: ir. */
#ifndef HONE_IR_BYTES_H
#define HONE_IR_BYTES_H

#include "ir/graph.h"

/* All that hone_graph_bytes gave for `root`. */
void hone_graph_free_bytes(hone_graph *root);

#endif
