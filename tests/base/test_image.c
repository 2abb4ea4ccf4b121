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

/* Two rows of two pixels in two strips, big-endian. */
TEST(tiff) {
  enum { ENTRIES = 8, STRIPS = 10 + 12 * ENTRIES, PIXELS = STRIPS + 8 };
  static const uint16_t tags[ENTRIES][2] = {{256, 2}, {257, 2}, {258, 8}, {259, 1},
                                            {262, 2}, {273, 0}, {277, 3}, {278, 1}};
  uint8_t file[PIXELS + 12] = {'M', 'M', 0, '*', 0, 0, 0, 8, 0, ENTRIES}, out[12];
  for (int i = 0; i < ENTRIES; i++) {
    uint8_t *entry = file + 10 + 12 * i;
    entry[0] = (uint8_t)(tags[i][0] >> 8), entry[1] = (uint8_t)tags[i][0], entry[3] = 3;
    entry[7] = 1, entry[9] = (uint8_t)tags[i][1];
  }
  uint8_t *strips = file + 10 + 12 * 5;
  strips[3] = 4, strips[7] = 2, strips[9] = 0, strips[11] = STRIPS;
  file[STRIPS + 3] = PIXELS + 6, file[STRIPS + 7] = PIXELS;
  for (int i = 0; i < 12; i++) file[PIXELS + i] = (uint8_t)i;
  CHECK_OK(hone_image_decode(file, sizeof file, HONE_PIXELS_RGB, out));
  const uint8_t want[] = {6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5};
  CHECK(memcmp(out, want, sizeof want) == 0);
  for (size_t size = 0; size < sizeof file; size++) {
    hone_status *status = hone_image_decode(file, size, HONE_PIXELS_RGB, out);
    CHECK(status != NULL);
    hone_status_free(status);
  }
}

TEST(unknown_bytes) {
  int64_t height, width;
  CHECK_ERROR(hone_image_size("GIF89a", 6, &height, &width), HONE_UNSUPPORTED, "no picture");
}

int main(void) {
  RUN(pnm_in_every_order);
  RUN(cut_files_are_refused);
  RUN(bmp);
  RUN(tiff);
  RUN(unknown_bytes);
  return check_report();
}
