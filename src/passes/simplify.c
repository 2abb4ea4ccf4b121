/* Applies the tables of one-node rewrites until none fires. Room: passes. */
#include "passes/simplify.h"

#include "passes/passes.h"

/* Every rule makes the graph smaller or a node's spelling plainer, so that few rounds do; the limit
 * only guards against two rules that would undo each other. */
enum { MOST_ROUNDS = 8 };

static const hone_simplify_rule *const tables[] = {hone_view_rules, hone_algebra_rules,
                                                   hone_window_rules, hone_attention_rules,
                                                   hone_part_rules, hone_late_rules,
                                                   hone_late_part_rules,
                                                   hone_late_branch_rules};
enum { ALL = sizeof tables / sizeof *tables, EARLY = ALL - 3 };

static hone_status *apply(const hone_simplify_rule *rule, hone_node *node,
                          hone_pass_context *context, bool *fired) {
  hone_value *to = NULL;
  HONE_TRY(rule->apply(node, context, &to));
  if (!to) return NULL;
  *fired = true;
  hone_pass_fired(context, rule->name);
  return to == node->outputs[0] ? NULL : hone_substitute(node, 0, to);
}

static hone_status *simplify_node(hone_node *node, hone_pass_context *context, int count,
                                  bool *fired) {
  for (int t = 0; t < count; t++) {
    for (const hone_simplify_rule *rule = tables[t]; rule->name; rule++) {
      bool here = false;
      if (rule->op && rule->op != node->op) continue;
      if (!hone_node_out(node, 0)) return NULL;
      HONE_TRY(apply(rule, node, context, &here));
      *fired = *fired || here;
      if (here) return NULL;
    }
  }
  return NULL;
}

static hone_status *simplify_graph(hone_graph *graph, hone_pass_context *context, int count) {
  bool fired = true;
  for (int round = 0; fired && round < MOST_ROUNDS; round++) {
    fired = false;
    for (hone_node *node = graph->first, *next; node; node = next) {
      next = node->next;
      HONE_TRY(simplify_node(node, context, count, &fired));
    }
  }
  return NULL;
}

static hone_status *run_early(hone_graph *graph, hone_pass_context *context) {
  return simplify_graph(graph, context, EARLY);
}
static hone_status *run_all(hone_graph *graph, hone_pass_context *context) {
  return simplify_graph(graph, context, ALL);
}

static hone_status *simplify(hone_graph *graph, hone_pass_context *context) {
  return hone_each_graph(graph, context, run_early);
}
static hone_status *settle(hone_graph *graph, hone_pass_context *context) {
  return hone_each_graph(graph, context, run_all);
}

const hone_pass hone_pass_simplify = {"simplify", simplify};
const hone_pass hone_pass_settle = {"settle", settle};
