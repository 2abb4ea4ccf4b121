/* Reading pictures: JPEG, PNG, TIFF, BMP, PNM, WebP and JPEG 2000, from bytes that are not trusted.
 * Room: base.
 *
 * JPEG, PNG, WebP and JPEG 2000 go through libraries where the build found them; BMP (24 and 32 bits
 * a pixel, uncompressed) and binary PNM (8 bits) are read here. */
#include <string.h>

#ifdef HONE_HAVE_TURBOJPEG
#include <turbojpeg.h>
#endif
#ifdef HONE_HAVE_PNG
#include <png.h>
#endif

#include "base/image.h"
#include "base/image_jpeg2000.h"
#include "base/image_tiff.h"
#include "base/image_webp.h"
#include "base/memory.h"

#define MOST_PIXELS ((int64_t)1 << 28)

typedef struct picture {
  const uint8_t *bytes;
  size_t size;
  int64_t height, width;
} picture;

static hone_status *broken(const char *format) {
  return hone_error(HONE_INVALID_ARGUMENT, "the bytes are not a whole %s picture", format);
}

static hone_status *check_size(picture *p) {
  if (p->height > 0 && p->width > 0 && p->height <= MOST_PIXELS / p->width) return NULL;
  return hone_error(HONE_LIMIT, "a picture of %lld by %lld pixels", (long long)p->width,
                    (long long)p->height);
}

/* ---- BMP ---- */

static uint32_t little(const uint8_t *at, int bytes) {
  uint32_t value = 0;
  for (int i = 0; i < bytes; i++) value |= (uint32_t)at[i] << (8 * i);
  return value;
}

static hone_status *bmp_size(picture *p) {
  if (p->size < 54 || little(p->bytes + 14, 4) < 40) return broken("BMP");
  int32_t height = (int32_t)little(p->bytes + 22, 4);
  p->width = (int32_t)little(p->bytes + 18, 4);
  p->height = height < 0 ? -(int64_t)height : height; /* negative: rows from the top */
  return check_size(p);
}

static hone_status *bmp_decode(picture *p, uint8_t *rgb) {
  uint32_t start = little(p->bytes + 10, 4), bits = little(p->bytes + 28, 2);
  bool from_top = (int32_t)little(p->bytes + 22, 4) < 0;
  if (little(p->bytes + 30, 4) != 0 || (bits != 24 && bits != 32))
    return hone_error(HONE_UNSUPPORTED, "a BMP of %u bits a pixel, or compressed", bits);
  size_t pixel = bits / 8, row = hone_align_up((size_t)p->width * pixel, 4);
  if (start > p->size || (p->size - start) / row < (size_t)p->height) return broken("BMP");
  for (int64_t y = 0; y < p->height; y++) {
    const uint8_t *from = p->bytes + start + (size_t)(from_top ? y : p->height - 1 - y) * row;
    for (int64_t x = 0; x < p->width; x++, from += pixel, rgb += 3) {
      rgb[0] = from[2];
      rgb[1] = from[1];
      rgb[2] = from[0];
    }
  }
  return NULL;
}

/* ---- PNM ---- */

static bool is_space(uint8_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next number of the header; -1 where there is none. Comments run to the end of a line. */
static int64_t pnm_number(const picture *p, size_t *at) {
  for (; *at < p->size && (is_space(p->bytes[*at]) || p->bytes[*at] == '#'); ++*at)
    if (p->bytes[*at] == '#')
      while (*at < p->size && p->bytes[*at] != '\n') ++*at;
  int64_t value = -1;
  for (; *at < p->size && p->bytes[*at] >= '0' && p->bytes[*at] <= '9'; ++*at)
    if (value < INT32_MAX) value = (value < 0 ? 0 : value) * 10 + (p->bytes[*at] - '0');
  return value;
}

/* Reads the header; *at is then where the pixels start. */
static hone_status *pnm_header(picture *p, size_t *at) {
  *at = 2;
  p->width = pnm_number(p, at);
  p->height = pnm_number(p, at);
  int64_t most = pnm_number(p, at);
  HONE_TRY(check_size(p));
  if (most < 1 || most > 255)
    return hone_error(HONE_UNSUPPORTED, "a PNM with samples up to %lld", (long long)most);
  ++*at;
  return NULL;
}

static hone_status *pnm_decode(picture *p, uint8_t *rgb) {
  size_t at, samples = p->bytes[1] == '6' ? 3 : 1, pixels = (size_t)(p->height * p->width);
  HONE_TRY(pnm_header(p, &at));
  if (at > p->size || (p->size - at) / samples < pixels) return broken("PNM");
  const uint8_t *from = p->bytes + at;
  for (size_t i = 0; i < 3 * pixels; i++) rgb[i] = from[samples == 3 ? i : i / 3];
  return NULL;
}

static hone_status *pnm_size(picture *p) {
  size_t at;
  return pnm_header(p, &at);
}

/* ---- Formats with a file of their own ---- */

#define READER(name)                                                             \
  static hone_status *name##_decode(picture *p, uint8_t *rgb) {                  \
    return hone_##name##_read(p->bytes, p->size, &p->height, &p->width, rgb);    \
  }                                                                              \
  static hone_status *name##_size(picture *p) {                                  \
    HONE_TRY(hone_##name##_read(p->bytes, p->size, &p->height, &p->width, NULL)); \
    return check_size(p);                                                        \
  }

READER(tiff)
#ifdef HONE_HAVE_WEBP
READER(webp)
#define WEBP webp_size, webp_decode
#else
#define WEBP NULL, NULL
#endif
#ifdef HONE_HAVE_OPENJPEG
READER(jpeg2000)
#define JPEG2000 jpeg2000_size, jpeg2000_decode
#else
#define JPEG2000 NULL, NULL
#endif

/* ---- JPEG ---- */

#ifdef HONE_HAVE_TURBOJPEG
static hone_status *jpeg_size(picture *p) {
  tjhandle handle = tjInitDecompress();
  if (!handle) return hone_error_memory();
  int width = 0, height = 0, sampling, colours;
  int failed = tjDecompressHeader3(handle, p->bytes, (unsigned long)p->size, &width, &height,
                                   &sampling, &colours);
  tjDestroy(handle);
  p->width = width;
  p->height = height;
  return failed ? broken("JPEG") : check_size(p);
}

static hone_status *jpeg_decode(picture *p, uint8_t *rgb) {
  tjhandle handle = tjInitDecompress();
  if (!handle) return hone_error_memory();
  int failed = tjDecompress2(handle, p->bytes, (unsigned long)p->size, rgb, (int)p->width, 0,
                             (int)p->height, TJPF_RGB, TJFLAG_ACCURATEDCT);
  tjDestroy(handle);
  return failed ? broken("JPEG") : NULL;
}
#define JPEG jpeg_size, jpeg_decode
#else
#define JPEG NULL, NULL
#endif

/* ---- PNG ---- */

#ifdef HONE_HAVE_PNG
static hone_status *png_read(picture *p, uint8_t *rgb) {
  png_image image = {.version = PNG_IMAGE_VERSION};
  if (!png_image_begin_read_from_memory(&image, p->bytes, p->size)) return broken("PNG");
  p->width = image.width;
  p->height = image.height;
  image.format = PNG_FORMAT_RGB;
  hone_status *status = check_size(p);
  if (!status && rgb && !png_image_finish_read(&image, NULL, rgb, 0, NULL)) status = broken("PNG");
  png_image_free(&image);
  return status;
}

static hone_status *png_size(picture *p) {
  return png_read(p, NULL);
}
#define PNG png_size, png_read
#else
#define PNG NULL, NULL
#endif

/* ---- All ---- */

typedef struct image_format {
  const char *name, *magic;
  size_t at, magic_size;
  hone_status *(*size)(picture *p); /* NULL: built without the library that reads it */
  hone_status *(*decode)(picture *p, uint8_t *rgb);
} image_format;

static const image_format formats[] = {
    {"BMP", "BM", 0, 2, bmp_size, bmp_decode},
    {"PNM", "P5", 0, 2, pnm_size, pnm_decode},
    {"PNM", "P6", 0, 2, pnm_size, pnm_decode},
    {"TIFF", "II*\0", 0, 4, tiff_size, tiff_decode},
    {"TIFF", "MM\0*", 0, 4, tiff_size, tiff_decode},
    {"JPEG", "\xff\xd8\xff", 0, 3, JPEG},
    {"PNG", "\x89PNG\r\n\x1a\n", 0, 8, PNG},
    {"WebP", "WEBP", 8, 4, WEBP},
    {"JPEG 2000", "\0\0\0\x0cjP  \r\n\x87\n", 0, 12, JPEG2000},
    {"JPEG 2000", "\xff\x4f\xff\x51", 0, 4, JPEG2000},
};

static hone_status *open_picture(const void *bytes, size_t size, picture *p,
                                 const image_format **out) {
  *p = (picture){.bytes = bytes, .size = size};
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    const image_format *f = &formats[i];
    if (size < f->at + f->magic_size || memcmp(p->bytes + f->at, f->magic, f->magic_size) != 0)
      continue;
    if (!f->size)
      return hone_error(HONE_UNSUPPORTED, "a %s picture: this library was built without its decoder",
                        f->name);
    *out = f;
    return f->size(p);
  }
  return hone_error(HONE_UNSUPPORTED, "the bytes are no picture of a format that is known here");
}

hone_status *hone_image_size(const void *bytes, size_t size, int64_t *height, int64_t *width) {
  picture p;
  const image_format *format;
  HONE_TRY(open_picture(bytes, size, &p, &format));
  *height = p.height;
  *width = p.width;
  return NULL;
}

/* RGB in place to BGR, or to gray at the front. */
static void convert(uint8_t *rgb, size_t pixels, hone_pixels to, uint8_t *out) {
  for (size_t i = 0; i < pixels; i++) {
    uint8_t red = rgb[3 * i], green = rgb[3 * i + 1], blue = rgb[3 * i + 2];
    if (to == HONE_PIXELS_GRAY) {
      /* 0.299, 0.587, 0.114 of 65536, rounded. */
      out[i] = (uint8_t)((19595u * red + 38470u * green + 7471u * blue + 0x8000u) >> 16);
    } else {
      out[3 * i] = blue;
      out[3 * i + 2] = red;
    }
  }
}

hone_status *hone_image_decode(const void *bytes, size_t size, hone_pixels pixels, uint8_t *out) {
  picture p;
  const image_format *format;
  HONE_TRY(open_picture(bytes, size, &p, &format));
  size_t count = (size_t)(p.height * p.width);
  if (pixels != HONE_PIXELS_GRAY) {
    HONE_TRY(format->decode(&p, out));
    if (pixels == HONE_PIXELS_BGR) convert(out, count, pixels, out);
    return NULL;
  }
  uint8_t *rgb = hone_alloc(3 * count);
  HONE_TRY_MEMORY(rgb);
  hone_status *status = format->decode(&p, rgb);
  if (!status) convert(rgb, count, pixels, out);
  hone_free(rgb);
  return status;
}
