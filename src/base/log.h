/* Log lines and the clock. Room: base. */
#ifndef HONE_BASE_LOG_H
#define HONE_BASE_LOG_H

#include <stdint.h>

#include "base/status.h"

typedef enum hone_severity {
  HONE_LOG_ERROR,
  HONE_LOG_WARNING,
  HONE_LOG_INFO,
  HONE_LOG_VERBOSE
} hone_severity;

/* One line, without a newline, to the process's logger. */
void hone_log(hone_severity severity, const char *format, ...) HONE_PRINTF(2, 3);

/* Nanoseconds of a clock that only goes forward. */
uint64_t hone_now(void);

#endif
