/* Growing text, and quoting. Room: base. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static bool reserve(hone_text *text, size_t more) {
  size_t wanted;
  if (text->failed || !hone_add(text->size, more, &wanted) || !hone_add(wanted, 1, &wanted)) {
    text->failed = true;
    return false;
  }
  if (wanted <= text->room) return true;
  size_t room = text->room * 2 > wanted ? text->room * 2 : wanted + 64;
  char *data = hone_realloc(text->data, room);
  if (!data) {
    text->failed = true;
    return false;
  }
  text->data = data;
  text->room = room;
  return true;
}

void hone_text_add(hone_text *text, const char *data, size_t size) {
  if (!reserve(text, size)) return;
  if (size) memcpy(text->data + text->size, data, size);
  text->size += size;
  text->data[text->size] = 0;
}

void hone_text_puts(hone_text *text, const char *zero_terminated) {
  hone_text_add(text, zero_terminated, strlen(zero_terminated));
}

void hone_text_printf(hone_text *text, const char *format, ...) {
  va_list list, again;
  va_start(list, format);
  va_copy(again, list);
  int size = vsnprintf(NULL, 0, format, list);
  if (size >= 0 && reserve(text, (size_t)size)) {
    vsnprintf(text->data + text->size, (size_t)size + 1, format, again);
    text->size += (size_t)size;
  }
  va_end(again);
  va_end(list);
}

/* The escape of one byte into `out` (at most 7 bytes with the zero); its length. */
static int escape(unsigned char byte, char *out) {
  switch (byte) {
    case '"': return snprintf(out, 7, "\\\"");
    case '\\': return snprintf(out, 7, "\\\\");
    case '\n': return snprintf(out, 7, "\\n");
    case '\r': return snprintf(out, 7, "\\r");
    case '\t': return snprintf(out, 7, "\\t");
    default: break;
  }
  if (byte < 0x20 || byte == 0x7f) return snprintf(out, 7, "\\u%04x", byte);
  out[0] = (char)byte;
  out[1] = 0;
  return 1;
}

void hone_text_quote(hone_text *text, const char *data, size_t size) {
  hone_text_add(text, "\"", 1);
  for (size_t i = 0; i < size; i++) {
    char bytes[8];
    int count = escape((unsigned char)data[i], bytes);
    hone_text_add(text, bytes, (size_t)count);
  }
  hone_text_add(text, "\"", 1);
}

hone_status *hone_text_status(const hone_text *text) {
  return text->failed ? hone_error_memory() : NULL;
}

void hone_text_free(hone_text *text) {
  hone_free(text->data);
  *text = (hone_text){0};
}

/* The next character as it goes into a message: into `out` (at most 7 bytes with the zero); its
 * length. `used` of `data` it took. */
static size_t quote_next(const char *data, size_t size, char *out, size_t *used) {
  size_t count = hone_utf8_next(data, size);
  *used = count ? count : 1;
  if (!count) return (size_t)snprintf(out, 7, "\\x%02x", (unsigned char)*data);
  if (count == 1) return (size_t)escape((unsigned char)*data, out);
  memcpy(out, data, count);
  out[count] = 0;
  return count;
}

const char *hone_quoted(char *buffer, size_t room, const char *data, size_t size) {
  size_t at = 0, used;
  buffer[0] = 0;
  for (size_t i = 0; i < size; i += used) {
    char bytes[8];
    size_t count = quote_next(data + i, size - i, bytes, &used);
    if (at + count + 4 > room) {
      if (room >= 4 && at + 4 <= room) memcpy(buffer + at, "...", 4);
      break;
    }
    memcpy(buffer + at, bytes, count + 1);
    at += count;
  }
  return buffer;
}

bool hone_is_listed(const char *list, const char *name, size_t size) {
  while (list && *list) {
    size_t span = strcspn(list, ",");
    if (span == size && memcmp(list, name, size) == 0) return true;
    list += span + (list[span] == ',');
  }
  return false;
}
