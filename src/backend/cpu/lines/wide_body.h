/* The vector forms of doubles and integers for one instruction set: included by wide_*.c with WIDE
 * defined. Room: backend/cpu/lines. */
#include "backend/cpu/lines/wide.h"
#include "backend/cpu/simd/simd_f64.h"

/* ---- Folds ---------------------------------------------------------------------------------- */

/* Four chains, so that one does not wait for the other. What is left of a line is a vector filled
 * up with what changes nothing. */
#define FOLD(name, start, term, join)                                                              \
  HONE_INLINE vd term_##name(vd x) {                                                               \
    return term;                                                                                   \
  }                                                                                                \
  HONE_INLINE vd join_##name(vd t, vd x) {                                                         \
    return join;                                                                                   \
  }                                                                                                \
  HONE_INLINE vd next_##name(vd t, const double *p) {                                              \
    return join_##name(t, term_##name(vd_load(p)));                                                \
  }                                                                                                \
  HONE_INLINE double line_of_##name(const double *p, size_t count) {                               \
    vd a = vd_set(start), b = a, c = a, d = a;                                                     \
    size_t i = 0;                                                                                  \
    for (; i + 4 * VD_LANES <= count; i += 4 * VD_LANES) {                                         \
      a = next_##name(a, p + i);                                                                   \
      b = next_##name(b, p + i + VD_LANES);                                                        \
      c = next_##name(c, p + i + 2 * VD_LANES);                                                    \
      d = next_##name(d, p + i + 3 * VD_LANES);                                                    \
    }                                                                                              \
    for (; i + VD_LANES <= count; i += VD_LANES) a = next_##name(a, p + i);                        \
    if (i < count) b = join_##name(b, term_##name(vd_load_first(p + i, count - i, start)));        \
    a = join_##name(join_##name(a, b), join_##name(c, d));                                         \
    if (VD_LANES > 4) a = join_##name(a, vd_swap4(a));                                             \
    if (VD_LANES > 2) a = join_##name(a, vd_swap2(a));                                             \
    return join_##name(a, vd_swap1(a))[0];                                                         \
  }                                                                                                \
  static double line_##name(const double *p, size_t count) {                                       \
    return line_of_##name(p, count);                                                               \
  }                                                                                                \
  /* Short lines side by side, one a lane. */                                                      \
  static void lines_##name(const double *p, size_t run, size_t count, double *total) {             \
    size_t i = 0;                                                                                  \
    for (; run > 2 * VD_LANES && i < count; i++) total[i] = line_of_##name(p + i * run, run);      \
    for (; i + VD_LANES <= count; i += VD_LANES) {                                                 \
      vd t = vd_set(start);                                                                        \
      for (size_t j = 0; j < run; j++)                                                             \
        t = join_##name(t, term_##name(vd_load_step(p + i * run + j, run)));                       \
      memcpy(total + i, &t, sizeof t);                                                             \
    }                                                                                              \
    for (; i < count; i++) {                                                                       \
      vd t = vd_set(start);                                                                        \
      for (size_t j = 0; j < run; j++) t = join_##name(t, term_##name(vd_set(p[i * run + j])));    \
      total[i] = t[0];                                                                             \
    }                                                                                              \
  }                                                                                                \
  static void rows_##name(const double *p, size_t count, double *total) {                          \
    size_t i = 0;                                                                                  \
    for (; i + VD_LANES <= count; i += VD_LANES) {                                                 \
      vd t = next_##name(vd_load(total + i), p + i);                                               \
      memcpy(total + i, &t, sizeof t);                                                             \
    }                                                                                              \
    for (; i < count; i++) total[i] = join_##name(vd_set(total[i]), term_##name(vd_set(p[i])))[0]; \
  }
HONE_WIDE_FOLDS(FOLD)
#undef FOLD

/* ---- Rows ----------------------------------------------------------------------------------- */

#define OVER_ROWS(start, step)                                                            \
  for (size_t i = 0; i < count; i += VD_LANES) {                                          \
    size_t n = count - i < VD_LANES ? count - i : VD_LANES;                               \
    vd y = vd_set(start);                                                                 \
    for (size_t k = 0; k < row_count; k++) {                                              \
      vd x = n == VD_LANES ? vd_load(rows[k] + i) : vd_load_first(rows[k] + i, n, start); \
      y = step;                                                                           \
    }                                                                                     \
    memcpy(out + i, &y, n * sizeof(double));                                              \
  }

static void max_rows(const double *const *rows, size_t row_count, size_t count, double *out) {
  OVER_ROWS(-INFINITY, join_max(y, x))
}
static void blend_rows(const double *const *rows, const double *weights, size_t row_count,
                       size_t count, double *out) {
  OVER_ROWS(0, y + x * vd_set(weights[k]))
}
#undef OVER_ROWS

static void turn(const double *a, const double *b, const double *cosine, const double *sine,
                 size_t count, double *p, double *q) {
  for (size_t i = 0; i < count; i += VD_LANES) {
    size_t n = count - i < VD_LANES ? count - i : VD_LANES;
    bool whole = n == VD_LANES;
    vd x = whole ? vd_load(a + i) : vd_load_first(a + i, n, 0);
    vd y = whole ? vd_load(b + i) : vd_load_first(b + i, n, 0);
    vd c = whole ? vd_load(cosine + i) : vd_load_first(cosine + i, n, 0);
    vd s = whole ? vd_load(sine + i) : vd_load_first(sine + i, n, 0);
    vd real = x * c - y * s, imaginary = y * c + x * s;
    memcpy(p + i, &real, n * sizeof(double));
    memcpy(q + i, &imaginary, n * sizeof(double));
  }
}

/* ---- Running sums --------------------------------------------------------------------------- */

enum { ACROSS = 4 }; /* vectors of totals that are held at once */

#if defined(__AVX512F__)
#define WIDEN_f32(x) _mm512_cvtps_pd((__m256)(x))
#elif defined(__AVX2__)
#define WIDEN_f32(x) _mm256_cvtps_pd((__m128)(x))
#else
#define WIDEN_f32(x) __builtin_convertvector(x, sums_f32)
#endif
#define WIDEN_f64(x) (x)
#define WIDEN_s32(x) (x)
#define WIDEN_s64(x) (x)

/* Registers hold ACROSS vectors of totals; the last columns go one by one. */
#define SCAN(name, type, total)                                                                \
  typedef total sums_##name __attribute__((vector_size(sizeof(vf))));                          \
  enum { LANES_##name = sizeof(vf) / sizeof(total) };                                          \
  typedef type few_##name __attribute__((vector_size(LANES_##name * sizeof(type))));           \
  HONE_INLINE sums_##name down_##name(sums_##name t, const type *x, type *y, bool exclusive) { \
    few_##name in, out;                                                                        \
    memcpy(&in, x, sizeof in);                                                                 \
    sums_##name next = t + WIDEN_##name(in);                                                   \
    out = __builtin_convertvector(exclusive ? t : next, few_##name);                           \
    memcpy(y, &out, sizeof out);                                                               \
    return next;                                                                               \
  }                                                                                            \
  HONE_INLINE void across_##name(const type *x, type *y, size_t rows, ptrdiff_t step,          \
                                 bool exclusive, total *running) {                             \
    enum { N = LANES_##name };                                                                 \
    sums_##name t[ACROSS];                                                                     \
    memcpy(t, running, sizeof t);                                                              \
    for (size_t r = 0; r < rows; r++, x += step, y += step) {                                  \
      t[0] = down_##name(t[0], x, y, exclusive);                                               \
      t[1] = down_##name(t[1], x + N, y + N, exclusive);                                       \
      t[2] = down_##name(t[2], x + 2 * N, y + 2 * N, exclusive);                               \
      t[3] = down_##name(t[3], x + 3 * N, y + 3 * N, exclusive);                               \
    }                                                                                          \
    memcpy(running, t, sizeof t);                                                              \
  }                                                                                            \
  HONE_INLINE void column_##name(const type *x, type *y, size_t rows, ptrdiff_t step,          \
                                 bool exclusive, total *running) {                             \
    total t = *running;                                                                        \
    for (size_t r = 0; r < rows; r++, x += step, y += step) {                                  \
      total before = t;                                                                        \
      t += (total)*x;                                                                          \
      *y = (type)(exclusive ? before : t);                                                     \
    }                                                                                          \
    *running = t;                                                                              \
  }                                                                                            \
  static void scan_##name(const type *x, type *y, size_t rows, ptrdiff_t step, size_t lanes,   \
                          bool exclusive, total *running) {                                    \
    size_t i = 0;                                                                              \
    for (; i + ACROSS * LANES_##name <= lanes; i += ACROSS * LANES_##name) {                   \
      if (exclusive)                                                                           \
        across_##name(x + i, y + i, rows, step, true, running + i);                            \
      else                                                                                     \
        across_##name(x + i, y + i, rows, step, false, running + i);                           \
    }                                                                                          \
    for (; i < lanes; i++) {                                                                   \
      if (exclusive)                                                                           \
        column_##name(x + i, y + i, rows, step, true, running + i);                            \
      else                                                                                     \
        column_##name(x + i, y + i, rows, step, false, running + i);                           \
    }                                                                                          \
  }
HONE_WIDE_SCANS(SCAN)
#undef SCAN

/* ---- Places in pictures --------------------------------------------------------------------- */

HONE_INLINE vd vd_where(vd_bits which, vd x) { /* else 0 */
  return (vd)((vd_bits)x & which);
}
/* Numbers below 2^51 to the nearest even integer. */
HONE_INLINE vd vd_nearest(vd x) {
  return (x + vd_set(0x1.8p52)) - vd_set(0x1.8p52);
}

static void taps(const hone_wide_axis *axis, const double *g, size_t count, hone_wide_taps *out) {
  const vd one = vd_set(1), size = vd_set(axis->size), last = size - one, most = vd_set(1e15);
  for (size_t i = 0; i < count; i += VD_LANES) {
    vd t = vd_load(g + i) + one, half = vd_set(0.5);
    vd x = axis->align ? t * half * last : (t * size - one) * half;
    vd_bits near = (vd_bits)(x > -most) & (vd_bits)(x < most); /* others, no numbers too, lie outside */
    x = vd_where(near, x) - vd_where(~near, most);
    if (axis->nearest) x = vd_nearest(x);
    if (axis->border) x = vd_min(vd_max(x, vd_set(0)), last);
    vd low = vd_nearest(x);
    low -= vd_where((vd_bits)(low > x), one);
    vd part = axis->nearest ? vd_set(0) : x - low, weight[2] = {one - part, part};
    for (int k = 0; k < 2; k++, low += one) {
      vd_bits inside = (vd_bits)(low >= vd_set(0)) & (vd_bits)(low <= last);
      few_places at = __builtin_convertvector(vd_where(inside, low), few_places);
      weight[k] = vd_where(inside, weight[k]);
      memcpy(out->at[k] + i, &at, sizeof at);
      memcpy(out->weight[k] + i, &weight[k], sizeof weight[k]);
    }
  }
}

/* ---- Boxes ---------------------------------------------------------------------------------- */

static bool overlaps(const hone_wide_boxes *b, size_t count, double top, double left, double bottom,
                     double right, double limit) {
  const vd zero = vd_set(0), most = vd_set(limit), area = vd_set((bottom - top) * (right - left));
  const vd t = vd_set(top), l = vd_set(left), d = vd_set(bottom), r = vd_set(right);
  vd_bits lane;
  for (int k = 0; k < VD_LANES; k++) lane[k] = k;
  for (size_t i = 0; i < count; i += VD_LANES) {
    vd height = vd_min(vd_load(b->bottom + i), d) - vd_max(vd_load(b->top + i), t);
    vd width = vd_min(vd_load(b->right + i), r) - vd_max(vd_load(b->left + i), l);
    vd_bits meets = (vd_bits)(height > zero) & (vd_bits)(width > zero);
    if (limit >= 0 && !vd_any(meets)) continue;
    vd shared = height * width, total = area + vd_load(b->area + i) - shared;
    vd part = (vd)((vd_bits)(shared / total) & meets & (vd_bits)(total > zero));
    vd_bits there = lane < (vd_bits)((vd_bits){0} + (int64_t)(count - i));
    if (vd_any(~(vd_bits)(part <= most) & there)) return true;
  }
  return false;
}

const hone_wide WIDE = {.max_rows = max_rows,
                        .blend_rows = blend_rows,
                        .turn = turn,
                        .taps = taps,
                        .overlaps = overlaps,
#define MEMBER(name, start, term, join) .name = {line_##name, lines_##name, rows_##name},
                        HONE_WIDE_FOLDS(MEMBER)
#undef MEMBER
#define MEMBER(name, type, total) .scan_##name = scan_##name,
                            HONE_WIDE_SCANS(MEMBER)
#undef MEMBER
};
