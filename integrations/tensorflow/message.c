/* Writing and reading protobuf: what graphs, sessions and a resource's handle are made of. */
#include "message.h"

#include <stdlib.h>
#include <string.h>

void hone_add_raw(hone_message *m, const void *data, size_t size) {
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
  hone_add_raw(m, bytes, count);
}

void hone_add_field(hone_message *m, unsigned number, const void *data, size_t size) {
  hone_add_varint(m, number << 3 | 2);
  hone_add_varint(m, size);
  hone_add_raw(m, data, size);
}

void hone_add_text(hone_message *m, unsigned number, const char *text) {
  hone_add_field(m, number, text, strlen(text));
}

void hone_add_message(hone_message *m, unsigned number, hone_message *inner) {
  hone_add_field(m, number, inner->data ? inner->data : "", inner->size);
  m->failed |= inner->failed;
  free(inner->data);
}

static bool read_varint(const char **at, const char *end, uint64_t *out) {
  *out = 0;
  for (int shift = 0; shift < 64 && *at < end; shift += 7) {
    unsigned char byte = (unsigned char)*(*at)++;
    *out |= (uint64_t)(byte & 127) << shift;
    if (!(byte & 128)) return true;
  }
  return false;
}

bool hone_read_field(const char **at, const char *end, hone_wire_field *out) {
  uint64_t key, size = 0;
  if (*at >= end || !read_varint(at, end, &key) || key >> 3 == 0 || key >> 3 > INT32_MAX)
    return false;
  *out = (hone_wire_field){.number = (unsigned)(key >> 3)};
  switch (key & 7) {
    case 0: return read_varint(at, end, &out->value);
    case 1: size = 8; break;
    case 5: size = 4; break;
    case 2:
      if (!read_varint(at, end, &size)) return false;
      out->bytes = *at;
      break;
    default: return false;
  }
  if (size > (uint64_t)(end - *at)) return false;
  out->size = (size_t)size;
  *at += size;
  return true;
}
