/* Ops that exporters spelled with several nodes: the rules of rules.def, applied until none fires.
 * Room: passes. */
#include "passes/match.h"
#include "passes/passes.h"

static const hone_rule_text texts[] = {
#define RULE(name, match, replace, guards) {name, match, replace, guards},
#include "passes/rules.def"
#undef RULE
};

/* A rule's result may be part of another's pattern: a norm, its scale, its bias. Every rule makes the
 * graph smaller, so that this ends. */
enum { MOST_ROUNDS = 6 };

typedef struct recogniser {
  hone_pass_context *context;
  const hone_rules *rules;
  bool fired;
} recogniser;

static hone_status *recognise_graph(hone_graph *graph, recogniser *r) {
  for (hone_node *node = graph->first, *next; node; node = next) {
    bool fired;
    next = node->next;
    for (int i = 0; node->op != &hone_op_group && i < node->region_count; i++)
      HONE_TRY(recognise_graph(node->regions[i], r));
    HONE_TRY(hone_rules_apply(r->rules, node, r->context, &fired));
    r->fired = r->fired || fired;
  }
  return NULL;
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  hone_arena arena = {0};
  hone_rules *rules;
  recogniser r = {.context = context, .fired = true};
  hone_status *status =
      hone_rules_read(texts, sizeof texts / sizeof *texts, &arena, &rules);
  r.rules = rules;
  for (int round = 0; !status && r.fired && round < MOST_ROUNDS; round++) {
    r.fired = false;
    status = recognise_graph(graph, &r);
  }
  hone_arena_free(&arena);
  return status;
}

const hone_pass hone_pass_recognise = {"recognise", run};
