/* Tensors: memory, elements as numbers, seeded numbers, files. */
#include "tensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool has_ending(const char *path, const char *ending) {
  size_t size = strlen(path), tail = strlen(ending);
  return size > tail && strcmp(path + size - tail, ending) == 0;
}

void free_tensors(tensor_list *list) {
  for (size_t i = 0; list->tensors && i < list->count; i++) free(list->tensors[i].data);
  free(list->tensors);
  *list = (tensor_list){0};
}

static bool read_all(FILE *file, file_bytes *out) {
  size_t room = 0;
  for (;;) {
    if (out->size + 1 >= room) {
      room = room ? room * 2 : 1 << 16;
      unsigned char *data = realloc(out->data, room);
      if (!data) return false;
      out->data = data;
    }
    size_t got = fread(out->data + out->size, 1, room - out->size - 1, file);
    out->size += got;
    out->data[out->size] = 0;
    if (!got) return !ferror(file);
  }
}

bool read_file(const char *path, file_bytes *out) {
  *out = (file_bytes){0};
  FILE *file = fopen(path, "rb");
  if (!file) return complain(path, "cannot be opened");
  bool good = read_all(file, out);
  fclose(file);
  if (good) return true;
  free(out->data);
  *out = (file_bytes){0};
  return complain(path, "cannot be read");
}

bool allocate_tensor(const char *name, hone_tensor *tensor) {
  tensor->size = hone_tensor_bytes(tensor);
  tensor->data = tensor->size || !tensor_count(tensor) ? calloc(1, tensor->size + 1) : NULL;
  return tensor->data || complain(name, "there is no memory for it");
}

/* ---- Elements ---------------------------------------------------------------------------------
 */

size_t tensor_count(const hone_tensor *tensor) {
  size_t count = 1;
  for (int i = 0; i < tensor->rank; i++) {
    if (tensor->dims[i] < 0) return 0;
    if (__builtin_mul_overflow(count, (size_t)tensor->dims[i], &count)) return SIZE_MAX;
  }
  return count;
}

const char *tensor_text(const hone_tensor *tensor, char *buffer, size_t room) {
  size_t at = (size_t)snprintf(buffer, room, "%s[", hone_dtype_text(tensor->dtype));
  for (int i = 0; i < tensor->rank && at < room; i++)
    at += (size_t)snprintf(buffer + at, room - at, "%s%lld", i ? ", " : "",
                           (long long)tensor->dims[i]);
  if (at < room) snprintf(buffer + at, room - at, "]");
  return buffer;
}

/* A float of `exponent` and `mantissa` bits below the sign, IEEE 754 style. */
static double small_float(unsigned bits, int exponent, int mantissa) {
  int top = (1 << exponent) - 1, bias = top >> 1;
  int e = (int)(bits >> mantissa) & top;
  double fraction = ldexp((double)(bits & ((1u << mantissa) - 1)), -mantissa);
  double value = e == top ? (fraction != 0 ? (double)NAN : (double)INFINITY)
                 : e      ? ldexp(1 + fraction, e - bias)
                          : ldexp(fraction, 1 - bias);
  return bits >> (exponent + mantissa) & 1 ? -value : value;
}

#define NUMBERS(X)                                                                                \
  X(F32, float)                                                                                   \
  X(F64, double)                                                                                  \
  X(S64, int64_t)                                                                                 \
  X(S32, int32_t)                                                                                 \
  X(S16, int16_t) X(S8, int8_t) X(U64, uint64_t) X(U32, uint32_t) X(U16, uint16_t) X(U8, uint8_t) \
      X(BOOL, uint8_t)

double tensor_value(const hone_tensor *tensor, size_t index) {
  switch (tensor->dtype) {
#define NUMBER_CASE(suffix, type) \
  case HONE_##suffix:             \
    return (double)((const type *)tensor->data)[index];
    NUMBERS(NUMBER_CASE)
#undef NUMBER_CASE
    case HONE_F16:
      return small_float(((const uint16_t *)tensor->data)[index], 5, 10);
    case HONE_BF16:
      return small_float(((const uint16_t *)tensor->data)[index], 8, 7);
    default:
      return (double)NAN;
  }
}

bool has_numbers(hone_dtype dtype) {
  switch (dtype) {
#define NUMBER_CASE(suffix, type) case HONE_##suffix:
    NUMBERS(NUMBER_CASE)
#undef NUMBER_CASE
    case HONE_F16:
    case HONE_BF16:
      return true;
    default:
      return false;
  }
}

/* ---- Seeded numbers ---------------------------------------------------------------------------
 */

static void store_seeded(hone_tensor *tensor, size_t index, uint32_t random) {
  void *data = tensor->data;
  switch (tensor->dtype) {
    case HONE_F32:
      ((float *)data)[index] = (float)(int32_t)random / 2147483648.0f;
      return;
    case HONE_F64:
      ((double *)data)[index] = (double)(int32_t)random / 2147483648.0;
      return;
    case HONE_F16: /* sign and mantissa at random, exponent of [0.5, 1) */
      ((uint16_t *)data)[index] = (uint16_t)(0x3800 | (random >> 16 & 0x83ff));
      return;
    case HONE_BF16:
      ((uint16_t *)data)[index] = (uint16_t)(0x3f00 | (random >> 16 & 0x807f));
      return;
    case HONE_S64:
    case HONE_U64:
      ((int64_t *)data)[index] = 1;
      return;
    case HONE_S32:
    case HONE_U32:
      ((int32_t *)data)[index] = 1;
      return;
    case HONE_S16:
    case HONE_U16:
      ((int16_t *)data)[index] = 1;
      return;
    case HONE_S8:
    case HONE_U8:
    case HONE_BOOL:
      ((uint8_t *)data)[index] = 1;
      return;
    default:
      return; /* stays zero */
  }
}

void fill_seeded(hone_tensor *tensor) {
  uint32_t state = 1;
  size_t count = tensor->size ? tensor_count(tensor) : 0;
  for (size_t i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    store_seeded(tensor, i, state);
  }
}
