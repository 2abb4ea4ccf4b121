/* Unpacking Snappy: literals and copies of what was written already. Room: import. */
#include "import/tensorflow/snappy.h"

#include <stdint.h>
#include <string.h>

/* The varint that a block begins with; the bytes it takes, 0 when it is broken. */
static size_t read_size(const unsigned char *data, size_t size, size_t *out) {
  uint64_t value = 0;
  for (size_t i = 0; i < size && i < 5; i++) {
    value |= (uint64_t)(data[i] & 0x7f) << (7 * i);
    if (data[i] < 0x80) {
      *out = (size_t)value;
      return value <= UINT32_MAX ? i + 1 : 0;
    }
  }
  return 0;
}

bool tf_snappy_size(const unsigned char *data, size_t size, size_t *out) {
  return read_size(data, size, out) != 0;
}

/* `count` little-endian bytes; false past the end. */
static bool read_bytes(const unsigned char **at, const unsigned char *end, int count,
                       size_t *out) {
  if (end - *at < count) return false;
  *out = 0;
  for (int i = 0; i < count; i++) *out |= (size_t)*(*at)++ << (8 * i);
  return true;
}

/* A literal's length stands in its tag, or in one to four bytes behind it. */
static bool literal_size(unsigned tag, const unsigned char **at, const unsigned char *end,
                         size_t *out) {
  *out = tag >> 2;
  if (*out >= 60 && !read_bytes(at, end, (int)*out - 59, out)) return false;
  ++*out;
  return true;
}

static bool copy_place(unsigned tag, const unsigned char **at, const unsigned char *end,
                       size_t *length, size_t *offset) {
  size_t low;
  switch (tag & 3) {
    case 1:
      if (!read_bytes(at, end, 1, &low)) return false;
      *length = 4 + (tag >> 2 & 7);
      *offset = (size_t)(tag >> 5) << 8 | low;
      return true;
    case 2:
      *length = 1 + (tag >> 2);
      return read_bytes(at, end, 2, offset);
    default:
      *length = 1 + (tag >> 2);
      return read_bytes(at, end, 4, offset);
  }
}

bool tf_snappy_unpack(const unsigned char *data, size_t size, unsigned char *out, size_t room) {
  size_t wanted, used = read_size(data, size, &wanted), done = 0, length, offset;
  if (!used || wanted != room) return false;
  const unsigned char *at = data + used, *end = data + size;
  while (at < end) {
    unsigned tag = *at++;
    if ((tag & 3) == 0) {
      if (!literal_size(tag, &at, end, &length) || length > (size_t)(end - at) ||
          length > room - done)
        return false;
      memcpy(out + done, at, length);
      at += length;
      done += length;
      continue;
    }
    if (!copy_place(tag, &at, end, &length, &offset) || offset == 0 || offset > done ||
        length > room - done)
      return false;
    for (size_t i = 0; i < length; i++, done++) out[done] = out[done - offset]; /* may overlap */
  }
  return done == room;
}
