/* Growing text, and quoting of what came from a file. Room: base. */
#ifndef HONE_BASE_TEXT_H
#define HONE_BASE_TEXT_H

#include "base/memory.h"
#include "base/status.h"

/* Text under construction. Zero-initialised is empty. A failed allocation is remembered and
 * reported by hone_text_status, so that a printer needs one check, at its end. */
typedef struct hone_text {
  char *data; /* zero-terminated once anything was added; else NULL */
  size_t size, room;
  bool failed;
} hone_text;

void hone_text_add(hone_text *text, const char *data, size_t size);
void hone_text_puts(hone_text *text, const char *zero_terminated);
void hone_text_printf(hone_text *text, const char *format, ...) HONE_PRINTF(2, 3);
/* Adds `data` between double quotes; quotes, backslashes and control bytes escaped as in JSON
 * (bytes from 0x80 on stay as they are). */
void hone_text_quote(hone_text *text, const char *data, size_t size);
HONE_MUST_USE hone_status *hone_text_status(const hone_text *text);
void hone_text_free(hone_text *text);

/* Writes at most `room` - 1 bytes of `data` with control bytes, quotes and backslashes escaped, bytes
 * that are no UTF-8 as \xNN, and "..." at the end where it was cut, never within a character;
 * returns `buffer`. For names in messages. */
const char *hone_quoted(char *buffer, size_t room, const char *data, size_t size);

/* Whether a list of names with commas between them, NULL or empty included, has this one. */
bool hone_is_listed(const char *list, const char *name, size_t size);

#endif
