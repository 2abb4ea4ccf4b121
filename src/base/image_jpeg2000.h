/* JPEG 2000, for image.c; there where the build found OpenJPEG (HONE_HAVE_OPENJPEG). Room: base. */
#ifndef HONE_BASE_IMAGE_JPEG2000_H
#define HONE_BASE_IMAGE_JPEG2000_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* A .jp2 file or a bare codestream. The size that the header states; colours other than gray, RGB and
 * YCC are UNSUPPORTED. Then, where `rgb` is not NULL, the pixels, alpha left out. The caller checks
 * the size in between. */
HONE_MUST_USE hone_status *hone_jpeg2000_read(const uint8_t *bytes, size_t size, int64_t *height,
                                              int64_t *width, uint8_t *rgb);

#endif
