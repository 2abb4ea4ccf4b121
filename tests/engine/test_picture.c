/* Pictures for callers: sizes, orders of channels, what is refused. */
#include "check.h"
#include "engine/engine.h"

static const char ppm[] = "P6 2 1 255\n\x01\x02\x03\x0a\x14\x1e";
#define PPM_SIZE (sizeof ppm - 1)

TEST(decodes_in_the_order_asked_for) {
  const struct {
    const char *pixels;
    int channels;
    unsigned char first[3];
  } rows[] = {{"rgb", 3, {1, 2, 3}}, {"bgr", 3, {3, 2, 1}}, {"gray", 1, {2}}};
  for (size_t i = 0; i < 3; i++) {
    hone_tensor out = {.struct_size = sizeof out};
    CHECK_OK(hone_picture_decode((hone_bytes){ppm, PPM_SIZE}, rows[i].pixels, &out));
    CHECK(out.dtype == HONE_U8 && out.rank == 3 && out.dims[0] == 1 && out.dims[1] == 2 &&
          out.dims[2] == rows[i].channels && out.size == 2 * (size_t)rows[i].channels);
    CHECK(memcmp(out.data, rows[i].first, (size_t)rows[i].channels) == 0);
    hone_data_release(out.data);
  }
}

TEST(refuses_what_is_no_picture) {
  hone_tensor out = {.struct_size = sizeof out};
  CHECK_ERROR(hone_picture_decode((hone_bytes){ppm, PPM_SIZE}, "cmyk", &out), HONE_INVALID_ARGUMENT,
              "cmyk");
  CHECK_ERROR(hone_picture_decode((hone_bytes){ppm, PPM_SIZE - 1}, "rgb", &out),
              HONE_INVALID_ARGUMENT, "");
  CHECK_ERROR(hone_picture_decode((hone_bytes){"hello, world", 12}, "rgb", &out), HONE_UNSUPPORTED,
              "");
}

int main(void) {
  RUN(decodes_in_the_order_asked_for);
  RUN(refuses_what_is_no_picture);
  return check_report();
}
