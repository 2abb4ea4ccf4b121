/* The error bounds of docs/numerics.md, for C tests: the only place they take a tolerance from. A
 * bound is a row of a table of that page whose first cells are `subject` and `precision`, then a
 * number. */
#ifndef HONE_TESTS_NUMERICS_H
#define HONE_TESTS_NUMERICS_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The page as text. A test that can't read it can't judge anything, and ends. */
static inline const char *numerics_page(void) {
  static char page[1 << 16];
  if (page[0]) return page;
  FILE *file = fopen(HONE_NUMERICS, "rb");
  size_t size = file ? fread(page, 1, sizeof page - 1, file) : 0;
  if (file) fclose(file);
  if (size == 0 || size == sizeof page - 1) {
    fprintf(stderr, "%s: missing or too long\n", HONE_NUMERICS);
    abort();
  }
  return page;
}

/* The bound of `subject` at `precision`; ends the test where the page has no such row. */
static inline double bound(const char *subject, const char *precision) {
  char row[128];
  snprintf(row, sizeof row, "\n| `%s` | `%s` | ", subject, precision);
  const char *found = strstr(numerics_page(), row);
  double value = found ? strtod(found + strlen(row), NULL) : 0;
  if (!(value > 0)) {
    fprintf(stderr, "%s has no bound for %s, %s\n", HONE_NUMERICS, subject, precision);
    abort();
  }
  return value;
}

/* Whether one element is near another: the difference over the larger of 1 and what is wanted. */
static inline bool near_element(double got, double want, double limit) {
  if (isnan(want) || isnan(got)) return isnan(want) && isnan(got);
  return got == want || fabs(got - want) <= limit * fmax(1, fabs(want));
}

#endif
