/* JPEG 2000 through OpenJPEG. Room: base. */
#include "base/image_jpeg2000.h"

#ifdef HONE_HAVE_OPENJPEG
#include <openjpeg.h>
#include <stdbool.h>
#include <string.h>

/* The decoder holds 4 bytes of each component of each pixel beside the result. */
#define MOST_PIXELS ((int64_t)1 << 26)

static hone_status *broken(void) {
  return hone_error(HONE_INVALID_ARGUMENT, "the bytes are not a whole JPEG 2000 picture");
}

/* ---- Bytes as OpenJPEG reads them ---- */

typedef struct reader {
  const uint8_t *bytes;
  size_t size, at;
} reader;

static OPJ_SIZE_T read_some(void *to, OPJ_SIZE_T count, void *argument) {
  reader *r = argument;
  size_t left = r->size - r->at;
  if (left == 0) return (OPJ_SIZE_T)-1; /* the end, by its contract */
  if (count > left) count = left;
  memcpy(to, r->bytes + r->at, count);
  r->at += count;
  return count;
}

static OPJ_OFF_T skip(OPJ_OFF_T count, void *argument) {
  reader *r = argument;
  if (count < 0 || (uint64_t)count > r->size - r->at) return -1;
  r->at += (size_t)count;
  return count;
}

static OPJ_BOOL seek(OPJ_OFF_T at, void *argument) {
  reader *r = argument;
  if (at < 0 || (uint64_t)at > r->size) return OPJ_FALSE;
  r->at = (size_t)at;
  return OPJ_TRUE;
}

static opj_stream_t *open_stream(reader *r) {
  opj_stream_t *stream = opj_stream_default_create(OPJ_TRUE);
  if (!stream) return NULL;
  opj_stream_set_user_data(stream, r, NULL);
  opj_stream_set_user_data_length(stream, r->size);
  opj_stream_set_read_function(stream, read_some);
  opj_stream_set_skip_function(stream, skip);
  opj_stream_set_seek_function(stream, seek);
  return stream;
}

/* ---- Pixels ---- */

/* A sample in 0 to 255, where the component is coarser than the picture the one that covers it. */
static int sample(const opj_image_t *image, int component, int64_t x, int64_t y) {
  const opj_image_comp_t *c = &image->comps[component];
  int64_t column = x / c->dx, row = y / c->dy;
  if (column >= c->w) column = c->w - 1;
  if (row >= c->h) row = c->h - 1;
  int64_t most = ((int64_t)1 << c->prec) - 1, value = c->data[row * c->w + column];
  if (c->sgnd) value += (int64_t)1 << (c->prec - 1);
  value = value < 0 ? 0 : value > most ? most : value;
  return (int)(c->prec > 8 ? value >> (c->prec - 8) : value * 255 / most);
}

static uint8_t rounded(double value) {
  return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5);
}

/* BT.601, full range, as sYCC has it (IEC 61966-2-1, annex F). */
static void to_rgb(uint8_t *pixel) {
  double y = pixel[0], cb = pixel[1] - 128.0, cr = pixel[2] - 128.0;
  pixel[0] = rounded(y + 1.402 * cr);
  pixel[1] = rounded(y - 0.344136 * cb - 0.714136 * cr);
  pixel[2] = rounded(y + 1.772 * cb);
}

static void copy_pixels(const opj_image_t *image, uint8_t *rgb) {
  int64_t width = image->x1 - image->x0, height = image->y1 - image->y0;
  bool colours = image->numcomps >= 3;
  for (int64_t y = 0; y < height; y++)
    for (int64_t x = 0; x < width; x++, rgb += 3) {
      for (int i = 0; i < 3; i++) rgb[i] = (uint8_t)sample(image, colours ? i : 0, x, y);
      if (image->color_space == OPJ_CLRSPC_SYCC) to_rgb(rgb);
    }
}

static hone_status *check_header(const opj_image_t *image) {
  int64_t width = (int64_t)image->x1 - image->x0, height = (int64_t)image->y1 - image->y0;
  if (width <= 0 || height <= 0 || image->numcomps == 0) return broken();
  if (height > MOST_PIXELS / width)
    return hone_error(HONE_LIMIT, "a JPEG 2000 picture of %lld by %lld pixels", (long long)width,
                      (long long)height);
  if (image->color_space == OPJ_CLRSPC_CMYK || image->color_space == OPJ_CLRSPC_EYCC)
    return hone_error(HONE_UNSUPPORTED, "a JPEG 2000 picture that is not gray, RGB or YCC");
  return NULL;
}

/* Whether the components that are read are there, with samples of at most 31 bits. */
static bool is_whole(const opj_image_t *image) {
  for (OPJ_UINT32 i = 0; i < image->numcomps && i < 3; i++) {
    const opj_image_comp_t *c = &image->comps[i];
    if (!c->data || c->w == 0 || c->h == 0 || c->dx == 0 || c->dy == 0 || c->prec == 0 ||
        c->prec > 31)
      return false;
  }
  return true;
}

/* ---- The codec ---- */

static hone_status *decode(opj_codec_t *codec, opj_stream_t *stream, int64_t *height,
                           int64_t *width, uint8_t *rgb, opj_image_t **image) {
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  if (!opj_setup_decoder(codec, &parameters) || !opj_read_header(stream, codec, image))
    return broken();
  HONE_TRY(check_header(*image));
  *width = (int64_t)(*image)->x1 - (*image)->x0;
  *height = (int64_t)(*image)->y1 - (*image)->y0;
  if (!rgb) return NULL;
  if (!opj_decode(codec, stream, *image) || !opj_end_decompress(codec, stream) ||
      !is_whole(*image))
    return broken();
  copy_pixels(*image, rgb);
  return NULL;
}

hone_status *hone_jpeg2000_read(const uint8_t *bytes, size_t size, int64_t *height, int64_t *width,
                                uint8_t *rgb) {
  reader r = {.bytes = bytes, .size = size};
  bool bare = size > 0 && bytes[0] == 0xff; /* a codestream, not in the boxes of a .jp2 */
  opj_codec_t *codec = opj_create_decompress(bare ? OPJ_CODEC_J2K : OPJ_CODEC_JP2);
  opj_stream_t *stream = open_stream(&r);
  opj_image_t *image = NULL;
  hone_status *status = codec && stream ? decode(codec, stream, height, width, rgb, &image)
                                        : hone_error_memory();
  opj_image_destroy(image);
  if (stream) opj_stream_destroy(stream);
  if (codec) opj_destroy_codec(codec);
  return status;
}
#endif
