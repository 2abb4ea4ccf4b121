/* Reading pictures: JPEG, PNG, TIFF, BMP, PNM, WebP and JPEG 2000, from bytes that are not trusted.
 * Room: base. */
#ifndef HONE_BASE_IMAGE_H
#define HONE_BASE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum hone_pixels { HONE_PIXELS_RGB, HONE_PIXELS_BGR, HONE_PIXELS_GRAY } hone_pixels;

/* The size that the header states. A format that is not known, or that this library was built
 * without, is UNSUPPORTED; a broken header INVALID_ARGUMENT. */
HONE_MUST_USE hone_status *hone_image_size(const void *bytes, size_t size, int64_t *height,
                                           int64_t *width);

/* Decodes into `out`, which has height * width * (3, or 1 for gray) bytes for the size above: rows
 * from the top, pixels from the left. Gray is ITU-R 601 luma of the colours. */
HONE_MUST_USE hone_status *hone_image_decode(const void *bytes, size_t size, hone_pixels pixels,
                                             uint8_t *out);

#endif
