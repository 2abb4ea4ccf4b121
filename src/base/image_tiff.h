/* Baseline TIFF, for image.c. Room: base. */
#ifndef HONE_BASE_IMAGE_TIFF_H
#define HONE_BASE_IMAGE_TIFF_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* The size of the first picture; other kinds than uncompressed strips of 8-bit gray or RGB are
 * UNSUPPORTED. Then, where `rgb` is not NULL, its pixels. The caller checks the size in between. */
HONE_MUST_USE hone_status *hone_tiff_read(const uint8_t *bytes, size_t size, int64_t *height,
                                          int64_t *width, uint8_t *rgb);

#endif
