/* What passes share: visiting graphs, making nodes, putting one value in another's place. Room:
 * passes. */
#ifndef HONE_PASSES_REWRITE_H
#define HONE_PASSES_REWRITE_H

#include "passes/pass.h"

typedef hone_status *hone_graph_rewrite(hone_graph *graph, hone_pass_context *context);
typedef hone_status *hone_node_rewrite(hone_node *node, hone_pass_context *context);

/* Calls `run` for every graph from the innermost out; the bodies of groups are left alone. */
HONE_MUST_USE hone_status *hone_each_graph(hone_graph *graph, hone_pass_context *context,
                                           hone_graph_rewrite *run);
/* Calls `run` for every node of every such graph, in order. `run` may remove the node it is given
 * and nodes before it, and may add nodes before it. */
HONE_MUST_USE hone_status *hone_each_node(hone_graph *graph, hone_pass_context *context,
                                          hone_node_rewrite *run);

/* A new node before `from`, with one output, from whose sources it takes its own. Attributes are set
 * by the caller, who then calls hone_node_finish. */
HONE_MUST_USE hone_status *hone_node_start(hone_node *from, const hone_op *op,
                                           hone_value *const *inputs, int input_count,
                                           hone_node **out);
/* Checks the schema and infers the types. */
HONE_MUST_USE hone_status *hone_node_finish(hone_node *node, hone_value **out);
/* Both for an op whose attributes stay at their defaults. */
HONE_MUST_USE hone_status *hone_make(hone_node *from, const hone_op *op, hone_value *const *inputs,
                                     int input_count, hone_value **out);
/* Whether a reshape of something of shape `x` can be told `shape`: it has at most one symbol, besides
 * those that x has at the same axis. */
bool hone_can_reshape(const hone_shape *x, const hone_shape *shape);
/* reshape(x) to `shape`, which it can be told; `from` as above. */
HONE_MUST_USE hone_status *hone_make_reshape(hone_node *from, hone_value *x,
                                             const hone_shape *shape, hone_value **out);
HONE_MUST_USE hone_status *hone_make_transpose(hone_node *from, hone_value *x, const int *perm,
                                               hone_value **out);

/* Every use of output `index` of `node` becomes one of `to`, which takes over its name where it has
 * none of its own; a graph output keeps its name in any case. A node without uses is then removed,
 * with those before it that it alone needed. */
HONE_MUST_USE hone_status *hone_substitute(hone_node *node, int index, hone_value *to);
/* `to` gets the name that `from` has, which gets another. */
HONE_MUST_USE hone_status *hone_take_name(hone_value *to, hone_value *from);
/* Whether hone_substitute would have to leave a copy behind: an output of the graph that becomes an
 * input, a constant, or another output. */
bool hone_substitute_copies(const hone_value *from, const hone_value *to);
/* Removes the node if nothing uses it, then its inputs' makers likewise. */
void hone_remove_unused(hone_node *node);

/* Constants of the type of `like` side by side along `axis`, where each takes `sizes[i]`; NULL stands
 * for zeros. */
HONE_MUST_USE hone_status *hone_join_constants(hone_graph *graph, const hone_value *const *parts,
                                               const int64_t *sizes, int count,
                                               const hone_value *like, int axis, hone_value **out);

/* A constant of one element, or of equal elements, as a real. */
bool hone_uniform(const hone_value *value, double *out);
/* An integer constant of at most `room` elements. */
bool hone_constant_ints(const hone_value *value, int64_t *out, size_t room, size_t *count);
/* The same dtype, rank and dims; ranks known. */
bool hone_same_type(const hone_value *a, const hone_value *b);
/* Whether `value` is the only user's business of `user`: one use, by that node. */
bool hone_used_only_by(const hone_value *value, const hone_node *user);
/* The axes of a reduce node, sorted, in 0..rank-1; false when they are not known. */
bool hone_reduce_axes(const hone_node *node, bool *axes);

bool hone_is_float(const hone_value *value);
/* Two nodes of one op with equal attributes. */
bool hone_same_attrs(const hone_node *a, const hone_node *b);
/* Gives `to` the attributes of `from`, a node of the same op and graph. */
void hone_copy_attrs(hone_node *to, const hone_node *from);

#endif
