/* Writes protobuf from its end to its beginning, so that a message's length is known when its
 * header is written and nesting costs nothing. */
#ifndef HONE_TESTS_PROTO_WRITER_H
#define HONE_TESTS_PROTO_WRITER_H

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <hone/types.h>

typedef struct writer {
  unsigned char *data;
  size_t room, at; /* what is written is data[at..room) */
} writer;

static inline writer writer_new(size_t room) {
  writer w = {malloc(room), room, room};
  assert(w.data);
  return w;
}

static inline hone_bytes written(const writer *w) {
  return (hone_bytes){w->data + w->at, w->room - w->at};
}

static inline void put_raw(writer *w, const void *bytes, size_t size) {
  assert(size <= w->at);
  w->at -= size;
  if (size) memcpy(w->data + w->at, bytes, size);
}

static inline void put_varint(writer *w, uint64_t value) {
  unsigned char bytes[10];
  size_t size = 0;
  do {
    bytes[size] = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    size++;
    value >>= 7;
  } while (value);
  put_raw(w, bytes, size);
}

static inline void put_int(writer *w, unsigned field, int64_t value) {
  put_varint(w, (uint64_t)value);
  put_varint(w, field << 3);
}

static inline void put_bytes(writer *w, unsigned field, const void *bytes, size_t size) {
  put_raw(w, bytes, size);
  put_varint(w, size);
  put_varint(w, field << 3 | 2);
}

static inline void put_text(writer *w, unsigned field, const char *text) {
  put_bytes(w, field, text, strlen(text));
}

/* A message: mark its end, write its fields last to first, then its header. */
static inline size_t end_mark(const writer *w) {
  return w->at;
}
static inline void put_header(writer *w, unsigned field, size_t end) {
  put_varint(w, end - w->at);
  put_varint(w, field << 3 | 2);
}

#endif
