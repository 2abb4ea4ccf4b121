/* The questions that rewrite rules ask before they fire. Arguments are names of the rule, or
 * numbers. Room: passes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "passes/match.h"

/* rank(x, 4) */
static bool has_rank(const hone_match *match, const char *const *arguments, int count) {
  const hone_value *value = hone_match_value(match, arguments[0]);
  return count == 2 && value && value->type.shape.rank == atoi(arguments[1]);
}

/* last(a, x): the number a is an axis, the last one of x */
static bool is_last(const hone_match *match, const char *const *arguments, int count) {
  double axis = hone_match_number(match, arguments[0]);
  const hone_value *value = count == 2 ? hone_match_value(match, arguments[1]) : NULL;
  if (!value || value->type.shape.rank < 1) return false;
  return axis == -1 || axis == value->type.shape.rank - 1;
}

/* channels(w, x): w has one element for each place of x's last axis, and broadcasts along it */
static bool is_channels(const hone_match *match, const char *const *arguments, int count) {
  const hone_value *w = hone_match_value(match, arguments[0]);
  const hone_value *x = count == 2 ? hone_match_value(match, arguments[1]) : NULL;
  if (!w || !x || w->type.shape.rank != 1 || x->type.shape.rank < 1) return false;
  return w->type.dtype == x->type.dtype && hone_dim_known(w->type.shape.dim[0]) &&
         w->type.shape.dim[0] == x->type.shape.dim[x->type.shape.rank - 1];
}

/* low(n): so negative that its exponential vanishes beside any other score's */
static bool is_low(const hone_match *match, const char *const *arguments, int count) {
  return count == 1 && hone_match_number(match, arguments[0]) <= -1e4;
}

/* float(x): its elements are floats */
static bool is_of_floats(const hone_match *match, const char *const *arguments, int count) {
  const hone_value *x = count == 1 ? hone_match_value(match, arguments[0]) : NULL;
  return x && hone_is_float(x);
}

/* positive(n) */
static bool is_positive(const hone_match *match, const char *const *arguments, int count) {
  return count == 1 && hone_match_number(match, arguments[0]) > 0;
}

/* nonzero(n) */
static bool is_nonzero(const hone_match *match, const char *const *arguments, int count) {
  return count == 1 && hone_match_number(match, arguments[0]) != 0;
}

/* same(x): the root has x's type */
static bool is_same(const hone_match *match, const char *const *arguments, int count) {
  const hone_value *x = count == 1 ? hone_match_value(match, arguments[0]) : NULL;
  return x && hone_same_type(x, hone_match_root(match));
}

/* number(n, 3): within a thousandth */
static bool is_number(const hone_match *match, const char *const *arguments, int count) {
  double value = hone_match_number(match, arguments[0]);
  double wanted = count == 2 ? strtod(arguments[1], NULL) : NAN;
  return fabs(value - wanted) <= 1e-3 * fabs(wanted);
}

hone_guard *hone_guard_find(const char *name) {
  static const struct { const char *name; hone_guard *test; } guards[] = {
      {"rank", has_rank}, {"last", is_last}, {"channels", is_channels},
      {"low", is_low},    {"same", is_same}, {"number", is_number},
      {"positive", is_positive}, {"float", is_of_floats}, {"nonzero", is_nonzero}};
  for (size_t i = 0; i < sizeof guards / sizeof *guards; i++)
    if (strcmp(guards[i].name, name) == 0) return guards[i].test;
  return NULL;
}
