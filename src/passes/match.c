/* Finding what a rule describes and putting its replacement there; match.h says how rules look.
 * Matching tries both orders of commutative inputs and goes back on a wrong guess: the goals still
 * open are a list on the stack, so that a failure anywhere takes up the last choice. Its depth and
 * choices are bounded by the rule's size. Room: passes. */
#include "passes/match.h"

#include <math.h>
#include <string.h>

#include "passes/match_rule.h"

struct hone_match {
  const hone_rule *rule;
  hone_node *root;
  hone_value *values[HONE_RULE_NAMES];  /* NULL: not met yet */
  double numbers[HONE_RULE_NAMES];
  bool has_number[HONE_RULE_NAMES];
  hone_node *nodes[HONE_RULE_NODES];
  int node_count;
};

const hone_value *hone_match_value(const hone_match *match, const char *name) {
  int index = hone_rule_name(match->rule, name);
  return index < 0 ? NULL : match->values[index];
}
double hone_match_number(const hone_match *match, const char *name) {
  int index = hone_rule_name(match->rule, name);
  return index < 0 || !match->has_number[index] ? NAN : match->numbers[index];
}
const hone_value *hone_match_root(const hone_match *match) { return match->root->outputs[0]; }

typedef struct goal {
  const hone_expr *expr;
  hone_value *value;
  const struct goal *next;
} goal;

static bool solve(hone_match *m, const goal *goals);

static bool is_about(double value, double wanted, double within) {
  return value == wanted || fabs(value - wanted) <= within * fabs(wanted);
}

/* The name keeps the number that it was first met with. */
static bool bind_number(hone_match *m, int name, double value) {
  if (m->has_number[name]) return is_about(m->numbers[name], value, 1e-6);
  m->numbers[name] = value;
  return m->has_number[name] = true;
}

static bool attr_matches(hone_match *m, const hone_rule_attr *wanted, const hone_node *node) {
  const hone_attr *attr = &node->attrs[wanted->def - node->op->attrs];
  bool real = wanted->def->kind == HONE_ATTR_REAL;
  if (wanted->word) {
    if (wanted->def->kind == HONE_ATTR_FLAG)
      return (attr->integer != 0) == (strcmp(wanted->word, "true") == 0);
    if (wanted->def->kind == HONE_ATTR_DTYPE)
      return (hone_dtype)attr->integer == hone_dtype_parse(wanted->word, strlen(wanted->word));
    return attr->text && strcmp(attr->text, wanted->word) == 0;
  }
  if (wanted->def->kind == HONE_ATTR_INTS)
    return attr->count == wanted->list_count &&
           memcmp(attr->integers, wanted->list, attr->count * sizeof *wanted->list) == 0;
  double value = real ? attr->real : (double)attr->integer;
  if (wanted->number.count) return bind_number(m, wanted->number.factor[0], value);
  return is_about(value, wanted->number.number, 1e-6);
}

static bool node_matches(hone_match *m, const hone_expr *expr, const hone_node *node) {
  if (node->op != expr->op || node->input_count < expr->arg_count) return false;
  for (int i = expr->arg_count; i < node->input_count; i++)
    if (node->inputs[i].value) return false;
  for (int i = 0; i < expr->attr_count; i++)
    if (!attr_matches(m, &expr->attrs[i], node)) return false;
  return m->node_count < HONE_RULE_NODES;
}

/* The inputs of a matched node become goals, in order `swap`, before the rest. */
static bool solve_inputs(hone_match *m, const hone_expr *expr, const hone_node *node, bool swap,
                         const goal *rest) {
  goal goals[HONE_RULE_ARGS];
  for (int i = expr->arg_count - 1; i >= 0; i--) {
    int from = swap && i < 2 ? 1 - i : i;
    if (!node->inputs[from].value) return false;
    goals[i] = (goal){expr->args[i], node->inputs[from].value, rest};
    rest = &goals[i];
  }
  return solve(m, rest);
}

static bool solve_node(hone_match *m, const goal *g) {
  hone_node *node = g->value->producer;
  hone_match before = *m;
  if (!node || g->value->index != 0) return false;
  if (!node_matches(m, g->expr, node)) {
    *m = before;
    return false;
  }
  m->nodes[m->node_count++] = node;
  if (solve_inputs(m, g->expr, node, false, g->next)) return true;
  *m = before;
  if (!(node->op->facts & HONE_COMMUTATIVE) || g->expr->arg_count < 2) return false;
  m->nodes[m->node_count++] = node;
  if (solve_inputs(m, g->expr, node, true, g->next)) return true;
  *m = before;
  return false;
}

/* A name that an earlier definition explains must match that as well. */
static const hone_expr *definition_of(const hone_rule *rule, int name) {
  for (int i = 0; i < rule->match_count; i++)
    if (rule->match[i].name == name) return rule->match[i].expr;
  return NULL;
}

static bool solve_name(hone_match *m, const goal *g) {
  int name = g->expr->name;
  if (g->expr->kind == HONE_EXPR_CONSTANT && !g->value->constant) return false;
  if (m->values[name]) return m->values[name] == g->value && solve(m, g->next);
  const hone_expr *definition = definition_of(m->rule, name);
  goal inner = {definition, g->value, g->next};
  m->values[name] = g->value;
  if (solve(m, definition ? &inner : g->next)) return true;
  m->values[name] = NULL;
  return false;
}

static bool solve_ints(hone_match *m, const goal *g) {
  int64_t ints[HONE_MAX_RANK];
  size_t count;
  return hone_constant_ints(g->value, ints, HONE_MAX_RANK, &count) &&
         count == g->expr->int_count && memcmp(ints, g->expr->ints, count * sizeof *ints) == 0 &&
         solve(m, g->next);
}

static bool solve_number(hone_match *m, const goal *g) {
  double value;
  if (!hone_uniform(g->value, &value)) return false;
  if (g->expr->kind == HONE_EXPR_NUMBER)
    return is_about(value, g->expr->number, g->expr->within) && solve(m, g->next);
  bool had = m->has_number[g->expr->name];
  if (!bind_number(m, g->expr->name, value)) return false;
  if (solve(m, g->next)) return true;
  m->has_number[g->expr->name] = had;
  return false;
}

/* Nothing but the root may be used by a node outside the match, or be an output. */
static bool is_closed(const hone_match *m) {
  for (int i = 0; i < m->node_count; i++) {
    const hone_node *node = m->nodes[i];
    for (int k = 0; node != m->root && k < node->output_count; k++) {
      const hone_value *output = node->outputs[k];
      for (const hone_use *use = output ? output->uses : NULL; use; use = use->next) {
        bool inside = false;
        for (int n = 0; n < m->node_count && !inside; n++) inside = m->nodes[n] == use->user;
        if (!inside) return false;
      }
    }
  }
  return true;
}

static bool guards_agree(const hone_match *m) {
  for (int i = 0; i < m->rule->guard_count; i++) {
    const hone_rule_guard *guard = &m->rule->guards[i];
    if (!guard->test(m, guard->arguments, guard->count)) return false;
  }
  return true;
}

static bool solve(hone_match *m, const goal *goals) {
  if (!goals) return is_closed(m) && guards_agree(m);
  switch (goals->expr->kind) {
    case HONE_EXPR_NODE: return solve_node(m, goals);
    case HONE_EXPR_VALUE:
    case HONE_EXPR_CONSTANT: return solve_name(m, goals);
    case HONE_EXPR_INTS: return solve_ints(m, goals);
    default: return solve_number(m, goals);
  }
}

static double number_of(const hone_match *m, const hone_rule_number *number) {
  double value = number->number;
  for (int i = 0; i < number->count; i++) {
    double factor = m->numbers[number->factor[i]];
    value = number->divides[i] ? value / factor : value * factor;
  }
  return value;
}

static hone_status *set_attr(const hone_match *m, const hone_rule_attr *attr, hone_node *node) {
  const char *name = attr->def->name, *word = attr->word;
  double number = number_of(m, &attr->number);
  switch (attr->def->kind) {
    case HONE_ATTR_FLAG: return hone_node_set_int(node, name, strcmp(word, "true") == 0);
    case HONE_ATTR_DTYPE: return hone_node_set_int(node, name, hone_dtype_parse(word, strlen(word)));
    case HONE_ATTR_INT: return hone_node_set_int(node, name, (int64_t)number);
    case HONE_ATTR_REAL: return hone_node_set_real(node, name, number);
    case HONE_ATTR_INTS: return hone_node_set_ints(node, name, attr->list, attr->list_count);
    default: return hone_node_set_text(node, name, word);
  }
}

static hone_status *build(hone_match *m, const hone_expr *expr, hone_value **out) {
  hone_dtype dtype = m->root->outputs[0]->type.dtype;
  if (expr->kind == HONE_EXPR_NUMBER)
    return hone_graph_real(m->root->graph, NULL, dtype, expr->number, out);
  if (expr->kind == HONE_EXPR_NAMED)
    return hone_graph_real(m->root->graph, NULL, dtype, m->numbers[expr->name], out);
  if (expr->kind == HONE_EXPR_INTS)
    return hone_graph_ints(m->root->graph, NULL, 1, expr->ints, expr->int_count, out);
  if (expr->kind != HONE_EXPR_NODE) {
    *out = m->values[expr->name];
    return *out ? NULL : hone_error(HONE_INTERNAL, "rule %s: '%s' is not in the pattern",
                                    m->rule->name, m->rule->names[expr->name]);
  }
  hone_value *inputs[HONE_RULE_ARGS];
  hone_node *node;
  for (int i = 0; i < expr->arg_count; i++) HONE_TRY(build(m, expr->args[i], &inputs[i]));
  HONE_TRY(hone_node_start(m->root, expr->op, inputs, expr->arg_count, &node));
  for (int i = 0; i < m->node_count; i++)
    if (m->nodes[i] != m->root) HONE_TRY(hone_node_add_sources(node, m->nodes[i]));
  for (int i = 0; i < expr->attr_count; i++) HONE_TRY(set_attr(m, &expr->attrs[i], node));
  return hone_node_finish(node, out);
}

/* The replacement must not change what is known of the root's type. */
static bool types_agree(const hone_type *old, const hone_type *new) {
  if (old->dtype != new->dtype || old->shape.rank != new->shape.rank) return false;
  for (int i = 0; i < old->shape.rank; i++) {
    hone_dim a = old->shape.dim[i], b = new->shape.dim[i];
    if (hone_dim_known(a) && hone_dim_known(b) && a != b) return false;
  }
  return true;
}

/* Builds before the root. A shape rule that refuses, or another type, is no error: the rule does
 * not fit here, and what was built goes. */
static hone_status *replace(hone_match *m, bool *fired) {
  hone_value *to = NULL;
  hone_status *status = NULL;
  hone_node *before = m->root->previous;
  for (int i = 0; i < m->rule->replace_count && !status; i++) {
    status = build(m, m->rule->replace[i].expr, &to);
    m->values[m->rule->replace[i].name] = to;
  }
  *fired = !status && to && types_agree(&m->root->outputs[0]->type, &to->type);
  if (*fired) {
    to->type.shape = m->root->outputs[0]->type.shape;
    return hone_substitute(m->root, 0, to);
  }
  while (m->root->previous != before) hone_node_remove(m->root->previous);
  hone_code code = hone_status_code(status);
  if (code == HONE_OUT_OF_MEMORY || code == HONE_INTERNAL) return status;
  hone_status_free(status);
  return NULL;
}

static bool find(hone_match *m, const hone_rule *rule, hone_node *node) {
  memset(m, 0, sizeof *m);
  m->rule = rule;
  m->root = node;
  const hone_definition *root = &rule->match[rule->match_count - 1];
  goal g = {root->expr, node->outputs[0], NULL};
  return root->expr->op == node->op && node->outputs[0] && solve(m, &g);
}

hone_status *hone_rules_apply(const hone_rules *rules, hone_node *node,
                              hone_pass_context *context, bool *fired) {
  hone_match match;
  *fired = false;
  for (size_t i = 0; i < rules->count && !*fired; i++) {
    const hone_rule *rule = &rules->rules[i];
    if (!find(&match, rule, node)) continue;
    HONE_TRY(replace(&match, fired));
    if (*fired) hone_pass_fired(context, rule->name);
  }
  return NULL;
}
