/* WebP, for image.c; there where the build found libwebp (HONE_HAVE_WEBP). Room: base. */
#ifndef HONE_BASE_IMAGE_WEBP_H
#define HONE_BASE_IMAGE_WEBP_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* The size that the header states; an animation is UNSUPPORTED. Then, where `rgb` is not NULL, the
 * pixels, alpha left out. The caller checks the size in between. */
HONE_MUST_USE hone_status *hone_webp_read(const uint8_t *bytes, size_t size, int64_t *height,
                                          int64_t *width, uint8_t *rgb);

#endif
