/* Baseline TIFF (revision 6.0, sections 2 to 6): uncompressed strips of 8-bit gray or RGB.
 * Room: base. */
#include <stdbool.h>
#include <string.h>

#include "base/image_tiff.h"

enum {
  TAG_WIDTH = 256,
  TAG_HEIGHT = 257,
  TAG_BITS = 258,
  TAG_COMPRESSION = 259,
  TAG_PHOTOMETRIC = 262,
  TAG_STRIPS = 273,
  TAG_SAMPLES = 277,
  TAG_STRIP_ROWS = 278,
  TAG_PLANAR = 284
};

typedef struct tiff {
  const uint8_t *bytes;
  size_t size, directory; /* where the entries of the first picture start */
  uint32_t entries;
  bool big; /* the byte order */
} tiff;

static hone_status *broken(void) {
  return hone_error(HONE_INVALID_ARGUMENT, "the bytes are not a whole TIFF picture");
}

/* A number of `count` bytes; 0 outside the file. */
static uint32_t number(const tiff *t, size_t at, int count) {
  uint32_t value = 0;
  if (at > t->size || t->size - at < (size_t)count) return 0;
  for (int i = 0; i < count; i++)
    value |= (uint32_t)t->bytes[at + (size_t)i] << (8 * (t->big ? count - 1 - i : i));
  return value;
}

/* Value `index` of a tag of 16- or 32-bit numbers; the fallback where there is none. */
static uint32_t value_of(const tiff *t, uint32_t tag, uint32_t index, uint32_t fallback) {
  for (uint32_t i = 0; i < t->entries; i++) {
    size_t entry = t->directory + 12 * (size_t)i;
    if (number(t, entry, 2) != tag) continue;
    uint32_t type = number(t, entry + 2, 2), count = number(t, entry + 4, 4);
    int width = type == 3 ? 2 : type == 4 ? 4 : 0;
    if (!width || index >= count) return fallback;
    bool inside = (uint64_t)count * (uint64_t)width <= 4; /* the values lie in the entry itself */
    size_t values = inside ? entry + 8 : number(t, entry + 8, 4);
    return number(t, values + (size_t)index * (size_t)width, width);
  }
  return fallback;
}

static hone_status *open_tiff(const uint8_t *bytes, size_t size, tiff *t) {
  if (size < 8) return broken();
  *t = (tiff){.bytes = bytes, .size = size, .big = bytes[0] == 'M'};
  size_t start = number(t, 4, 4);
  if (start > size || size - start < 2) return broken();
  t->entries = number(t, start, 2);
  t->directory = start + 2;
  return (size - t->directory) / 12 < t->entries ? broken() : NULL;
}

/* One row of the strip that holds it; false when it is cut off. */
static bool read_row(const tiff *t, uint32_t row, uint32_t width, uint32_t samples, uint8_t *rgb) {
  uint32_t rows = value_of(t, TAG_STRIP_ROWS, 0, UINT32_MAX);
  if (rows == 0) return false;
  size_t start = value_of(t, TAG_STRIPS, row / rows, UINT32_MAX);
  size_t bytes = (size_t)width * samples, at = start + (size_t)(row % rows) * bytes;
  if (start < 8 || at > t->size || t->size - at < bytes) return false;
  const uint8_t *from = t->bytes + at;
  for (size_t i = 0; i < 3 * (size_t)width; i++)
    rgb[i] = from[i / 3 * samples + (samples >= 3 ? i % 3 : 0)];
  return true;
}

hone_status *hone_tiff_read(const uint8_t *bytes, size_t size, int64_t *height, int64_t *width,
                            uint8_t *rgb) {
  tiff t;
  HONE_TRY(open_tiff(bytes, size, &t));
  uint32_t samples = value_of(&t, TAG_SAMPLES, 0, 1), kind = value_of(&t, TAG_PHOTOMETRIC, 0, 0);
  if (value_of(&t, TAG_COMPRESSION, 0, 1) != 1 || value_of(&t, TAG_BITS, 0, 1) != 8 ||
      value_of(&t, TAG_PLANAR, 0, 1) != 1 || (kind == 2 ? samples < 3 : kind != 1) || samples < 1 ||
      samples > 8)
    return hone_error(HONE_UNSUPPORTED, "a TIFF that is not plain 8-bit gray or RGB");
  *width = value_of(&t, TAG_WIDTH, 0, 0);
  *height = value_of(&t, TAG_HEIGHT, 0, 0);
  for (int64_t y = 0; rgb && y < *height; y++)
    if (!read_row(&t, (uint32_t)y, (uint32_t)*width, samples, rgb + 3 * y * *width))
      return broken();
  return NULL;
}
