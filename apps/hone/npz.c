/* NumPy's .npz files: zip files whose members are .npy files, stored or deflated. Read through
 * their central directory. Format: PKWARE's APPNOTE.TXT 6.3, sections 4.3 and 4.5.3 (Zip64). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tensors.h"

#define END_SIZE   22
#define ENTRY_SIZE 46
#define LOCAL_SIZE 30

/* A deflated member may unpack to this much, or to so many times what it takes in the file: deflate
 * can make 1032 bytes of one, and a small file shall not take the machine's memory. */
#define MOST_UNPACKED ((uint64_t)64 << 20)
#define MOST_GROWTH   8

typedef struct member {
  const unsigned char *name;
  size_t name_size;
  unsigned method;
  uint64_t packed, size, local; /* bytes in the file, bytes of the .npy, where its header is */
} member;

static uint64_t number(const unsigned char *at, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++) value |= (uint64_t)at[i] << (8 * i);
  return value;
}

bool is_npz(const file_bytes *file) {
  return file->size >= END_SIZE && memcmp(file->data, "PK\x03\x04", 4) == 0;
}

/* The end record, looked for from the end: a comment of up to 64 KiB may follow it. */
static const unsigned char *find_end(const file_bytes *file) {
  for (size_t back = END_SIZE; back <= file->size && back < END_SIZE + 65536; back++)
    if (memcmp(file->data + file->size - back, "PK\x05\x06", 4) == 0)
      return file->data + file->size - back;
  return NULL;
}

/* Sizes that do not fit 32 bits stand in the extra field of id 1, in this order. */
static void read_zip64(const unsigned char *extra, size_t size, member *out) {
  while (size >= 4) {
    size_t id = number(extra, 2), length = number(extra + 2, 2);
    if (length > size - 4) return;
    const unsigned char *at = extra + 4, *end = at + length;
    uint64_t *fields[] = {&out->size, &out->packed, &out->local};
    for (int i = 0; id == 1 && i < 3; i++) {
      if (*fields[i] != UINT32_MAX || end - at < 8) continue;
      *fields[i] = number(at, 8);
      at += 8;
    }
    extra = end;
    size -= 4 + length;
  }
}

/* The entry at `*offset` of the directory, which moves to the next one. */
static bool read_entry(const file_bytes *file, uint64_t *offset, member *out) {
  if (*offset > file->size || file->size - *offset < ENTRY_SIZE) return false;
  const unsigned char *at = file->data + *offset;
  size_t name = number(at + 28, 2), extra = number(at + 30, 2), comment = number(at + 32, 2);
  if (memcmp(at, "PK\x01\x02", 4) != 0 ||
      name + extra + comment > file->size - *offset - ENTRY_SIZE)
    return false;
  *out = (member){.name = at + ENTRY_SIZE,
                  .name_size = name,
                  .method = (unsigned)number(at + 10, 2),
                  .packed = number(at + 20, 4),
                  .size = number(at + 24, 4),
                  .local = number(at + 42, 4)};
  read_zip64(at + ENTRY_SIZE + name, extra, out);
  *offset += ENTRY_SIZE + name + extra + comment;
  return true;
}

/* The member for `name`, with or without ".npy"; NULL: the only member. */
static bool find_member(const file_bytes *file, const char *name, member *out) {
  const unsigned char *end = find_end(file);
  if (!end) return false;
  uint64_t count = number(end + 10, 2), offset = number(end + 16, 4);
  if (!name && count != 1) return false;
  size_t size = name ? strlen(name) : 0;
  for (uint64_t i = 0; i < count && read_entry(file, &offset, out); i++) {
    size_t bare = out->name_size;
    if (bare > 4 && memcmp(out->name + bare - 4, ".npy", 4) == 0) bare -= 4;
    if (!name || (bare == size && memcmp(out->name, name, size) == 0)) return true;
  }
  return false;
}

bool npz_has(const file_bytes *file, const char *name) {
  member m;
  return find_member(file, name, &m);
}

/* The first `size` bytes of a member; all of it when that is its size. */
static bool inflate_member(const unsigned char *from, const member *m, unsigned char *to,
                           size_t size) {
  z_stream stream = {.next_in = (Bytef *)(uintptr_t)from,
                     .avail_in = (uInt)m->packed,
                     .next_out = to,
                     .avail_out = (uInt)size};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
  int code = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  return stream.total_out == size && (code == Z_STREAM_END || size < m->size);
}

static bool unpack(const char *path, const unsigned char *from, const member *m, hone_tensor *out) {
  if (m->method == 0 && m->packed == m->size) return parse_npy(path, from, m->size, out);
  if (m->method != 8) return complain(path, "a member is neither stored nor deflated");
  if (m->size > MOST_UNPACKED && m->size / MOST_GROWTH > m->packed)
    return complain(path, "a member unpacks to more than 64 MiB and 8 times what it takes in the "
                          "file: save it without compression (numpy.savez)");
  if (m->size > UINT32_MAX || m->packed > UINT32_MAX)
    return complain(path, "a deflated member is larger than 4 GiB: save it without compression");
  unsigned char magic[6];
  if (m->size < sizeof magic || !inflate_member(from, m, magic, sizeof magic) ||
      memcmp(magic, "\x93NUMPY", sizeof magic) != 0)
    return complain(path, "a member is damaged or no .npy file");
  unsigned char *bytes = malloc(m->size + 1);
  if (!bytes) return complain(path, "there is no memory for it");
  bool good = inflate_member(from, m, bytes, m->size) ? parse_npy(path, bytes, m->size, out)
                                                      : complain(path, "a member is damaged");
  free(bytes);
  return good;
}

bool read_npz(const char *path, const file_bytes *file, const char *name, hone_tensor *out) {
  member m;
  if (!find_member(file, name, &m)) {
    fprintf(stderr, "hone: '%s' has no array '%s'\n", path, name ? name : "alone");
    return false;
  }
  if (m.local > file->size || file->size - m.local < LOCAL_SIZE)
    return complain(path, "its directory is damaged");
  const unsigned char *local = file->data + m.local;
  uint64_t begin = m.local + LOCAL_SIZE + number(local + 26, 2) + number(local + 28, 2);
  if (begin > file->size || m.packed > file->size - begin) return complain(path, "it is cut");
  return unpack(path, file->data + begin, &m, out);
}
