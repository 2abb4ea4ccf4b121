/* The table of ops, and running them plainly. Room: ops. */
#ifndef HONE_OPS_OPS_H
#define HONE_OPS_OPS_H

#include "ir/op.h"

/* Every built-in op is declared here from the rows of ops.def: hone_op_conv, hone_op_add, … */
#define HONE_OP(name) extern const hone_op hone_op_##name;
#include "ops/ops.def"
#undef HONE_OP

/* A built-in op, or one registered at run time; the hone_op_lookup of this library. */
const hone_op *hone_op_find(const char *name, size_t size);
/* The built-in ops in table order. */
const hone_op *const *hone_op_list(size_t *count);
/* Adds a user's op; it must outlive every graph that names it. Refused when the name is taken. */
HONE_MUST_USE hone_status *hone_op_register(const hone_op *op);

/* Runs one node by its reference: infers, takes memory for the outputs from `memory` (which also
 * holds items and strings), computes. `in` has node->input_count entries, NULL where absent;
 * `out` node->output_count, filled in. Errors name the node. */
HONE_MUST_USE hone_status *hone_evaluate(const hone_node *node, const hone_datum *const *in,
                                         hone_datum *out, hone_arena *memory);

/* Runs a whole graph by references, the oracle of every test. `in` and `out` in the graph's
 * order. Outputs lie in `memory`, in the graph's constants, or alias an input. */
HONE_MUST_USE hone_status *hone_interpret(const hone_graph *graph, const hone_datum *const *in,
                                          hone_datum *out, hone_arena *memory);

#endif
