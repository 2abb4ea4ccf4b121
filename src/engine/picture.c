/* Pictures for callers who feed them to a model. Room: engine. */
#include <string.h>

#include "base/image.h"
#include "engine/engine.h"

static const struct {
  const char *name;
  hone_pixels pixels;
  int channels;
} kinds[] = {
    {"rgb", HONE_PIXELS_RGB, 3}, {"bgr", HONE_PIXELS_BGR, 3}, {"gray", HONE_PIXELS_GRAY, 1}};

hone_status *hone_picture_decode(hone_bytes bytes, const char *pixels, hone_tensor *out) {
  size_t kind = 0;
  while (kind < 3 && strcmp(kinds[kind].name, pixels) != 0) kind++;
  if (kind == 3)
    return hone_error(HONE_INVALID_ARGUMENT, "pixels are rgb, bgr or gray, not '%s'", pixels);
  int64_t height, width;
  HONE_TRY(hone_image_size(bytes.data, bytes.size, &height, &width));
  hone_tensor tensor = {.struct_size = out->struct_size,
                        .dtype = HONE_U8,
                        .rank = 3,
                        .dims = {height, width, kinds[kind].channels}};
  tensor.size = hone_tensor_bytes(&tensor);
  if (!tensor.size) return hone_error(HONE_LIMIT, "the picture has no pixels, or too many");
  tensor.data = hone_alloc(tensor.size);
  HONE_TRY_MEMORY(tensor.data);
  hone_status *status = hone_image_decode(bytes.data, bytes.size, kinds[kind].pixels, tensor.data);
  if (status) {
    hone_free(tensor.data);
    return status;
  }
  memcpy(out, &tensor, tensor.struct_size < sizeof tensor ? tensor.struct_size : sizeof tensor);
  return NULL;
}

void hone_data_release(void *data) {
  hone_free(data);
}
