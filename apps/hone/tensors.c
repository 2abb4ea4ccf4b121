/* Tensors from and to .npy files, and seeded ones. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

static const struct {
  const char *descr;
  hone_dtype dtype;
} npy_types[] = {{"f4", HONE_F32}, {"f8", HONE_F64}, {"f2", HONE_F16}, {"i8", HONE_S64},
                 {"i4", HONE_S32}, {"i2", HONE_S16}, {"i1", HONE_S8},  {"u8", HONE_U64},
                 {"u4", HONE_U32}, {"u2", HONE_U16}, {"u1", HONE_U8},  {"b1", HONE_BOOL}};
#define NPY_TYPES (sizeof npy_types / sizeof *npy_types)

static bool complain(const char *path, const char *what) {
  fprintf(stderr, "hone: '%s': %s\n", path, what);
  return false;
}

/* The header is a Python dict: {'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }. */
static bool parse_header(const char *path, const char *header, hone_tensor *out) {
  const char *descr = strstr(header, "'descr':"), *shape = strstr(header, "'shape':");
  if (!descr || !shape || strstr(header, "'fortran_order': True"))
    return complain(path, "only C order is read");
  descr = strchr(descr + 8, '\'');
  if (!descr || descr[1] == '>') return complain(path, "only little-endian elements are read");
  for (size_t i = 0; i < NPY_TYPES; i++)
    if (strncmp(descr + 2, npy_types[i].descr, 2) == 0) out->dtype = npy_types[i].dtype;
  if (out->dtype == HONE_DTYPE_NONE) return complain(path, "its element type is not read");
  const char *at = strchr(shape, '(');
  if (!at) return complain(path, "its shape is not understood");
  for (at++; *at && *at != ')';) {
    char *end;
    long long dim = strtoll(at, &end, 10);
    if (end == at) {
      at++;
      continue;
    }
    if (out->rank == HONE_MAX_RANK || dim < 0) return complain(path, "its rank is too large");
    out->dims[out->rank++] = dim;
    at = end;
  }
  return true;
}

static bool read_body(const char *path, FILE *file, hone_tensor *out) {
  unsigned char magic[12];
  if (fread(magic, 1, 10, file) != 10 || memcmp(magic, "\x93NUMPY", 6) != 0)
    return complain(path, "no .npy file");
  size_t size = magic[8] | (size_t)magic[9] << 8;
  if (magic[6] > 1) {
    if (fread(magic + 10, 1, 2, file) != 2) return complain(path, "it is cut");
    size |= (size_t)magic[10] << 16 | (size_t)magic[11] << 24;
  }
  if (size > 65536) return complain(path, "its header is too large");
  char *header = calloc(1, size + 1);
  bool good = header && fread(header, 1, size, file) == size && parse_header(path, header, out);
  free(header);
  if (!good) return false;
  out->size = hone_tensor_bytes(out);
  out->data = malloc(out->size + 1);
  if (!out->data || fread(out->data, 1, out->size, file) != out->size)
    return complain(path, "it is cut");
  return true;
}

bool read_npy(const char *path, hone_tensor *out) {
  *out = (hone_tensor){.struct_size = sizeof *out};
  FILE *file = fopen(path, "rb");
  if (!file) return complain(path, "cannot be opened");
  bool good = read_body(path, file, out);
  fclose(file);
  return good;
}

bool write_npy(const char *path, const hone_tensor *tensor) {
  const char *descr = NULL;
  for (size_t i = 0; i < NPY_TYPES; i++)
    if (npy_types[i].dtype == tensor->dtype) descr = npy_types[i].descr;
  if (!descr || tensor->kind != HONE_TENSOR) return complain(path, "this type is not written");
  char header[512];
  int at = snprintf(header, sizeof header, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                    descr[1] == '1' ? '|' : '<', descr);
  for (int i = 0; i < tensor->rank; i++)
    at += snprintf(header + at, sizeof header - (size_t)at, "%lld,", (long long)tensor->dims[i]);
  at += snprintf(header + at, sizeof header - (size_t)at, "), }");
  while ((at + 11) % 64) header[at++] = ' '; /* the data begins at a multiple of 64 */
  header[at++] = '\n';
  FILE *file = fopen(path, "wb");
  if (!file) return complain(path, "cannot be written");
  unsigned char magic[10] = {
      0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(at & 255), (unsigned char)(at >> 8)};
  bool good = fwrite(magic, 1, 10, file) == 10 &&
              fwrite(header, 1, (size_t)at, file) == (size_t)at &&
              fwrite(tensor->data, 1, tensor->size, file) == tensor->size;
  good = fclose(file) == 0 && good;
  return good || complain(path, "cannot be written");
}

/* "name:1x3x224,other:8": the dims of `name`, where given. */
static void given_shape(const char *shapes, const char *name, hone_tensor *out) {
  for (const char *at = shapes; *at;) {
    size_t span = strcspn(at, ",");
    const char *colon = memrchr(at, ':', span);
    if (colon && strlen(name) == (size_t)(colon - at) && memcmp(at, name, strlen(name)) == 0) {
      out->rank = 0;
      for (const char *dim = colon + 1; dim < at + span && out->rank < HONE_MAX_RANK; dim++) {
        char *end;
        out->dims[out->rank++] = strtoll(dim, &end, 10);
        dim = end;
      }
      return;
    }
    at += span + (at[span] == ',');
  }
}

static void fill_seeded(hone_tensor *tensor) {
  uint32_t state = 1;
  memset(tensor->data, 0, tensor->size);
  if (tensor->dtype != HONE_F32) return;
  for (size_t i = 0; i < tensor->size / sizeof(float); i++) {
    state = state * 1664525u + 1013904223u;
    ((float *)tensor->data)[i] = (float)(int32_t)state / 2147483648.0f;
  }
}

static bool make_input(const command_line *line, const hone_port *port, hone_tensor *out) {
  for (int i = 0; i < line->input_count; i++) {
    const char *equal = strrchr(line->inputs[i], '=');
    if (!equal) equal = strrchr(line->inputs[i], ':'); /* as trtexec spells it */
    size_t size = equal ? (size_t)(equal - line->inputs[i]) : 0;
    if (equal && strlen(port->name) == size && memcmp(port->name, line->inputs[i], size) == 0)
      return read_npy(equal + 1, out);
  }
  *out = port->type;
  given_shape(hone_options_get(line->options, "shapes"), port->name, out);
  for (int i = 0; i < out->rank; i++)
    if (out->dims[i] < 0) out->dims[i] = i == 0 ? 1 : out->rank == 4 ? 224 : 128;
  out->struct_size = sizeof *out;
  out->size = hone_tensor_bytes(out);
  out->data = malloc(out->size + 1);
  if (!out->data) return complain(port->name, "there is no memory for it");
  fill_seeded(out);
  return true;
}

bool make_inputs(const command_line *line, const hone_engine *engine, tensor_list *out) {
  out->count = hone_input_count(engine);
  out->tensors = calloc(out->count + 1, sizeof *out->tensors);
  for (size_t i = 0; out->tensors && i < out->count; i++) {
    hone_port port = {.struct_size = sizeof port};
    hone_status *status = hone_input_at(engine, i, &port);
    if (status) return report_failure(status), false;
    if (!make_input(line, &port, &out->tensors[i])) return false;
  }
  return out->tensors != NULL;
}

void free_tensors(tensor_list *list) {
  for (size_t i = 0; list->tensors && i < list->count; i++) free(list->tensors[i].data);
  free(list->tensors);
}
