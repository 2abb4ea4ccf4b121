/* Reading rules; match.h is their grammar. Room: passes. */
#include <string.h>

#include "ir/lexer.h"
#include "passes/match_rule.h"

typedef struct reader {
  hone_lexer lexer;
  hone_rule *rule;
  hone_arena *arena;
} reader;

int hone_rule_name(const hone_rule *rule, const char *name) {
  for (int i = 0; i < rule->name_count; i++)
    if (strcmp(rule->names[i], name) == 0) return i;
  return -1;
}

static hone_status *add_name(reader *r, const char *name, int *out) {
  hone_rule *rule = r->rule;
  *out = hone_rule_name(rule, name);
  if (*out >= 0) return NULL;
  if (rule->name_count == HONE_RULE_NAMES) return hone_lexer_fail(&r->lexer, "too many names");
  *out = rule->name_count++;
  rule->names[*out] = name;
  return NULL;
}

/* The current word as a name of the rule, new or not, then a step. */
static hone_status *read_name(reader *r, int *out) {
  if (r->lexer.token.kind != HONE_TOKEN_WORD)
    return hone_lexer_fail(&r->lexer, "a name is wanted here");
  HONE_TRY(add_name(r, r->lexer.token.text, out));
  return hone_lexer_next(&r->lexer);
}

/* "2.5", "$n", and products and quotients of them. */
static hone_status *read_number(reader *r, hone_rule_number *out) {
  bool divides = false, more = true;
  out->number = 1;
  while (more) {
    bool named;
    double number;
    HONE_TRY(hone_lexer_accept(&r->lexer, '$', &named));
    if (named) {
      if (out->count == HONE_RULE_FACTORS) return hone_lexer_fail(&r->lexer, "too many factors");
      out->divides[out->count] = divides;
      HONE_TRY(read_name(r, &out->factor[out->count++]));
    } else {
      HONE_TRY(hone_lexer_real(&r->lexer, &number));
      out->number = divides ? out->number / number : out->number * number;
    }
    HONE_TRY(hone_lexer_accept(&r->lexer, '/', &divides));
    more = divides;
    if (!more) HONE_TRY(hone_lexer_accept(&r->lexer, '*', &more));
  }
  return NULL;
}

/* "[0, 1]" into `out`, which has room for HONE_MAX_RANK numbers. */
static hone_status *read_list(reader *r, int64_t *out, size_t *count) {
  HONE_TRY(hone_lexer_expect(&r->lexer, '['));
  while (!hone_lexer_is(&r->lexer, ']')) {
    if (*count) HONE_TRY(hone_lexer_expect(&r->lexer, ','));
    if (*count == HONE_MAX_RANK) return hone_lexer_fail(&r->lexer, "too many numbers");
    HONE_TRY(hone_lexer_int(&r->lexer, &out[(*count)++]));
  }
  return hone_lexer_next(&r->lexer);
}

static hone_status *read_attr(reader *r, hone_expr *expr) {
  if (expr->attr_count == HONE_RULE_ARGS) return hone_lexer_fail(&r->lexer, "too many attributes");
  hone_rule_attr *attr = &expr->attrs[expr->attr_count++];
  int index = hone_op_attr_index(expr->op, r->lexer.token.text, r->lexer.token.size);
  if (index < 0) return hone_lexer_fail(&r->lexer, "%s has no such attribute", expr->op->name);
  attr->def = &expr->op->attrs[index];
  HONE_TRY(hone_lexer_next(&r->lexer));
  HONE_TRY(hone_lexer_expect(&r->lexer, '='));
  if (hone_lexer_is(&r->lexer, '[')) return read_list(r, attr->list, &attr->list_count);
  if (r->lexer.token.kind != HONE_TOKEN_WORD) return read_number(r, &attr->number);
  attr->word = r->lexer.token.text;
  return hone_lexer_next(&r->lexer);
}

static hone_status *read_expr(reader *r, hone_expr **out);

/* After the op's name. */
static hone_status *read_node(reader *r, hone_expr *expr) {
  bool more;
  HONE_TRY(hone_lexer_expect(&r->lexer, '('));
  while (!hone_lexer_is(&r->lexer, ')')) {
    if (expr->arg_count) HONE_TRY(hone_lexer_expect(&r->lexer, ','));
    if (expr->arg_count == HONE_RULE_ARGS) return hone_lexer_fail(&r->lexer, "too many inputs");
    HONE_TRY(read_expr(r, &expr->args[expr->arg_count++]));
  }
  HONE_TRY(hone_lexer_next(&r->lexer));
  HONE_TRY(hone_lexer_accept(&r->lexer, '{', &more));
  if (!more) return NULL;
  while (!hone_lexer_is(&r->lexer, '}')) {
    if (expr->attr_count) HONE_TRY(hone_lexer_expect(&r->lexer, ','));
    HONE_TRY(read_attr(r, expr));
  }
  return hone_lexer_next(&r->lexer);
}

static hone_status *read_expr(reader *r, hone_expr **out) {
  bool about, constant, named;
  hone_expr *expr = *out = HONE_NEW(r->arena, hone_expr);
  HONE_TRY_MEMORY(expr);
  if (hone_lexer_is(&r->lexer, '[')) {
    expr->kind = HONE_EXPR_INTS;
    return read_list(r, expr->ints, &expr->int_count);
  }
  HONE_TRY(hone_lexer_accept(&r->lexer, '~', &about));
  if (r->lexer.token.kind == HONE_TOKEN_NUMBER) {
    expr->kind = HONE_EXPR_NUMBER;
    expr->within = about ? 1e-3 : 1e-6;
    return hone_lexer_real(&r->lexer, &expr->number);
  }
  HONE_TRY(hone_lexer_accept(&r->lexer, '@', &constant));
  HONE_TRY(hone_lexer_accept(&r->lexer, '$', &named));
  if (r->lexer.token.kind != HONE_TOKEN_WORD)
    return hone_lexer_fail(&r->lexer, "an op, a name or a number is wanted here");
  const char *word = r->lexer.token.text;
  size_t size = r->lexer.token.size;
  HONE_TRY(hone_lexer_next(&r->lexer));
  if (!hone_lexer_is(&r->lexer, '(')) {
    expr->kind = constant ? HONE_EXPR_CONSTANT : named ? HONE_EXPR_NAMED : HONE_EXPR_VALUE;
    return add_name(r, word, &expr->name);
  }
  expr->kind = HONE_EXPR_NODE;
  expr->op = hone_op_find(word, size);
  if (!expr->op) return hone_lexer_fail(&r->lexer, "there is no op '%s'", word);
  return read_node(r, expr);
}

/* "name = expression; …" */
static hone_status *read_side(reader *r, const char *text, hone_definition *out, int *count) {
  bool more = true;
  HONE_TRY(hone_lexer_start(&r->lexer, text, strlen(text), r->arena));
  while (more) {
    if (*count == HONE_RULE_PARTS) return hone_lexer_fail(&r->lexer, "too many definitions");
    hone_definition *definition = &out[(*count)++];
    HONE_TRY(read_name(r, &definition->name));
    HONE_TRY(hone_lexer_expect(&r->lexer, '='));
    HONE_TRY(read_expr(r, &definition->expr));
    HONE_TRY(hone_lexer_accept(&r->lexer, ';', &more));
  }
  if (r->lexer.token.kind == HONE_TOKEN_END) return NULL;
  return hone_lexer_fail(&r->lexer, "';' is wanted here");
}

static hone_status *read_guard(reader *r) {
  if (r->rule->guard_count == HONE_RULE_PARTS) return hone_lexer_fail(&r->lexer, "too many guards");
  hone_rule_guard *guard = &r->rule->guards[r->rule->guard_count++];
  guard->test = hone_guard_find(r->lexer.token.text);
  if (!guard->test)
    return hone_lexer_fail(&r->lexer, "there is no guard '%s'", r->lexer.token.text);
  HONE_TRY(hone_lexer_next(&r->lexer));
  HONE_TRY(hone_lexer_expect(&r->lexer, '('));
  while (!hone_lexer_is(&r->lexer, ')')) {
    if (guard->count) HONE_TRY(hone_lexer_expect(&r->lexer, ','));
    if (guard->count == HONE_RULE_ARGS) return hone_lexer_fail(&r->lexer, "too many arguments");
    guard->arguments[guard->count++] = r->lexer.token.text;
    HONE_TRY(hone_lexer_next(&r->lexer));
  }
  return hone_lexer_next(&r->lexer);
}

static hone_status *read_rule(const hone_rule_text *text, hone_arena *arena, hone_rule *rule) {
  reader r = {.rule = rule, .arena = arena};
  rule->name = text->name;
  HONE_TRY(read_side(&r, text->match, rule->match, &rule->match_count));
  if (rule->match[rule->match_count - 1].expr->kind != HONE_EXPR_NODE)
    return hone_lexer_fail(&r.lexer, "the root of a pattern is a node");
  HONE_TRY(read_side(&r, text->replace, rule->replace, &rule->replace_count));
  HONE_TRY(hone_lexer_start(&r.lexer, text->guards, strlen(text->guards), arena));
  while (r.lexer.token.kind != HONE_TOKEN_END) HONE_TRY(read_guard(&r));
  return NULL;
}

hone_status *hone_rules_read(const hone_rule_text *texts, size_t count, hone_arena *arena,
                             hone_rules **out) {
  *out = HONE_NEW(arena, hone_rules);
  HONE_TRY_MEMORY(*out);
  (*out)->rules = HONE_NEW_ARRAY(arena, count + 1, hone_rule);
  HONE_TRY_MEMORY((*out)->rules);
  (*out)->count = count;
  for (size_t i = 0; i < count; i++)
    HONE_TRY(hone_error_at(read_rule(&texts[i], arena, &(*out)->rules[i]), "rule %s",
                           texts[i].name));
  return NULL;
}
