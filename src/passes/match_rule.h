/* A rule after reading: what match.c walks and match_read.c makes. Room: passes. */
#ifndef HONE_PASSES_MATCH_RULE_H
#define HONE_PASSES_MATCH_RULE_H

#include "passes/match.h"

enum {
  HONE_RULE_NAMES = 24,  /* names in one rule */
  HONE_RULE_ARGS = 6,    /* inputs of one op, attributes of one op, arguments of one guard */
  HONE_RULE_NODES = 48,  /* nodes of one match */
  HONE_RULE_PARTS = 16,  /* definitions of one side, guards of one rule */
  HONE_RULE_FACTORS = 4  /* factors of one number */
};

typedef enum hone_expr_kind {
  HONE_EXPR_NODE,
  HONE_EXPR_VALUE,    /* x */
  HONE_EXPR_CONSTANT, /* @c */
  HONE_EXPR_NAMED,    /* $n */
  HONE_EXPR_NUMBER,   /* 2.5, ~1.41 */
  HONE_EXPR_INTS      /* [0, 1] */
} hone_expr_kind;

/* number * factors, each divided by instead where `divides`; names are of captured numbers. */
typedef struct hone_rule_number {
  double number;
  int count;
  int factor[HONE_RULE_FACTORS];
  bool divides[HONE_RULE_FACTORS];
} hone_rule_number;

typedef struct hone_rule_attr {
  const hone_attr_def *def;
  const char *word;            /* a CHOICE, FLAG or DTYPE; NULL: a number or list */
  hone_rule_number number;
  int64_t list[HONE_MAX_RANK]; /* of INTS */
  size_t list_count;
} hone_rule_attr;

typedef struct hone_expr {
  hone_expr_kind kind;
  int name;               /* of VALUE, CONSTANT, NAMED */
  double number, within;  /* of NUMBER; `within` is relative */
  int64_t ints[HONE_MAX_RANK]; /* of INTS */
  size_t int_count;
  const hone_op *op;
  struct hone_expr *args[HONE_RULE_ARGS];
  hone_rule_attr attrs[HONE_RULE_ARGS];
  int arg_count, attr_count;
} hone_expr;

typedef struct hone_definition {
  int name;
  hone_expr *expr;
} hone_definition;

typedef struct hone_rule_guard {
  hone_guard *test;
  const char *arguments[HONE_RULE_ARGS];
  int count;
} hone_rule_guard;

typedef struct hone_rule {
  const char *name; /* of the rule */
  const char *names[HONE_RULE_NAMES];
  int name_count;
  hone_definition match[HONE_RULE_PARTS], replace[HONE_RULE_PARTS];
  int match_count, replace_count;
  hone_rule_guard guards[HONE_RULE_PARTS];
  int guard_count;
} hone_rule;

struct hone_rules {
  hone_rule *rules;
  size_t count;
};

/* The place of `name` in the rule's names; -1 if it is not there. */
int hone_rule_name(const hone_rule *rule, const char *name);

#endif
