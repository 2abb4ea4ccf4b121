/* Writing protobuf: what a session's graph and a resource's handle are made of. */
#include "message.h"

#include <stdlib.h>
#include <string.h>

static void add(hone_message *m, const void *data, size_t size) {
  if (m->failed || size > SIZE_MAX / 4) {
    m->failed = true;
    return;
  }
  if (m->size + size > m->room) {
    size_t room = 2 * (m->size + size) + 64;
    char *grown = realloc(m->data, room);
    if (!grown) {
      m->failed = true;
      return;
    }
    m->data = grown;
    m->room = room;
  }
  if (size) memcpy(m->data + m->size, data, size);
  m->size += size;
}

void hone_add_varint(hone_message *m, uint64_t value) {
  unsigned char bytes[10];
  size_t count = 0;
  do {
    bytes[count] = (unsigned char)(value & 0x7f);
    value >>= 7;
    if (value) bytes[count] |= 0x80;
    count++;
  } while (value);
  add(m, bytes, count);
}

void hone_add_field(hone_message *m, unsigned number, const void *data, size_t size) {
  hone_add_varint(m, number << 3 | 2);
  hone_add_varint(m, size);
  add(m, data, size);
}

void hone_add_text(hone_message *m, unsigned number, const char *text) {
  hone_add_field(m, number, text, strlen(text));
}

void hone_add_message(hone_message *m, unsigned number, hone_message *inner) {
  hone_add_field(m, number, inner->data ? inner->data : "", inner->size);
  m->failed |= inner->failed;
  free(inner->data);
}
