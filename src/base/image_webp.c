/* WebP through libwebp. Room: base. */
#include "base/image_webp.h"

#ifdef HONE_HAVE_WEBP
#include <webp/decode.h>

static hone_status *broken(void) {
  return hone_error(HONE_INVALID_ARGUMENT, "the bytes are not a whole WebP picture");
}

hone_status *hone_webp_read(const uint8_t *bytes, size_t size, int64_t *height, int64_t *width,
                            uint8_t *rgb) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(bytes, size, &features) != VP8_STATUS_OK) return broken();
  if (features.has_animation)
    return hone_error(HONE_UNSUPPORTED, "a WebP animation, not one picture");
  *height = features.height;
  *width = features.width;
  size_t row = 3 * (size_t)features.width; /* below 2^16: WebP's sizes have 14 bits */
  if (rgb && !WebPDecodeRGBInto(bytes, size, rgb, row * (size_t)features.height, (int)row))
    return broken();
  return NULL;
}
#endif
