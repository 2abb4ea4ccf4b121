/* Protobuf's wire format: messages under construction, and read field by field. */
#ifndef HONE_TENSORFLOW_MESSAGE_H
#define HONE_TENSORFLOW_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Begins as {0}; `data` is freed by whoever made it. `failed` once memory ran out. */
typedef struct hone_message {
  char *data;
  size_t size, room;
  bool failed;
} hone_message;

/* Bytes as they are. */
void hone_add_raw(hone_message *m, const void *data, size_t size);
void hone_add_varint(hone_message *m, uint64_t value);
void hone_add_field(hone_message *m, unsigned number, const void *data, size_t size);
void hone_add_text(hone_message *m, unsigned number, const char *text);
/* Adds `inner` as a field and frees it. */
void hone_add_message(hone_message *m, unsigned number, hone_message *inner);

/* A field read in place. `bytes` of a message, a text or packed numbers; else NULL, and `value` is
 * what a varint says. */
typedef struct hone_wire_field {
  unsigned number;
  const char *bytes;
  size_t size;
  uint64_t value;
} hone_wire_field;

/* Reads the field at *at and steps over it; false at `end`, and where the rest is no message. */
bool hone_read_field(const char **at, const char *end, hone_wire_field *out);

#endif
