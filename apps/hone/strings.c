/* Tensors of strings: from text files and from NumPy's fixed-width ones. */
#include <stdlib.h>
#include <string.h>

#include "tensors.h"

/* One block: the elements, then `bytes` for their characters. */
static char *allocate_strings(const char *path, hone_tensor *tensor, size_t bytes) {
  size_t count = tensor_count(tensor), size;
  tensor->dtype = HONE_STR;
  if (__builtin_mul_overflow(count, sizeof(hone_string), &tensor->size) ||
      __builtin_add_overflow(tensor->size, bytes + 1, &size) || !(tensor->data = malloc(size))) {
    complain(path, "there is no memory for it");
    return NULL;
  }
  return (char *)tensor->data + tensor->size;
}

/* UTF-8 of a code point, at most 4 bytes; 0 for none. */
static size_t put_utf8(uint32_t code, char *out) {
  static const unsigned char heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
  size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : code < 0x110000 ? 4 : 0;
  for (size_t i = size; i > 1; i--, code >>= 6) out[i - 1] = (char)(0x80 | (code & 0x3f));
  if (size) out[0] = (char)(heads[size] | code);
  return size;
}

/* The code point at `*at`, which moves behind it; UINT32_MAX where it is none. */
static uint32_t take_utf8(const char **at, const char *end) {
  unsigned char head = (unsigned char)*(*at)++;
  int more = head < 0x80 ? 0 : head >> 5 == 6 ? 1 : head >> 4 == 14 ? 2 : head >> 3 == 30 ? 3 : -1;
  if (more < 0 || end - *at < more) return UINT32_MAX;
  uint32_t code = more ? head & (0x3fu >> more) : head;
  for (; more > 0; more--, (*at)++) {
    if (((unsigned char)**at & 0xc0) != 0x80) return UINT32_MAX;
    code = code << 6 | ((unsigned char)**at & 0x3f);
  }
  return code;
}

/* ---- NumPy ------------------------------------------------------------------------------------
 */

/* An element without the zeros that fill it up; the size of its UTF-8. */
static size_t unpack(const unsigned char *from, size_t width, bool wide, char *to) {
  if (!wide) {
    while (width && !from[width - 1]) width--;
    memcpy(to, from, width);
    return width;
  }
  size_t size = 0;
  for (size_t i = 0; i < width; i++) {
    uint32_t code;
    memcpy(&code, from + 4 * i, sizeof code);
    if (!code) break;
    size += put_utf8(code, to + size);
  }
  return size;
}

bool unpack_strings(const char *path, const unsigned char *from, size_t width, bool wide,
                    hone_tensor *out) {
  size_t count = tensor_count(out), bytes = wide ? width * 4 : width;
  char *at = allocate_strings(path, out, count * bytes);
  if (!at) return false;
  hone_string *strings = out->data;
  for (size_t i = 0; i < count; i++) {
    strings[i] = (hone_string){at, unpack(from + i * bytes, width, wide, at)};
    at += strings[i].size;
  }
  return true;
}

size_t widest_string(const hone_tensor *tensor) {
  const hone_string *strings = tensor->data;
  size_t widest = 1;
  for (size_t i = 0; i < tensor_count(tensor); i++) {
    const char *at = strings[i].data, *end = at + strings[i].size;
    size_t width = 0;
    while (at < end) {
      if (take_utf8(&at, end) == UINT32_MAX) return 0;
      width++;
    }
    if (width > widest) widest = width;
  }
  return widest;
}

void pack_string(const hone_string *string, size_t width, uint32_t *out) {
  const char *at = string->data, *end = at + string->size;
  for (size_t i = 0; i < width; i++) out[i] = at < end ? take_utf8(&at, end) : 0;
}

/* ---- Text files -------------------------------------------------------------------------------
 */

static size_t count_lines(const file_bytes *file) {
  size_t lines = 0;
  for (size_t i = 0; i < file->size; i++) lines += file->data[i] == '\n';
  return lines + (file->size && file->data[file->size - 1] != '\n');
}

/* Fits the one open dimension of the input, or else its first, to the number of lines. */
static bool fit_shape(const hone_tensor *port, const hone_tensor *shape, size_t lines,
                      hone_tensor *out) {
  *out = *shape;
  for (int i = 0; i < port->rank; i++) {
    if (port->dims[i] >= 0) continue;
    out->dims[i] = 1;
    size_t rest = tensor_count(out);
    if (rest && lines % rest == 0) out->dims[i] = (int64_t)(lines / rest);
    break;
  }
  return tensor_count(out) == lines;
}

bool parse_lines(const char *path, const file_bytes *file, const hone_tensor *port,
                 const hone_tensor *shape, hone_tensor *out) {
  size_t lines = count_lines(file);
  if (!fit_shape(port, shape, lines, out))
    return complain(path, "its lines are not as many as the input has elements");
  char *text = allocate_strings(path, out, file->size);
  if (!text) return false;
  memcpy(text, file->data, file->size);
  hone_string *strings = out->data;
  const char *at = text, *end = text + file->size;
  for (size_t i = 0; i < lines; i++) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    if (!stop) stop = end;
    size_t size = (size_t)(stop - at);
    strings[i] = (hone_string){at, size && at[size - 1] == '\r' ? size - 1 : size};
    at = stop + 1;
  }
  return true;
}

bool whole_as_string(const char *path, const file_bytes *file, const hone_tensor *shape,
                     hone_tensor *out) {
  *out = *shape;
  if (tensor_count(out) != 1) return complain(path, "it is one element and the input takes more");
  char *text = allocate_strings(path, out, file->size);
  if (!text) return false;
  memcpy(text, file->data, file->size);
  *(hone_string *)out->data = (hone_string){text, file->size};
  return true;
}

bool same_strings(const hone_tensor *a, const hone_tensor *b) {
  const hone_string *x = a->data, *y = b->data;
  size_t count = tensor_count(a);
  if (count != tensor_count(b)) return false;
  for (size_t i = 0; i < count; i++)
    if (x[i].size != y[i].size || (x[i].size && memcmp(x[i].data, y[i].data, x[i].size) != 0))
      return false;
  return true;
}
