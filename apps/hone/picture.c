/* Pictures as inputs: decoded by the library, resized, normalised, laid out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensors.h"

#define CHANNELS 3

/* What a picture is to become. */
typedef struct target {
  int64_t height, width, channels;
  bool planar; /* channels before rows */
  float mean[CHANNELS], scale[CHANNELS];
} target;

/* "127.5" for all channels, or "123.7,116.3,103.5". */
static bool read_numbers(const char *text, float fallback, float *out) {
  for (int i = 0; i < CHANNELS; i++) out[i] = fallback;
  for (int i = 0; text && *text; i++) {
    char *end;
    float value = strtof(text, &end);
    if (end == text || i == CHANNELS || (*end && *end != ',')) return false;
    for (int c = i; c < CHANNELS; c++) out[c] = value;
    text = *end ? end + 1 : end;
  }
  return true;
}

static bool is_channels(int64_t dim) {
  return dim == 1 || dim == CHANNELS;
}

static bool find_target(const char *path, const picture_rules *rules, const hone_tensor *port,
                        target *out) {
  if (port->rank != 4 && port->rank != 3)
    return complain(path, "a picture is for an input of rank 3 or 4");
  const int64_t *dims = port->dims + port->rank - 3;
  out->planar = rules->layout ? strcmp(rules->layout, "nhwc") != 0
                              : is_channels(dims[0]) || !is_channels(dims[2]);
  out->channels = dims[out->planar ? 0 : 2];
  out->height = dims[out->planar ? 1 : 0];
  out->width = dims[out->planar ? 2 : 1];
  if (out->channels < 0) out->channels = CHANNELS;
  if (!is_channels(out->channels)) return complain(path, "the input has neither 1 nor 3 channels");
  return (read_numbers(rules->mean, 0, out->mean) && read_numbers(rules->scale, 1, out->scale)) ||
         complain(path, "--mean and --scale are a number, or one for each channel");
}

/* The two rows or columns that a pixel of the result lies between, and how near the second. */
typedef struct between {
  int64_t low, high;
  float part;
} between;

static between locate(int64_t at, int64_t from, int64_t to) {
  float centre = ((float)at + 0.5f) * (float)from / (float)to - 0.5f;
  centre = fminf(fmaxf(centre, 0), (float)(from - 1));
  int64_t low = (int64_t)centre;
  return (between){low, low + 1 < from ? low + 1 : low, centre - (float)low};
}

static float sample(const hone_tensor *picture, between y, between x, int64_t channel) {
  const unsigned char *pixels = picture->data;
  int64_t width = picture->dims[1], channels = picture->dims[2];
#define PIXEL(row, column) ((float)pixels[((row)*width + (column)) * channels + channel])
  float top = PIXEL(y.low, x.low) * (1 - x.part) + PIXEL(y.low, x.high) * x.part;
  float bottom = PIXEL(y.high, x.low) * (1 - x.part) + PIXEL(y.high, x.high) * x.part;
#undef PIXEL
  return top * (1 - y.part) + bottom * y.part;
}

static void store(hone_tensor *out, int64_t index, float value) {
  if (out->dtype == HONE_F32)
    ((float *)out->data)[index] = value;
  else
    ((unsigned char *)out->data)[index] = (unsigned char)fminf(fmaxf(rintf(value), 0), 255);
}

static void fill(const hone_tensor *picture, const target *t, hone_tensor *out) {
  for (int64_t row = 0; row < t->height; row++) {
    between y = locate(row, picture->dims[0], t->height);
    for (int64_t column = 0; column < t->width; column++) {
      between x = locate(column, picture->dims[1], t->width);
      for (int64_t c = 0; c < t->channels; c++) {
        int64_t index = t->planar ? (c * t->height + row) * t->width + column
                                  : (row * t->width + column) * t->channels + c;
        store(out, index, (sample(picture, y, x, c) - t->mean[c]) * t->scale[c]);
      }
    }
  }
}

static bool convert(const char *path, const hone_tensor *picture, target *t,
                    const hone_tensor *port, hone_tensor *out) {
  if (t->height < 0) t->height = picture->dims[0];
  if (t->width < 0) t->width = picture->dims[1];
  *out = (hone_tensor){.struct_size = sizeof *out, .dtype = port->dtype, .rank = port->rank};
  out->dims[0] = 1;
  int64_t *dims = out->dims + port->rank - 3;
  dims[t->planar ? 0 : 2] = t->channels;
  dims[t->planar ? 1 : 0] = t->height;
  dims[t->planar ? 2 : 1] = t->width;
  if (!allocate_tensor(path, out)) return false;
  fill(picture, t, out);
  return true;
}

bool read_picture(const char *path, const file_bytes *file, const picture_rules *rules,
                  const hone_tensor *port, hone_tensor *out) {
  target t;
  if (port->dtype != HONE_F32 && port->dtype != HONE_U8)
    return complain(path, "a picture is for an input of f32 or u8");
  if (!find_target(path, rules, port, &t)) return false;
  const char *pixels = rules->pixels ? rules->pixels : t.channels == 1 ? "gray" : "rgb";
  hone_tensor picture = {.struct_size = sizeof picture};
  hone_status *status = hone_picture_decode((hone_bytes){file->data, file->size}, pixels, &picture);
  if (status) {
    complain(path, hone_status_message(status));
    hone_status_free(status);
    return false;
  }
  bool good = picture.dims[2] == t.channels
                  ? convert(path, &picture, &t, port, out)
                  : complain(path, "--pixels does not fit the input's channels");
  hone_data_release(picture.data);
  return good;
}
