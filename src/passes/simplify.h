/* Rewrites of one node and its nearest inputs. Room: passes. */
#ifndef HONE_PASSES_SIMPLIFY_H
#define HONE_PASSES_SIMPLIFY_H

#include "passes/rewrite.h"

/* Looks at `node` and, where the rule fits, replaces its output and sets `*to` to what now stands
 * there (the caller substitutes); leaves `*to` NULL where it does not fit. A rule that changes the
 * node in place sets `*to` to the node's own output. */
typedef hone_status *hone_simplification(hone_node *node, const hone_pass_context *context,
                                         hone_value **to);

typedef struct hone_simplify_rule {
  const char *name;
  const hone_op *op; /* NULL: any */
  hone_simplification *apply;
} hone_simplify_rule;

extern const hone_simplify_rule hone_algebra_rules[]; /* ends with a NULL name */
extern const hone_simplify_rule hone_view_rules[];
extern const hone_simplify_rule hone_window_rules[];
extern const hone_simplify_rule hone_attention_rules[];
extern const hone_simplify_rule hone_part_rules[];
extern const hone_simplify_rule hone_late_rules[]; /* for when the layout is settled */
extern const hone_simplify_rule hone_late_part_rules[];
extern const hone_simplify_rule hone_late_branch_rules[];

#endif
