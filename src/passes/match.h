/* Rewrite rules: two small graphs in text, one to find, one to put in its place. Room: passes.
 *
 * A side is one or more definitions, "name = expression", separated by ';'. The last one of the
 * pattern is the root: what the node under test must match; earlier ones name parts that occur more
 * than once. An expression is
 *
 *   op(expression, …) {attribute=value, …}   a node of that op; inputs not listed must be absent
 *   x                the value of this name: any at first, the same one from then on
 *   @c               the same for a constant
 *   $n               a constant whose elements are all equal; the number is called n
 *   2.5              such a constant with this value, within 1e-6 of it, relatively
 *   ~1.41421         the same within 1e-3: what exporters write of an irrational number
 *   [0, 1]           a constant vector of these integers
 *
 * The first two inputs of a commutative op match in either order. Attributes that are not listed may
 * hold anything; a value is a word or a number, or $n, which takes the attribute's number.
 *
 * Nothing inside a match may be used from outside it, but for its inputs and its root. Then the
 * guards, names of functions in guards.c with arguments in parentheses, must agree.
 *
 * In the replacement an expression makes a node; a number makes a scalar constant of the root's
 * type; attributes take words, numbers, $n, products and quotients of those ("1/$n*2"). Its last
 * definition takes the root's place. */
#ifndef HONE_PASSES_MATCH_H
#define HONE_PASSES_MATCH_H

#include "passes/rewrite.h"

typedef struct hone_rule_text {
  const char *name, *match, *replace, *guards;
} hone_rule_text;

typedef struct hone_rules hone_rules;

/* Reads rules; an error names the rule. They live in `arena`. */
HONE_MUST_USE hone_status *hone_rules_read(const hone_rule_text *texts, size_t count,
                                           hone_arena *arena, hone_rules **out);
/* Applies the first rule that matches at `node`; says so in `*fired`. */
HONE_MUST_USE hone_status *hone_rules_apply(const hone_rules *rules, hone_node *node,
                                            hone_pass_context *context, bool *fired);

/* A match, as guards see it. */
typedef struct hone_match hone_match;
const hone_value *hone_match_value(const hone_match *match, const char *name);
double hone_match_number(const hone_match *match, const char *name);
const hone_value *hone_match_root(const hone_match *match);
typedef bool hone_guard(const hone_match *match, const char *const *arguments, int count);
hone_guard *hone_guard_find(const char *name);

#endif
