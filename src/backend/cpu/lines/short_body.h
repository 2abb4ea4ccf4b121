/* Short lines for one instruction set: included by short_*.c with SHORT defined.
 * Room: backend/cpu/lines.
 *
 * A line is MOST vectors at most; the last one holds `rest` numbers. */
#include "backend/cpu/lines/short.h"
#include "backend/cpu/simd/simd_more.h"

enum { MOST = 8 };

#define LINES_OF(function, ...)                                \
  {                                                            \
    size_t vectors = (size + VF_LANES - 1) / VF_LANES;         \
    const int rest = (int)(size - (vectors - 1) * VF_LANES);   \
    for (size_t l = 0; l < lines; l++, x += size, y += size) { \
      if (vectors == 1) function(1, rest, __VA_ARGS__);        \
      if (vectors == 2) function(2, rest, __VA_ARGS__);        \
      if (vectors == 3) function(3, rest, __VA_ARGS__);        \
      if (vectors == 4) function(4, rest, __VA_ARGS__);        \
      if (vectors == 5) function(5, rest, __VA_ARGS__);        \
      if (vectors == 6) function(6, rest, __VA_ARGS__);        \
      if (vectors == 7) function(7, rest, __VA_ARGS__);        \
      if (vectors == 8) function(8, rest, __VA_ARGS__);        \
    }                                                          \
  }

HONE_INLINE void load_line(const float *x, const int vectors, int rest, vf *to) {
  HONE_UNROLL
  for (int i = 0; i < vectors - 1; i++) to[i] = vf_load(x + i * VF_LANES);
  to[vectors - 1] = vf_load_n(x + (vectors - 1) * VF_LANES, rest);
}

HONE_INLINE void store_line(float *y, const int vectors, int rest, const vf *from) {
  HONE_UNROLL
  for (int i = 0; i < vectors - 1; i++) vf_store(y + i * VF_LANES, from[i]);
  vf_store_n(y + (vectors - 1) * VF_LANES, from[vectors - 1], rest);
}

/* The sum of a line whose lanes beyond `rest` are anything. */
HONE_INLINE float sum_line(const vf *x, const int vectors, int rest) {
  vf sum = vf_keep_n(x[vectors - 1], rest, vf_set(0));
  HONE_UNROLL
  for (int i = 0; i < vectors - 1; i++) sum = vf_add(sum, x[i]);
  return vf_sum(sum);
}

/* ---- Softmax -------------------------------------------------------------------------------- */

/* A NaN may get lost in the greatest number, but not in the sum. */
HONE_INLINE float most_of_line(const vf *x, const int vectors, int rest) {
  vf most = vf_keep_n(x[vectors - 1], rest, vf_set(-INFINITY));
  HONE_UNROLL
  for (int i = 0; i < vectors - 1; i++) most = vf_max(most, x[i]);
  return vf_largest(most);
}

HONE_INLINE void softmax_line(const int vectors, int rest, const float *x, bool log, float *y) {
  vf line[MOST], power[MOST];
  load_line(x, vectors, rest, line);
  const vf most = vf_set(most_of_line(line, vectors, rest));
  HONE_UNROLL
  for (int i = 0; i < vectors; i++) {
    line[i] = vf_sub(line[i], most);
    power[i] = vf_exp(line[i]);
  }
  const float sum = sum_line(power, vectors, rest);
  const vf factor = vf_set(1 / sum), shift = log ? vf_log(vf_set(sum)) : factor;
  HONE_UNROLL
  for (int i = 0; i < vectors; i++)
    power[i] = log ? vf_sub(line[i], shift) : vf_mul(power[i], factor);
  store_line(y, vectors, rest, power);
}

static void softmax(const float *x, size_t size, size_t lines, bool log, float *y) {
  if (log)
    LINES_OF(softmax_line, x, true, y)
  else
    LINES_OF(softmax_line, x, false, y)
}

/* ---- Normalisation -------------------------------------------------------------------------- */

HONE_INLINE void norm_line(const int vectors, int rest, const hone_short_norm *n, size_t l,
                           size_t size, const float *x, float *y) {
  vf line[MOST], term[MOST];
  load_line(x, vectors, rest, line);
  const double count = (double)size;
  const float mean = n->centred ? (float)((double)sum_line(line, vectors, rest) / count) : 0;
  HONE_UNROLL
  for (int i = 0; i < vectors; i++) {
    line[i] = vf_sub(line[i], vf_set(mean));
    term[i] = vf_mul(line[i], line[i]);
  }
  const double squares = (double)sum_line(term, vectors, rest);
  const float inverse = (float)(1 / sqrt(squares / count + n->epsilon));
  HONE_UNROLL
  for (int i = 0; i < vectors; i++) line[i] = vf_mul(line[i], vf_set(inverse));
  if (n->scale) {
    load_line(n->scale, vectors, rest, term);
    HONE_UNROLL
    for (int i = 0; i < vectors; i++) line[i] = vf_mul(line[i], term[i]);
  }
  if (n->bias) {
    load_line(n->bias, vectors, rest, term);
    HONE_UNROLL
    for (int i = 0; i < vectors; i++) line[i] = vf_add(line[i], term[i]);
  }
  store_line(y, vectors, rest, line);
  if (n->means) n->means[l] = mean;
  if (n->inverses) n->inverses[l] = inverse;
}

static void norm(const hone_short_norm *n, const float *x, size_t size, size_t lines, float *y) {
  LINES_OF(norm_line, n, l, size, x, y)
}

/* ---- Folds ---------------------------------------------------------------------------------- */

/* Of each pair of vectors groups of lanes side by side: the first of each two groups of x, then of
 * y (LOW), or the second ones (HIGH); groups of 8, 4, 2, 1. */
#if VF_LANES == 16
#define LOW8(x, y) \
  __builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define HIGH8(x, y) \
  __builtin_shufflevector(x, y, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
#define LOW4(x, y) \
  __builtin_shufflevector(x, y, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27)
#define HIGH4(x, y) \
  __builtin_shufflevector(x, y, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31)
#define LOW2(x, y) \
  __builtin_shufflevector(x, y, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define HIGH2(x, y) \
  __builtin_shufflevector(x, y, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#define LOW1(x, y) \
  __builtin_shufflevector(x, y, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30)
#define HIGH1(x, y) \
  __builtin_shufflevector(x, y, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31)
#elif VF_LANES == 8
#define LOW8(x, y)  (x)
#define HIGH8(x, y) (x)
#define LOW4(x, y)  __builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11)
#define HIGH4(x, y) __builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15)
#define LOW2(x, y)  __builtin_shufflevector(x, y, 0, 1, 8, 9, 4, 5, 12, 13)
#define HIGH2(x, y) __builtin_shufflevector(x, y, 2, 3, 10, 11, 6, 7, 14, 15)
#define LOW1(x, y)  __builtin_shufflevector(x, y, 0, 8, 2, 10, 4, 12, 6, 14)
#define HIGH1(x, y) __builtin_shufflevector(x, y, 1, 9, 3, 11, 5, 13, 7, 15)
#else
#define LOW8(x, y)  (x)
#define HIGH8(x, y) (x)
#define LOW4(x, y)  (x)
#define HIGH4(x, y) (x)
#define LOW2(x, y)  __builtin_shufflevector(x, y, 0, 1, 4, 5)
#define HIGH2(x, y) __builtin_shufflevector(x, y, 2, 3, 6, 7)
#define LOW1(x, y)  __builtin_shufflevector(x, y, 0, 4, 2, 6)
#define HIGH1(x, y) __builtin_shufflevector(x, y, 1, 5, 3, 7)
#endif

/* A level of the tree that brings vectors, one a line, together into one of a lane a line. */
#define LEVEL(name, size)                           \
  HONE_UNROLL                                       \
  for (int i = 0; i < size && VF_LANES > size; i++) \
    t[i] = join_##name(LOW##size(t[i], t[i + size]), HIGH##size(t[i], t[i + size]));

/* VF_LANES lines at once. */
#define FOLD(name, start, term, join)                                                 \
  HONE_INLINE vf join_##name(vf t, vf x) {                                            \
    return join;                                                                      \
  }                                                                                   \
  HONE_INLINE vf line_##name(const float *p, size_t size) {                           \
    vf t = vf_set(start);                                                             \
    size_t i = 0;                                                                     \
    for (; i + VF_LANES <= size; i += VF_LANES) {                                     \
      vf x = vf_load(p + i);                                                          \
      t = join_##name(t, term);                                                       \
    }                                                                                 \
    const int rest = (int)(size - i);                                                 \
    if (rest == 0) return t;                                                          \
    vf x = vf_load_n(p + i, rest);                                                    \
    return join_##name(t, vf_keep_n(term, rest, vf_set(start)));                      \
  }                                                                                   \
  static void fold_##name(const float *p, size_t size, size_t lines, float *y) {      \
    for (size_t l = 0; l < lines; l += VF_LANES) {                                    \
      const int n = lines - l < VF_LANES ? (int)(lines - l) : VF_LANES;               \
      vf t[2 * VF_LANES];                                                             \
      for (int i = 0; i < VF_LANES; i++)                                              \
        t[i] = i < n ? line_##name(p + (l + (size_t)i) * size, size) : vf_set(start); \
      LEVEL(name, 8)                                                                  \
      LEVEL(name, 4)                                                                  \
      LEVEL(name, 2)                                                                  \
      LEVEL(name, 1)                                                                  \
      vf_store_n(y + l, t[0], n);                                                     \
    }                                                                                 \
  }
HONE_SHORT_FOLDS(FOLD)
#undef FOLD
#undef LEVEL

/* ---- Columns -------------------------------------------------------------------------------- */

/* A block of VF_LANES lines from element k on; `wide` elements of each, `high` lines. */
HONE_INLINE
void turn_block(const float *x, size_t size, int wide, int high, float *columns, size_t pitch) {
  vf block[VF_LANES];
  HONE_UNROLL
  for (int l = 0; l < VF_LANES; l++)
    block[l] = l < high ? vf_load_n(x + (size_t)l * size, wide) : vf_set(0);
  vf_transpose(block);
  HONE_UNROLL
  for (int k = 0; k < VF_LANES; k++)
    if (k < wide) {
      if (high == VF_LANES)
        vf_store(columns + (size_t)k * pitch, block[k]);
      else
        vf_store_n(columns + (size_t)k * pitch, block[k], high);
    }
}

static void turn(const float *x, size_t size, size_t lines, float *columns, size_t pitch) {
  for (size_t l = 0; l < lines; l += VF_LANES, x += VF_LANES * size, columns += VF_LANES) {
    int high = lines - l < VF_LANES ? (int)(lines - l) : VF_LANES;
    for (size_t k = 0; k < size; k += VF_LANES) {
      int wide = size - k < VF_LANES ? (int)(size - k) : VF_LANES;
      if (high == VF_LANES)
        turn_block(x + k, size, wide, VF_LANES, columns + k * pitch, pitch);
      else
        turn_block(x + k, size, wide, high, columns + k * pitch, pitch);
    }
  }
}

/* Of what is turned to be the greatest: the number v at `row`, and the best before it at `at`. */
HONE_INLINE void take_better(vf v, vf row, bool last, vf *best, vf *at) {
  const vf b = *best, a = *at;
  vf next = last ? vf_less(v, b, b, v) : vf_less_equal(v, b, b, v);
  vf place = last ? vf_less(v, b, a, row) : vf_less_equal(v, b, a, row);
  *best = vf_equal(b, b, next, b); /* nothing is better than NaN, but for a later one */
  *at = vf_equal(b, b, place, last ? vf_equal(v, v, a, row) : a);
}

HONE_INLINE void extreme_columns(const float *x, size_t step, size_t rows, int columns, bool least,
                                 bool last, int64_t *out) {
  const vf sign = vf_set(least ? -1 : 1);
  vf best = vf_mul(vf_load_n(x, columns), sign), at = vf_set(0);
  for (size_t i = 1; i < rows; i++)
    take_better(vf_mul(vf_load_n(x + i * step, columns), sign), vf_set((float)i), last, &best, &at);
  float places[VF_LANES];
  vf_store(places, at);
  for (int j = 0; j < columns; j++) out[j] = (int64_t)places[j];
}

static void extreme(const float *x, size_t step, size_t rows, size_t columns, bool least, bool last,
                    int64_t *out) {
  for (size_t j = 0; j < columns; j += VF_LANES) {
    int n = columns - j < VF_LANES ? (int)(columns - j) : VF_LANES;
    if (last)
      extreme_columns(x + j, step, rows, n, least, true, out + j);
    else if (n == VF_LANES)
      extreme_columns(x + j, step, rows, VF_LANES, least, false, out + j);
    else
      extreme_columns(x + j, step, rows, n, least, false, out + j);
  }
}

const hone_short SHORT = {.most = MOST * VF_LANES,
                          .softmax = softmax,
                          .norm = norm,
                          .turn = turn,
                          .extreme = extreme,
#define MEMBER(name, start, term, join) .name = fold_##name,
                          HONE_SHORT_FOLDS(MEMBER)
#undef MEMBER
};
