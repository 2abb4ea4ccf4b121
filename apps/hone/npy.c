/* NumPy's .npy files. Format: numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensors.h"

/* What stands behind the byte order. NumPy has no letter for bf16: ml_dtypes writes it as V2. */
static const struct {
  const char *descr;
  hone_dtype dtype;
} npy_types[] = {{"f4", HONE_F32},  {"f8", HONE_F64}, {"f2", HONE_F16},  {"V2", HONE_BF16},
                 {"i8", HONE_S64},  {"i4", HONE_S32}, {"i2", HONE_S16},  {"i1", HONE_S8},
                 {"u8", HONE_U64},  {"u4", HONE_U32}, {"u2", HONE_U16},  {"u1", HONE_U8},
                 {"b1", HONE_BOOL}, {"c8", HONE_C64}, {"c16", HONE_C128}};
#define NPY_TYPES   (sizeof npy_types / sizeof *npy_types)
#define MOST_HEADER 65536
#define MOST_WIDTH  ((size_t)1 << 30)

static bool parse_shape(const char *path, const char *at, hone_tensor *out) {
  if (!at) return complain(path, "its shape is not understood");
  for (at++; *at && *at != ')';) {
    char *end;
    long long dim = strtoll(at, &end, 10);
    if (end == at) {
      at++;
      continue;
    }
    if (out->rank == HONE_MAX_RANK || dim < 0) return complain(path, "its shape is too large");
    out->dims[out->rank++] = dim;
    at = end;
  }
  return true;
}

/* Strings of a fixed width: "<U7" is 7 code points of 4 bytes, "|S7" 7 bytes. */
static bool parse_width(const char *path, const char *descr, size_t *width) {
  char *end;
  unsigned long long number = strtoull(descr + 2, &end, 10);
  if (*end != '\'' || number > MOST_WIDTH) return complain(path, "its strings are too wide");
  *width = (size_t)number;
  return true;
}

/* The header is a Python dict: {'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }. `width`
 * is that of strings. */
static bool parse_header(const char *path, const char *header, hone_tensor *out, char *letter,
                         size_t *width) {
  const char *descr = strstr(header, "'descr':"), *shape = strstr(header, "'shape':");
  if (!descr || !shape || strstr(header, "'fortran_order': True"))
    return complain(path, "only C order is read");
  descr = strchr(descr + 8, '\'');
  if (!descr || descr[1] == '>') return complain(path, "only little-endian elements are read");
  size_t length = strcspn(descr + 1, "'");
  for (size_t i = 0; i < NPY_TYPES && length > 1; i++)
    if (strlen(npy_types[i].descr) == length - 1 &&
        memcmp(descr + 2, npy_types[i].descr, length - 1) == 0)
      out->dtype = npy_types[i].dtype;
  *letter = length > 1 ? descr[2] : 0;
  if (*letter == 'U' || *letter == 'S') {
    out->dtype = HONE_STR;
    if (!parse_width(path, descr + 1, width)) return false;
  }
  if (out->dtype == HONE_DTYPE_NONE) return complain(path, "its element type is not read");
  return parse_shape(path, strchr(shape, '('), out);
}

static bool parse_strings(const char *path, const unsigned char *from, size_t size, size_t width,
                          bool wide, hone_tensor *out) {
  size_t bytes;
  if (__builtin_mul_overflow(tensor_count(out), wide ? width * 4 : width, &bytes) || bytes > size)
    return complain(path, "it is cut");
  return unpack_strings(path, from, width, wide, out);
}

bool parse_npy(const char *path, const unsigned char *bytes, size_t size, hone_tensor *out) {
  *out = (hone_tensor){.struct_size = sizeof *out};
  if (size < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0) return complain(path, "no .npy file");
  size_t begin = bytes[6] > 1 ? 12 : 10;
  size_t length = bytes[8] | (size_t)bytes[9] << 8;
  if (begin == 12) length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
  if (length > MOST_HEADER || length > size - begin) return complain(path, "its header is cut");
  char *header = calloc(1, length + 1);
  if (!header) return complain(path, "there is no memory for it");
  memcpy(header, bytes + begin, length);
  char letter = 0;
  size_t width = 0;
  bool good = parse_header(path, header, out, &letter, &width);
  free(header);
  if (!good) return false;
  if (out->dtype == HONE_STR)
    return parse_strings(path, bytes + begin + length, size - begin - length, width, letter == 'U',
                         out);
  size_t wanted = hone_tensor_bytes(out);
  if (wanted > size - begin - length || (!wanted && tensor_count(out)))
    return complain(path, "it is cut");
  if (!allocate_tensor(path, out)) return false;
  memcpy(out->data, bytes + begin + length, wanted);
  return true;
}

/* Magic, length and the dict, padded so that the data begins at a multiple of 64; the size. */
static size_t make_header(const char *descr, const hone_tensor *tensor, char *out, size_t room) {
  static const char magic[8] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0}; /* version 1.0 */
  int at = snprintf(out, room, "xxxxxxxxxx{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                    descr[0] != 'U' && strcmp(descr + 1, "1") == 0 ? '|' : '<', descr);
  for (int i = 0; i < tensor->rank; i++)
    at += snprintf(out + at, room - (size_t)at, "%lld,", (long long)tensor->dims[i]);
  at += snprintf(out + at, room - (size_t)at, "), }");
  while ((at + 1) % 64) out[at++] = ' ';
  out[at++] = '\n';
  int length = at - 10;
  memcpy(out, magic, sizeof magic);
  out[8] = (char)(length & 255);
  out[9] = (char)(length >> 8);
  return (size_t)at;
}

static bool write_strings(FILE *file, const hone_tensor *tensor, size_t width) {
  const hone_string *strings = tensor->data;
  uint32_t *codes = calloc(width, sizeof *codes);
  bool good = codes != NULL;
  for (size_t i = 0; good && i < tensor_count(tensor); i++) {
    pack_string(&strings[i], width, codes);
    good = fwrite(codes, sizeof *codes, width, file) == width;
  }
  free(codes);
  return good;
}

bool write_npy(const char *path, const hone_tensor *tensor) {
  const char *descr = NULL;
  char wide[32];
  size_t width = 0;
  for (size_t i = 0; i < NPY_TYPES && !descr; i++)
    if (npy_types[i].dtype == tensor->dtype) descr = npy_types[i].descr;
  if (tensor->kind == HONE_TENSOR && tensor->dtype == HONE_STR) {
    width = widest_string(tensor);
    if (!width) return complain(path, "an element is no UTF-8, and so is not written");
    snprintf(wide, sizeof wide, "U%zu", width);
    descr = wide;
  }
  if (!descr || tensor->kind != HONE_TENSOR) return complain(path, "this type is not written");
  char header[1024];
  size_t size = make_header(descr, tensor, header, sizeof header - 64);
  FILE *file = fopen(path, "wb");
  if (!file) return complain(path, "cannot be written");
  bool good = fwrite(header, 1, size, file) == size &&
              (width ? write_strings(file, tensor, width)
                     : fwrite(tensor->data, 1, tensor->size, file) == tensor->size);
  good = fclose(file) == 0 && good;
  return good || complain(path, "cannot be written");
}
