/* Making and passing on a status. Room: base. */
#ifndef HONE_BASE_STATUS_H
#define HONE_BASE_STATUS_H

#include <hone/status.h>

#define HONE_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#define HONE_MUST_USE __attribute__((warn_unused_result))

/* A new status; the text is cut at 1,000 bytes. Never NULL: without memory it is the static
 * out-of-memory status. Text that came from a file goes in through hone_quoted (text.h). */
HONE_MUST_USE hone_status *hone_error(hone_code code, const char *format, ...) HONE_PRINTF(2, 3)
    __attribute__((returns_nonnull));

/* Adds an outer place ("node 'conv1'", "initializer 'w'") in front of those it has; returns
 * `status`. NULL stays NULL. */
HONE_MUST_USE hone_status *hone_error_at(hone_status *status, const char *format, ...)
    HONE_PRINTF(2, 3);

/* The static status of a failed allocation. */
HONE_MUST_USE hone_status *hone_error_memory(void) __attribute__((returns_nonnull));

/* Static analysis up to clang 14 does not believe returns_nonnull, and so would follow every failure on
 * as if it were a success: it gets the facts as expressions. */
#ifdef __clang_analyzer__
extern hone_status hone_some_failure;
#define HONE_SURELY_FAILS(call) ((void)(call), &hone_some_failure)
#define hone_error(...) HONE_SURELY_FAILS((hone_error)(__VA_ARGS__))
#define hone_error_memory() HONE_SURELY_FAILS((hone_error_memory)())
#define hone_error_at(status, ...) ((void)(0, __VA_ARGS__), (status))
#endif

/* Leaves the function with the status of `call` if that failed. */
#define HONE_TRY(call)                                                                             \
  do {                                                                                             \
    hone_status *hone_try_status_ = (call);                                                        \
    if (__builtin_expect(hone_try_status_ != NULL, 0)) return hone_try_status_;                    \
  } while (0)

/* Leaves the function with the out-of-memory status if `pointer` is NULL. */
#define HONE_TRY_MEMORY(pointer)                                                                   \
  do {                                                                                             \
    if (__builtin_expect((pointer) == NULL, 0)) return hone_error_memory();                        \
  } while (0)

#endif
