/* The C tests' harness: CHECK counts and prints, a test program is a list of functions.
 *
 *   TEST(adds) { CHECK(1 + 1 == 2); }
 *   int main(void) { RUN(adds); return check_report(); }
 */
#ifndef HONE_TESTS_CHECK_H
#define HONE_TESTS_CHECK_H

#include <stdio.h>
#include <string.h>

#include <hone/status.h>

static int check_passed, check_failed;

#define TEST(name) static void test_##name(void)

#define RUN(name)                            \
  do {                                       \
    int failed_before_ = check_failed;       \
    test_##name();                           \
    if (check_failed == failed_before_)      \
      check_passed++;                        \
    else                                     \
      fprintf(stderr, "FAILED %s\n", #name); \
  } while (0)

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      check_failed++;                                                         \
    }                                                                         \
  } while (0)

/* The call succeeds; a failure is printed and freed. */
#define CHECK_OK(call)                                                                   \
  do {                                                                                   \
    hone_status *status_ = (call);                                                       \
    if (status_) {                                                                       \
      fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, hone_status_place(status_), \
              hone_status_message(status_));                                             \
      check_failed++;                                                                    \
      hone_status_free(status_);                                                         \
    }                                                                                    \
  } while (0)

/* The call fails with `code` and a message that contains `text`. */
#define CHECK_ERROR(call, code, text)                                                           \
  do {                                                                                          \
    hone_status *status_ = (call);                                                              \
    if (hone_status_code(status_) != (code) || !strstr(hone_status_message(status_), (text))) { \
      fprintf(stderr, "%s:%d: wanted %s '%s', got %s: %s\n", __FILE__, __LINE__,                \
              hone_code_name(code), (text), hone_code_name(hone_status_code(status_)),          \
              hone_status_message(status_));                                                    \
      check_failed++;                                                                           \
    }                                                                                           \
    hone_status_free(status_);                                                                  \
  } while (0)

static inline int check_report(void) {
  printf("%d passed, %d failed\n", check_passed, check_failed);
  return check_failed != 0;
}

#endif
