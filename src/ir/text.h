/* The text form of a graph: docs/graph.md is its grammar. Room: ir. */
#ifndef HONE_IR_TEXT_H
#define HONE_IR_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/text.h"
#include "ir/op.h"

/* The number in the first line of a text form; a reader refuses a newer one. */
#define HONE_TEXT_FORMAT 1

/* Prints `graph` with its regions. Constants up to `inline_limit` elements are written out
 * exactly, larger ones as @weights+offset with offsets given by `place` (NULL: as @elided), or as
 * @absent where that says HONE_WEIGHT_ABSENT. */
#define HONE_WEIGHT_ABSENT SIZE_MAX
typedef size_t hone_weight_place(void *argument, const hone_value *constant);
HONE_MUST_USE hone_status *hone_graph_print(const hone_graph *graph, size_t inline_limit,
                                            hone_weight_place *place, void *argument,
                                            hone_text *out);

/* The same text for graphs that differ in names and sources alone, larger constants elided: values are
 * numbers. Nobody parses it. */
HONE_MUST_USE hone_status *hone_graph_print_nameless(const hone_graph *graph, size_t inline_limit,
                                                     hone_text *out);

/* Parses one graph. `weights` is what @weights+offset points into; it must outlive the graph.
 * Errors name line and column. The text is hostile input: every limit is checked. */
HONE_MUST_USE hone_status *hone_graph_parse(const char *text, size_t size, hone_op_lookup *lookup,
                                            hone_bytes weights, hone_graph **out);

/* The type that `text` writes, as "f32[n, 3]"; its symbols become `graph`'s. */
HONE_MUST_USE hone_status *hone_type_parse(hone_graph *graph, const char *text, hone_type *out);
/* Sets the attributes of `node` that `text` lists as between a node's braces. */
HONE_MUST_USE hone_status *hone_attrs_parse(hone_node *node, const char *text);

/* Checks every rule that graph.h and the ops' schemas state; the first broken one is the error,
 * with the node named. Debug builds call it after every pass; loading always does. */
HONE_MUST_USE hone_status *hone_graph_verify(const hone_graph *graph);
/* What holds from pass place on: outputs of a node lie in one place, and the host reads nothing that
 * lies on the device but through nodes that bring it. */
HONE_MUST_USE hone_status *hone_graph_verify_places(const hone_graph *graph);

#endif
