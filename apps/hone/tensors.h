/* Tensors of the command: from files, from pictures, made up. */
#ifndef HONE_COMMAND_TENSORS_H
#define HONE_COMMAND_TENSORS_H

#include <stdio.h>

#include <hone/hone.h>

/* Memory for every input. `data` of each is malloc's. */
typedef struct tensor_list {
  hone_tensor *tensors;
  size_t count;
} tensor_list;

void free_tensors(tensor_list *list);

/* The bytes of a file; `data` is malloc's, with a zero after it. False after saying why not. */
typedef struct file_bytes {
  unsigned char *data;
  size_t size;
} file_bytes;
bool read_file(const char *path, file_bytes *out);

/* Says what is wrong with a file; always false. */
static inline bool complain(const char *path, const char *what) {
  fprintf(stderr, "hone: '%s': %s\n", path, what);
  return false;
}

bool has_ending(const char *path, const char *ending);

/* NumPy's .npy format, version 1 to 3, C order, little-endian; strings of fixed width (U, and S as it
 * is). False after saying why not. */
bool parse_npy(const char *path, const unsigned char *bytes, size_t size, hone_tensor *out);
bool write_npy(const char *path, const hone_tensor *tensor);

/* The member `name`.npy of an .npz (a zip file of .npy files, stored or deflated). `name` NULL: the
 * only one. False after saying why not. */
bool read_npz(const char *path, const file_bytes *file, const char *name, hone_tensor *out);
bool npz_has(const file_bytes *file, const char *name);
bool is_npz(const file_bytes *file);

/* Strings. The tensor's `data` is one malloc's block, characters included. False after saying why
 * not. */
/* A line of the file each; the input's open dimension is as many as there are. */
bool parse_lines(const char *path, const file_bytes *file, const hone_tensor *port,
                 const hone_tensor *shape, hone_tensor *out);
/* All of the file is the only element. */
bool whole_as_string(const char *path, const file_bytes *file, const hone_tensor *shape,
                     hone_tensor *out);
/* Elements of `width` bytes or, `wide`, code points of 4 bytes each; `out` has its dims. */
bool unpack_strings(const char *path, const unsigned char *from, size_t width, bool wide,
                    hone_tensor *out);
/* Code points of the longest element, at least 1; 0 where one is no UTF-8. */
size_t widest_string(const hone_tensor *tensor);
/* The code points, zeros behind them. */
void pack_string(const hone_string *string, size_t width, uint32_t *out);
bool same_strings(const hone_tensor *a, const hone_tensor *b);

/* How a picture becomes a tensor: decoded, resized (bilinear, pixel centres at halves) to the
 * input's height and width where those are known, then (pixel - mean) * scale for each channel. */
typedef struct picture_rules {
  const char *pixels;       /* "rgb", "bgr", "gray"; NULL: by the input's channels */
  const char *layout;       /* "nchw", "nhwc"; NULL: where the input has 1 or 3 channels */
  const char *mean, *scale; /* a number, or one for each channel; NULL: 0 and 1 */
} picture_rules;
bool read_picture(const char *path, const file_bytes *file, const picture_rules *rules,
                  const hone_tensor *port, hone_tensor *out);

/* Element `index` of a tensor of numbers; NaN where the type is none (has_numbers). */
double tensor_value(const hone_tensor *tensor, size_t index);
bool has_numbers(hone_dtype dtype);
size_t tensor_count(const hone_tensor *tensor);
/* "f32[1, 3, 224, 224]" into `buffer`. */
const char *tensor_text(const hone_tensor *tensor, char *buffer, size_t room);

/* Memory for a tensor whose type and dims are set; false after saying that there is none. */
bool allocate_tensor(const char *name, hone_tensor *tensor);
/* Seeded numbers: floats in [-1, 1), everything else 1, which is a valid token, mask and length. */
void fill_seeded(hone_tensor *tensor);

#endif
