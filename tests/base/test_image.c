/* Reading pictures: what is stored comes out, what is cut is refused. */
#include <stdbool.h>

#include "base/image.h"
#include "check.h"

static const uint8_t pnm[] = "P6 # a comment\n2 1\n255\n\x01\x02\x03\xff\x00\x80";

TEST(pnm_in_every_order) {
  int64_t height, width;
  uint8_t out[6];
  CHECK_OK(hone_image_size(pnm, sizeof pnm - 1, &height, &width));
  CHECK(height == 1 && width == 2);
  CHECK_OK(hone_image_decode(pnm, sizeof pnm - 1, HONE_PIXELS_RGB, out));
  CHECK(memcmp(out, "\x01\x02\x03\xff\x00\x80", 6) == 0);
  CHECK_OK(hone_image_decode(pnm, sizeof pnm - 1, HONE_PIXELS_BGR, out));
  CHECK(memcmp(out, "\x03\x02\x01\x80\x00\xff", 6) == 0);
  CHECK_OK(hone_image_decode(pnm, sizeof pnm - 1, HONE_PIXELS_GRAY, out));
  CHECK(out[0] == 2 && out[1] == 91);
}

TEST(cut_files_are_refused) {
  uint8_t out[6];
  for (size_t size = 0; size < sizeof pnm - 1; size++) {
    hone_status *status = hone_image_decode(pnm, size, HONE_PIXELS_RGB, out);
    CHECK(status != NULL);
    hone_status_free(status);
  }
}

/* 24 bits, rows from the bottom, each padded to four bytes. */
TEST(bmp) {
  uint8_t bmp[54 + 16] = {'B', 'M'}, out[12];
  bmp[10] = 54, bmp[14] = 40, bmp[18] = 2, bmp[22] = 2, bmp[26] = 1, bmp[28] = 24;
  for (int i = 0; i < 16; i++) bmp[54 + i] = (uint8_t)i;
  CHECK_OK(hone_image_decode(bmp, sizeof bmp, HONE_PIXELS_RGB, out));
  const uint8_t want[] = {10, 9, 8, 13, 12, 11, 2, 1, 0, 5, 4, 3};
  CHECK(memcmp(out, want, sizeof want) == 0);
  CHECK_ERROR(hone_image_decode(bmp, sizeof bmp - 1, HONE_PIXELS_RGB, out), HONE_INVALID_ARGUMENT,
              "whole BMP");
  bmp[21] = 0x7f;
  CHECK_ERROR(hone_image_decode(bmp, sizeof bmp, HONE_PIXELS_RGB, out), HONE_LIMIT, "pixels");
}

TEST(unknown_bytes) {
  int64_t height, width;
  CHECK_ERROR(hone_image_size("GIF89a", 6, &height, &width), HONE_UNSUPPORTED, "no picture");
}

int main(void) {
  RUN(pnm_in_every_order);
  RUN(cut_files_are_refused);
  RUN(bmp);
  RUN(unknown_bytes);
  return check_report();
}
