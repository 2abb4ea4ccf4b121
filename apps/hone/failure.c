/* How a command that failed says so, and the exit code that stands for it. */
#include <stdio.h>

#include "command.h"

int report_failure(hone_status *status) {
  hone_code code = hone_status_code(status);
  const char *place = hone_status_place(status);
  fprintf(stderr, "hone: %s: %s%s%s\n", hone_code_name(code), place, *place ? ": " : "",
          hone_status_message(status));
  hone_status_free(status);
  switch (code) {
    case HONE_INVALID_ARGUMENT:
      return EXIT_WRONG_USE;
    case HONE_UNSUPPORTED:
    case HONE_CANCELLED:
    case HONE_LIMIT:
    case HONE_OUT_OF_MEMORY:
      return EXIT_CANNOT_BUILD;
    case HONE_DEVICE:
      return EXIT_DEVICE;
    default:
      return EXIT_REFUSED;
  }
}
