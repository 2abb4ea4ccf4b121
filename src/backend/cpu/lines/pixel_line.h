/* Pointers to the pixels that lie under neighbouring outputs. Room: backend/cpu/lines. */
#ifndef HONE_BACKEND_CPU_LINES_PIXEL_LINE_H
#define HONE_BACKEND_CPU_LINES_PIXEL_LINE_H

#include <stddef.h>

/* One line of an image; NULL where it lies outside. */
typedef struct hone_pixel_line {
  const char *first; /* pixel 0 */
  size_t width, pixel_bytes;
  const void *zeros; /* what is outside reads this */
} hone_pixel_line;

/* to[i] = pixel w + i * step, i < count; `w` may have wrapped below 0. The caller knows that
 * count * step fits: outputs that exist lie within the padded input. */
static inline void hone_point_at_pixels(const hone_pixel_line *line, size_t w, size_t step,
                                        size_t count, const void **to) {
  if (!line->first) {
    for (size_t i = 0; i < count; i++) to[i] = line->zeros;
  } else if (w < line->width && w + (count - 1) * step < line->width) { /* all inside */
    const char *pixel = line->first + w * line->pixel_bytes;
    for (size_t i = 0; i < count; i++, pixel += step * line->pixel_bytes) to[i] = pixel;
  } else {
    for (size_t i = 0; i < count; i++, w += step)
      to[i] = w < line->width ? line->first + w * line->pixel_bytes : line->zeros;
  }
}

#endif
