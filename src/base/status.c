/* The status objects behind hone_error. Room: base. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

#define TEXT_MAX 1000

struct hone_status {
  hone_code code;
  char message[TEXT_MAX];
  char place[TEXT_MAX];
};

static hone_status out_of_memory = {HONE_OUT_OF_MEMORY, "not enough memory", ""};

/* Takes away a character that was cut in the middle, so that the text stays UTF-8. */
static void drop_half_character(char *text) {
  size_t size = strlen(text), back = 0;
  while (back < 3 && back < size && ((unsigned char)text[size - back - 1] & 0xc0) == 0x80) back++;
  if (back < size && !hone_utf8_next(text + size - back - 1, back + 1)) text[size - back - 1] = 0;
}

/* Names in parentheses: static analysis has macros of these names (status.h). */
hone_status *(hone_error_memory)(void) { return &out_of_memory; }

hone_status *(hone_error)(hone_code code, const char *format, ...) {
  hone_status *status = hone_alloc(sizeof *status);
  if (!status) return &out_of_memory;
  status->code = code;
  status->place[0] = 0;
  va_list list;
  va_start(list, format);
  int size = vsnprintf(status->message, sizeof status->message, format, list);
  va_end(list);
  if (size >= TEXT_MAX) drop_half_character(status->message);
  return status;
}

hone_status *hone_status_new(hone_code code, const char *message) {
  return hone_error(code == HONE_OK ? HONE_INTERNAL : code, "%s", message ? message : "");
}

hone_status *(hone_error_at)(hone_status *status, const char *format, ...) {
  if (!status || status == &out_of_memory) return status;
  char inner[TEXT_MAX];
  memcpy(inner, status->place, sizeof inner);
  va_list list;
  va_start(list, format);
  int size = vsnprintf(status->place, sizeof status->place, format, list);
  va_end(list);
  if (size < 0) size = 0;
  if (inner[0] && (size_t)size < sizeof status->place)
    size += snprintf(status->place + size, sizeof status->place - (size_t)size, ", %s", inner);
  if (size >= TEXT_MAX) drop_half_character(status->place);
  return status;
}

hone_code hone_status_code(const hone_status *status) { return status ? status->code : HONE_OK; }
const char *hone_status_message(const hone_status *status) {
  return status ? status->message : "";
}
const char *hone_status_place(const hone_status *status) { return status ? status->place : ""; }

void hone_status_free(hone_status *status) {
  if (status != &out_of_memory) hone_free(status);
}

const char *hone_code_name(hone_code code) {
  static const char *const names[] = {
      "ok",       "invalid argument", "invalid model", "unsupported", "out of memory",
      "limit",    "input/output",     "not found",     "mismatch",    "corrupt",
      "cancelled", "device",          "internal"};
  return (size_t)code < sizeof names / sizeof *names ? names[code] : "unknown";
}
