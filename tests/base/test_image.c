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

/* The pixels 1 2 3 and 255 0 128, without loss, as Pillow writes them. */
static const uint8_t webp[] = {
    0x52, 0x49, 0x46, 0x46, 0x26, 0x00, 0x00, 0x00, 0x57, 0x45, 0x42, 0x50, 0x56, 0x50, 0x38,
    0x4c, 0x1a, 0x00, 0x00, 0x00, 0x2f, 0x01, 0x00, 0x00, 0x00, 0x0f, 0x70, 0x01, 0xff, 0xf5,
    0x27, 0x90, 0xb4, 0xd9, 0xf6, 0xdc, 0xef, 0x3e, 0xff, 0xc1, 0x7e, 0xa8, 0x40, 0x44, 0xff,
    0x03};
static const uint8_t jp2[] = {
    0x00, 0x00, 0x00, 0x0c, 0x6a, 0x50, 0x20, 0x20, 0x0d, 0x0a, 0x87, 0x0a, 0x00, 0x00, 0x00,
    0x14, 0x66, 0x74, 0x79, 0x70, 0x6a, 0x70, 0x32, 0x20, 0x00, 0x00, 0x00, 0x00, 0x6a, 0x70,
    0x32, 0x20, 0x00, 0x00, 0x00, 0x2d, 0x6a, 0x70, 0x32, 0x68, 0x00, 0x00, 0x00, 0x16, 0x69,
    0x68, 0x64, 0x72, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02, 0x00, 0x03, 0x07, 0x07,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x0f, 0x63, 0x6f, 0x6c, 0x72, 0x01, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x10, 0x00, 0x00, 0x00, 0x96, 0x6a, 0x70, 0x32, 0x63, 0xff, 0x4f, 0xff, 0x51, 0x00,
    0x2f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x07, 0x01, 0x01, 0x07, 0x01, 0x01, 0x07, 0x01,
    0x01, 0xff, 0x52, 0x00, 0x0c, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x04, 0x04, 0x00, 0x01,
    0xff, 0x5c, 0x00, 0x04, 0x40, 0x40, 0xff, 0x64, 0x00, 0x25, 0x00, 0x01, 0x43, 0x72, 0x65,
    0x61, 0x74, 0x65, 0x64, 0x20, 0x62, 0x79, 0x20, 0x4f, 0x70, 0x65, 0x6e, 0x4a, 0x50, 0x45,
    0x47, 0x20, 0x76, 0x65, 0x72, 0x73, 0x69, 0x6f, 0x6e, 0x20, 0x32, 0x2e, 0x35, 0x2e, 0x34,
    0xff, 0x90, 0x00, 0x0a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x1e, 0x00, 0x01, 0xff, 0x93, 0xcf,
    0xb4, 0x08, 0x09, 0x93, 0xdf, 0x80, 0x18, 0x0b, 0xdd, 0x8b, 0xcf, 0xb4, 0x08, 0x06, 0xc9,
    0xff, 0xd9};

/* The pixels come out; no cut, and no flipped bit, does any harm. */
static void check_format(const uint8_t *file, size_t size, const char *name) {
  static const uint8_t want[] = {1, 2, 3, 255, 0, 128};
  uint8_t out[6], bytes[512];
  hone_status *status = hone_image_decode(file, size, HONE_PIXELS_RGB, out);
  if (hone_status_code(status) == HONE_UNSUPPORTED) { /* built without the library */
    CHECK(strstr(hone_status_message(status), name));
    hone_status_free(status);
    return;
  }
  CHECK_OK(status);
  CHECK(memcmp(out, want, sizeof want) == 0);
  for (size_t cut = 0; cut < size; cut++) {
    status = hone_image_decode(file, cut, HONE_PIXELS_RGB, out);
    CHECK(status || cut + 2 >= size); /* the end mark alone may be missing */
    hone_status_free(status);
  }
  for (size_t bit = 0; bit < 8 * size; bit++) {
    int64_t height, width;
    memcpy(bytes, file, size);
    bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    status = hone_image_size(bytes, size, &height, &width);
    if (!status && height * width <= 2)
      status = hone_image_decode(bytes, size, HONE_PIXELS_RGB, out);
    hone_status_free(status);
  }
}

TEST(webp_and_jpeg_2000) {
  check_format(webp, sizeof webp, "WebP");
  check_format(jp2, sizeof jp2, "JPEG 2000");
  check_format(jp2 + 85, sizeof jp2 - 85, "JPEG 2000"); /* the codestream alone */
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
  RUN(webp_and_jpeg_2000);
  RUN(unknown_bytes);
  return check_report();
}
