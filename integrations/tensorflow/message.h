/* Protobuf messages under construction, in the wire format. */
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

void hone_add_varint(hone_message *m, uint64_t value);
void hone_add_field(hone_message *m, unsigned number, const void *data, size_t size);
void hone_add_text(hone_message *m, unsigned number, const char *text);
/* Adds `inner` as a field and frees it. */
void hone_add_message(hone_message *m, unsigned number, hone_message *inner);

#endif
