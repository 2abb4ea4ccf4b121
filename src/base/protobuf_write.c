/* Writing protobuf's wire format. Room: base. */
#include "base/protobuf_write.h"

#include <string.h>

/* Bytes of the length of what is written in place: zeros at first, with the continuation bits of a
 * varint in the end. */
#define LENGTH_BYTES 5

void hone_proto_put_varint(hone_text *out, uint64_t value) {
  char bytes[10];
  size_t size = 0;
  do {
    bytes[size] = (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    size++;
    value >>= 7;
  } while (value);
  hone_text_add(out, bytes, size);
}

void hone_proto_put_tag(hone_text *out, uint32_t number, hone_proto_kind kind) {
  hone_proto_put_varint(out, (uint64_t)number << 3 | kind);
}

void hone_proto_put_number(hone_text *out, uint32_t number, uint64_t value) {
  hone_proto_put_tag(out, number, HONE_PROTO_VARINT);
  hone_proto_put_varint(out, value);
}

void hone_proto_put_bytes(hone_text *out, uint32_t number, hone_bytes bytes) {
  hone_proto_put_tag(out, number, HONE_PROTO_BYTES);
  hone_proto_put_varint(out, bytes.size);
  if (bytes.size) hone_text_add(out, bytes.data, bytes.size);
}

void hone_proto_put_text(hone_text *out, uint32_t number, const char *text) {
  hone_proto_put_bytes(out, number, (hone_bytes){text, strlen(text)});
}

size_t hone_proto_begin(hone_text *out, uint32_t number) {
  static const char zeros[LENGTH_BYTES];
  hone_proto_put_tag(out, number, HONE_PROTO_BYTES);
  hone_text_add(out, zeros, LENGTH_BYTES);
  return out->size;
}

void hone_proto_end(hone_text *out, size_t begin) {
  if (out->failed) return;
  uint64_t size = out->size - begin;
  if (size >> 7 * LENGTH_BYTES) {
    out->failed = true;
    return;
  }
  for (int i = 0; i < LENGTH_BYTES; i++, size >>= 7)
    out->data[begin - LENGTH_BYTES + (size_t)i] =
        (char)((size & 0x7f) | (i < LENGTH_BYTES - 1 ? 0x80 : 0));
}
