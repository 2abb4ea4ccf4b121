/* The logger and the clock. Room: base. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <hone/hone.h>

static void log_to_stderr(void *argument, int severity, const char *message) {
  (void)argument;
  static const char *const names[] = {"error", "warning", "info", "verbose"};
  const char *text = getenv("HONE_LOG");
  int allowed = text && *text >= '0' && *text <= '3' ? *text - '0' : HONE_LOG_WARNING;
  if (severity <= allowed) fprintf(stderr, "hone: %s: %s\n", names[severity & 3], message);
}

/* Both are set before threads log, as the interface says; atomics only keep that benign. */
static _Atomic(hone_logger *) logger = log_to_stderr;
static _Atomic(void *) logger_argument;

void hone_set_logger(hone_logger *new_logger, void *argument) {
  atomic_store(&logger_argument, argument);
  atomic_store(&logger, new_logger ? new_logger : log_to_stderr);
}

void hone_log(hone_severity severity, const char *format, ...) {
  char text[1000];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  atomic_load(&logger)(atomic_load(&logger_argument), (int)severity, text);
}

uint64_t hone_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
