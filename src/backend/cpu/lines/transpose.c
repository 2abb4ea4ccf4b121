/* Transposing small blocks: of four-byte elements by fours, of bytes and halves by riffles, of
 * others one by one. Room: backend/cpu/lines.
 *
 * A riffle of n vectors takes them as one pack of cards and lays the halves alternately: it rotates
 * the bits of each element's index by one. So log2 of the rows' number of riffles transpose any
 * matrix whose sizes are powers of two. */
#include "backend/cpu/lines/transpose.h"

#include <stdbool.h>
#include <string.h>

#include "backend/cpu/lines/by_element.h"
#include "backend/cpu/simd/isa.h"

#define BLOCK HONE_TRANSPOSE_BLOCK

/* ---- One by one ----------------------------------------------------------------------------- */

static void transpose_single(size_t element, char *to, ptrdiff_t to_stride, const char *from,
                             ptrdiff_t from_stride, size_t rows, size_t columns) {
#define TRANSPOSE(type)                                    \
  for (size_t j = 0; j < columns; j++)                     \
    for (size_t i = 0; i < rows; i++)                      \
  memcpy(to + (ptrdiff_t)j * to_stride + i * sizeof(type), \
         from + (ptrdiff_t)i * from_stride + j * sizeof(type), sizeof(type))
  HONE_BY_ELEMENT(element, TRANSPOSE)
#undef TRANSPOSE
}

/* ---- Elements of four bytes ----------------------------------------------------------------- */

typedef uint32_t four __attribute__((vector_size(16)));

static inline four load_four(const char *from) {
  four x;
  memcpy(&x, from, sizeof x);
  return x;
}

static inline void store_four(char *to, four x) {
  memcpy(to, &x, sizeof x);
}

/* Four rows of four. */
static inline void transpose_fours(char *to, ptrdiff_t to_stride, const char *from,
                                   ptrdiff_t from_stride) {
  four r0 = load_four(from), r1 = load_four(from + from_stride);
  four r2 = load_four(from + 2 * from_stride), r3 = load_four(from + 3 * from_stride);
  four a = __builtin_shufflevector(r0, r1, 0, 4, 1, 5);
  four b = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
  four c = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
  four d = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
  store_four(to, __builtin_shufflevector(a, c, 0, 1, 4, 5));
  store_four(to + to_stride, __builtin_shufflevector(a, c, 2, 3, 6, 7));
  store_four(to + 2 * to_stride, __builtin_shufflevector(b, d, 0, 1, 4, 5));
  store_four(to + 3 * to_stride, __builtin_shufflevector(b, d, 2, 3, 6, 7));
}

static size_t distance(ptrdiff_t stride) {
  return (size_t)(stride < 0 ? -stride : stride);
}

/* As far as fours of rows and columns go. Where lines are far apart, and so in one place of the
 * cache, all of four is done before the next. */
static void transpose_words(char *to, ptrdiff_t to_stride, const char *from, ptrdiff_t from_stride,
                            size_t rows, size_t columns) {
  bool by_rows = distance(from_stride) > distance(to_stride);
  size_t most = by_rows ? rows : columns, least = by_rows ? columns : rows;
  for (size_t p = 0; p < most; p += 4)
    for (size_t q = 0; q < least; q += 4) {
      size_t i = by_rows ? p : q, j = by_rows ? q : p;
      transpose_fours(to + (ptrdiff_t)j * to_stride + i * 4, to_stride,
                      from + (ptrdiff_t)i * from_stride + j * 4, from_stride);
    }
}

/* ---- Bytes and halves ----------------------------------------------------------------------- */

typedef uint8_t bytes __attribute__((vector_size(16)));
typedef uint16_t halves __attribute__((vector_size(16)));
typedef uint64_t eights __attribute__((vector_size(16)));

static inline __attribute__((always_inline)) void riffle_bytes(bytes *x, int n) {
  bytes y[16];
  HONE_UNROLL
  for (int i = 0; i < n / 2; i++) {
    y[2 * i] = __builtin_shufflevector(x[i], x[i + n / 2], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21,
                                       6, 22, 7, 23);
    y[2 * i + 1] = __builtin_shufflevector(x[i], x[i + n / 2], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28,
                                           13, 29, 14, 30, 15, 31);
  }
  HONE_UNROLL
  for (int i = 0; i < n; i++) x[i] = y[i];
}

static inline __attribute__((always_inline)) void riffle_halves(halves *x, int n) {
  halves y[8];
  HONE_UNROLL
  for (int i = 0; i < n / 2; i++) {
    y[2 * i] = __builtin_shufflevector(x[i], x[i + n / 2], 0, 8, 1, 9, 2, 10, 3, 11);
    y[2 * i + 1] = __builtin_shufflevector(x[i], x[i + n / 2], 4, 12, 5, 13, 6, 14, 7, 15);
  }
  HONE_UNROLL
  for (int i = 0; i < n; i++) x[i] = y[i];
}

/* 8 rows of 16 bytes: with 16 rows vectors would not all stay in registers. */
static inline __attribute__((always_inline)) void transpose_half(char *to, ptrdiff_t to_stride,
                                                                 const char *from,
                                                                 ptrdiff_t from_stride) {
  bytes x[8];
  HONE_UNROLL
  for (int i = 0; i < 8; i++) memcpy(&x[i], from + i * from_stride, sizeof x[i]);
  HONE_UNROLL
  for (int k = 0; k < 3; k++) riffle_bytes(x, 8);
  HONE_UNROLL
  for (int j = 0; j < 8; j++) {
    const eights two = (eights)x[j];
    uint64_t first = two[0], second = two[1];
    memcpy(to + 2 * j * to_stride, &first, 8);
    memcpy(to + (2 * j + 1) * to_stride, &second, 8);
  }
}

/* 16 rows of 16 bytes. */
static void transpose_bytes(char *to, ptrdiff_t to_stride, const char *from,
                            ptrdiff_t from_stride) {
  transpose_half(to, to_stride, from, from_stride);
  transpose_half(to + 8, to_stride, from + 8 * from_stride, from_stride);
}

/* 8 rows of 8 halves. */
static void transpose_halves(char *to, ptrdiff_t to_stride, const char *from,
                             ptrdiff_t from_stride) {
  halves x[8];
  HONE_UNROLL
  for (int i = 0; i < 8; i++) memcpy(&x[i], from + i * from_stride, sizeof x[i]);
  HONE_UNROLL
  for (int k = 0; k < 3; k++) riffle_halves(x, 8);
  HONE_UNROLL
  for (int j = 0; j < 8; j++) memcpy(to + j * to_stride, &x[j], sizeof x[j]);
}

/* At most four rows of 16 bytes: planes of a picture to pixels. Dense pixels are stored by four
 * bytes, the last of which the next pixel overwrites. */
static void join_planes(char *to, ptrdiff_t to_stride, const char *from, ptrdiff_t from_stride,
                        size_t rows) {
  bytes x[4] = {{0}};
  uint8_t pixel[16][4];
  for (size_t i = 0; i < rows; i++) memcpy(&x[i], from + (ptrdiff_t)i * from_stride, sizeof x[i]);
  riffle_bytes(x, 4);
  riffle_bytes(x, 4);
  memcpy(pixel, x, sizeof pixel);
  int j = 0;
  for (; to_stride == 3 && j < 15; j++) memcpy(to + j * to_stride, pixel[j], 4);
  for (; j < 16; j++) memcpy(to + j * to_stride, pixel[j], rows);
}

static inline bytes upper_half(bytes x) {
  return (bytes)__builtin_shufflevector((eights)x, (eights)x, 1, 1);
}
/* The lower halves. */
static inline bytes alternate(bytes x, bytes y) {
  return __builtin_shufflevector(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

/* 16 dense pixels of three bytes to planes: a riffle takes card n of the 48 to place 2 n mod 47, so four
 * take card 3 p + c to p + 16 c. */
static void part_threes(char *to, ptrdiff_t to_stride, const char *from) {
  bytes x, y, z;
  memcpy(&x, from, sizeof x);
  memcpy(&y, from + 16, sizeof y);
  memcpy(&z, from + 32, sizeof z);
  HONE_UNROLL
  for (int k = 0; k < 4; k++) {
    bytes a = alternate(x, upper_half(y)), b = alternate(upper_half(x), z);
    z = alternate(y, upper_half(z));
    x = a;
    y = b;
  }
  memcpy(to, &x, sizeof x);
  memcpy(to + to_stride, &y, sizeof y);
  memcpy(to + 2 * to_stride, &z, sizeof z);
}

/* 16 rows of at most four bytes: pixels to planes. Each but the last is read as four bytes where
 * the next one follows it. */
static void part_pixels(char *to, ptrdiff_t to_stride, const char *from, ptrdiff_t from_stride,
                        size_t columns) {
  uint8_t pixel[16][4] = {{0}};
  bytes x[4];
  int i = 0;
  for (; from_stride == 3 && i < 15; i++) memcpy(pixel[i], from + i * from_stride, 4);
  for (; i < 16; i++) memcpy(pixel[i], from + i * from_stride, columns);
  memcpy(x, pixel, sizeof x);
  HONE_UNROLL
  for (int k = 0; k < 4; k++) riffle_bytes(x, 4);
  for (size_t j = 0; j < columns; j++) memcpy(to + (ptrdiff_t)j * to_stride, &x[j], sizeof x[j]);
}

/* ---- Choosing ------------------------------------------------------------------------------- */

/* The largest corner of the block that has vectors; 0: none. */
static void vector_corner(size_t element, size_t *rows, size_t *columns) {
  size_t edge = element == 1 ? 16 : element == 2 ? 8 : element == 4 ? 4 : 0;
  bool few_rows = element == 1 && *rows <= 4 && *columns == 16;
  bool few_columns = element == 1 && *columns <= 4 && *rows == 16;
  if (few_rows || few_columns) return;
  *rows = edge ? *rows / edge * edge : 0;
  *columns = edge ? *columns / edge * edge : 0;
  if (*rows == 0 || *columns == 0) *rows = *columns = 0;
}

static void transpose_corner(size_t element, char *to, ptrdiff_t to_stride, const char *from,
                             ptrdiff_t from_stride, size_t rows, size_t columns) {
  if (element == 4)
    transpose_words(to, to_stride, from, from_stride, rows, columns);
  else if (element == 1 && rows <= 4)
    join_planes(to, to_stride, from, from_stride, rows);
  else if (element == 1 && columns == 3 && from_stride == 3)
    part_threes(to, to_stride, from);
  else if (element == 1 && columns <= 4)
    part_pixels(to, to_stride, from, from_stride, columns);
  else if (element == 1)
    transpose_bytes(to, to_stride, from, from_stride);
  else
    for (size_t i = 0; i < rows; i += 8)
      for (size_t j = 0; j < columns; j += 8)
        transpose_halves(to + (ptrdiff_t)j * to_stride + i * 2, to_stride,
                         from + (ptrdiff_t)i * from_stride + j * 2, from_stride);
}

void hone_transpose_block(size_t element, char *to, ptrdiff_t to_stride, const char *from,
                          ptrdiff_t from_stride, size_t rows, size_t columns) {
  size_t r = rows, c = columns;
  vector_corner(element, &r, &c);
  if (r > 0) transpose_corner(element, to, to_stride, from, from_stride, r, c);
  if (c < columns)
    transpose_single(element, to + (ptrdiff_t)c * to_stride, to_stride, from + c * element,
                     from_stride, rows, columns - c);
  if (r < rows && c > 0)
    transpose_single(element, to + r * element, to_stride, from + (ptrdiff_t)r * from_stride,
                     from_stride, rows - r, c);
}
