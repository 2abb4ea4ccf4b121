/* Moving elements of any type, packed ones and strings included. Room: ops. */
#include "ops/elements.h"

#include <string.h>

static size_t element_bytes(hone_dtype dtype) { return hone_dtype_bits(dtype) / 8; }

/* Types below a byte. */
static void copy_packed(hone_dtype dtype, void *to, size_t to_at, const void *from, size_t from_at,
                        size_t count, int64_t to_stride, int64_t from_stride) {
  unsigned bits = hone_dtype_bits(dtype), a_byte = 8 / bits, mask = (1u << bits) - 1;
  for (size_t i = 0; i < count; i++) {
    size_t at = from_at + i * (size_t)from_stride, out = to_at + i * (size_t)to_stride;
    unsigned value = ((const uint8_t *)from)[at / a_byte] >> (at % a_byte * bits) & mask;
    unsigned shift = (unsigned)(out % a_byte * bits);
    uint8_t *byte = (uint8_t *)to + out / a_byte;
    *byte = (uint8_t)((*byte & ~(mask << shift)) | value << shift);
  }
}

void hone_copy_run(hone_dtype dtype, void *to, size_t to_at, const void *from, size_t from_at,
                   size_t count) {
  size_t size = element_bytes(dtype);
  if (size == 0) copy_packed(dtype, to, to_at, from, from_at, count, 1, 1);
  else memcpy((char *)to + to_at * size, (const char *)from + from_at * size, count * size);
}

#define COPY_STRIDED(type)                                                                         \
  for (int64_t i = 0; i < count; i++) {                                                            \
    type value;                                                                                    \
    memcpy(&value, from + i * from_step, sizeof value);                                            \
    memcpy(to + i * to_step, &value, sizeof value);                                                \
  }

/* One row of a box; steps in bytes. */
static void copy_strided(size_t size, char *to, const char *from, int64_t count, int64_t to_step,
                         int64_t from_step) {
  typedef struct { char bytes[16]; } sixteen;
  bool dense = to_step == (int64_t)size && from_step == (int64_t)size;
  if (dense) memcpy(to, from, size * (size_t)count);
  else if (size == 1) COPY_STRIDED(uint8_t)
  else if (size == 2) COPY_STRIDED(uint16_t)
  else if (size == 4) COPY_STRIDED(uint32_t)
  else if (size == 8) COPY_STRIDED(uint64_t)
  else COPY_STRIDED(sixteen)
}

void hone_fill_run(hone_dtype dtype, void *to, size_t to_at, const void *from, size_t from_at,
                   size_t count) {
  size_t size = element_bytes(dtype);
  if (size == 0) copy_packed(dtype, to, to_at, from, from_at, count, 1, 0);
  else
    copy_strided(size, (char *)to + to_at * size, (const char *)from + from_at * size,
                 (int64_t)count, (int64_t)size, 0);
}

/* Drops axes of size 1 and joins neighbours that are one run in both layouts. False when there is
 * nothing to copy. */
static bool box_simplify(const hone_box *in, hone_box *out) {
  *out = (hone_box){.from = in->from, .to = in->to};
  for (int i = 0; i < in->rank; i++) {
    int64_t size = in->size[i], from = in->from_stride[i], to = in->to_stride[i];
    if (size == 0) return false;
    if (size == 1) continue;
    int last = out->rank - 1;
    if (last >= 0 && out->from_stride[last] == from * size && out->to_stride[last] == to * size) {
      out->size[last] *= size;
    } else {
      last = out->rank++;
      out->size[last] = size;
    }
    out->from_stride[last] = from;
    out->to_stride[last] = to;
  }
  if (out->rank == 0) {
    out->rank = 1;
    out->size[0] = out->from_stride[0] = out->to_stride[0] = 1;
  }
  return true;
}

void hone_copy_box(hone_dtype dtype, void *to, const void *from, const hone_box *whole) {
  hone_box box;
  if (!box_simplify(whole, &box)) return;
  int64_t size = (int64_t)element_bytes(dtype), at[HONE_MAX_BOX] = {0};
  int inner = box.rank - 1;
  for (;;) {
    if (size == 0)
      copy_packed(dtype, to, (size_t)box.to, from, (size_t)box.from, (size_t)box.size[inner],
                  box.to_stride[inner], box.from_stride[inner]);
    else
      copy_strided((size_t)size, (char *)to + box.to * size, (const char *)from + box.from * size,
                   box.size[inner], box.to_stride[inner] * size, box.from_stride[inner] * size);
    int axis = inner - 1;
    for (; axis >= 0; axis--) {
      box.from += box.from_stride[axis];
      box.to += box.to_stride[axis];
      if (++at[axis] < box.size[axis]) break;
      box.from -= box.from_stride[axis] * box.size[axis];
      box.to -= box.to_stride[axis] * box.size[axis];
      at[axis] = 0;
    }
    if (axis < 0) return;
  }
}

void hone_copy_tensor(const hone_datum *to, const hone_datum *from) {
  size_t bytes = 0;
  if (to->data != from->data && hone_shape_bytes(&to->shape, to->dtype, &bytes))
    memcpy(to->data, from->data, bytes);
}
