/* The vector forms of doubles and integers for one instruction set: included by wide_*.c with WIDE
 * defined. Room: backend/cpu/lines. */
#include "backend/cpu/simd/simd.h"
#include "backend/cpu/lines/wide.h"

typedef double vd __attribute__((vector_size(sizeof(vf))));
typedef int64_t vd_bits __attribute__((vector_size(sizeof(vf)))); /* what comparing vd gives */
enum { VD_LANES = sizeof(vd) / sizeof(double) };

HONE_INLINE vd vd_load(const double *p) {
  vd x;
  memcpy(&x, p, sizeof x);
  return x;
}
HONE_INLINE vd vd_set(double x) {
  vd y;
  for (int i = 0; i < VD_LANES; i++) y[i] = x;
  return y;
}
/* The extreme of both, t where either is NaN; x where it is NaN, else y. */
#if defined(__AVX512F__)
#define vd_max(x, t)    _mm512_max_pd(x, t)
#define vd_min(x, t)    _mm512_min_pd(x, t)
#define vd_nan_or(x, y) _mm512_mask_mov_pd(y, _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q), x)
#elif defined(__AVX2__)
#define vd_max(x, t)    _mm256_max_pd(x, t)
#define vd_min(x, t)    _mm256_min_pd(x, t)
#define vd_nan_or(x, y) _mm256_blendv_pd(y, x, _mm256_cmp_pd(x, x, _CMP_UNORD_Q))
#else
HONE_INLINE vd vd_pick(vd_bits which, vd a, vd b) {
  return (vd)(((vd_bits)a & which) | ((vd_bits)b & ~which));
}
#define vd_max(x, t)    vd_pick(x > t, x, t)
#define vd_min(x, t)    vd_pick(x < t, x, t)
#define vd_nan_or(x, y) vd_pick(x != x, x, y)
#endif
HONE_INLINE vd vd_abs(vd x) {
  return (vd)((vd_bits)x & INT64_MAX);
}

/* The first `count` < VD_LANES numbers, and `fill`. */
HONE_INLINE vd vd_load_first(const double *p, size_t count, double fill) {
  vd x = vd_set(fill);
#if defined(__AVX512F__)
  x = _mm512_mask_loadu_pd(x, (__mmask8)((1u << count) - 1), p);
#elif defined(__AVX2__)
  const int64_t n = (int64_t)count;
  const vd_bits which = (vd_bits){0, 1, 2, 3} < (vd_bits){n, n, n, n};
  x = _mm256_blendv_pd(x, _mm256_maskload_pd(p, (__m256i)which), (__m256d)which);
#else
  if (count) x[0] = p[0];
#endif
  return x;
}
/* Numbers `step` apart. */
HONE_INLINE vd vd_load_step(const double *p, size_t step) {
#if defined(__AVX512F__)
  return (vd){p[0],        p[step],     p[2 * step], p[3 * step],
              p[4 * step], p[5 * step], p[6 * step], p[7 * step]};
#elif defined(__AVX2__)
  return (vd){p[0], p[step], p[2 * step], p[3 * step]};
#else
  return (vd){p[0], p[step]};
#endif
}
/* Neighbouring groups of 4, 2 or 1 lanes change places. */
#if defined(__AVX512F__)
#define vd_swap4(x) __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3)
#define vd_swap2(x) __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5)
#define vd_swap1(x) __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6)
#elif defined(__AVX2__)
#define vd_swap4(x) (x)
#define vd_swap2(x) __builtin_shufflevector(x, x, 2, 3, 0, 1)
#define vd_swap1(x) __builtin_shufflevector(x, x, 1, 0, 3, 2)
#else
#define vd_swap4(x) (x)
#define vd_swap2(x) (x)
#define vd_swap1(x) __builtin_shufflevector(x, x, 1, 0)
#endif

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

typedef int32_t few_places __attribute__((vector_size(VD_LANES * sizeof(int32_t))));

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

/* ---- The best of few ------------------------------------------------------------------------ */

typedef float few_floats __attribute__((vector_size(VD_LANES * sizeof(float))));

HONE_INLINE vd_bits keys_max(vd_bits a, vd_bits b) {
#if defined(__AVX512F__)
  return (vd_bits)_mm512_max_epi64((__m512i)a, (__m512i)b);
#else
  vd_bits above = a > b;
  return (a & above) | (b & ~above);
#endif
}

/* Signed numbers in the order of the floats: one zero, NaN above all; below them 32 free bits. */
HONE_INLINE vd_bits keys_of(few_floats x, int32_t flip) {
  few_places bits = (few_places)(x + 0), nan = (bits & INT32_MAX) > 0x7f800000;
  few_places key = ((bits ^ ((bits >> 31) & INT32_MAX)) & ~nan) | (nan & (INT32_MAX - 1));
  return __builtin_convertvector(key ^ flip, vd_bits) << 32;
}

/* Every key is another, since its lower half is the place turned around: what is better was taken
 * before. */
static void pick(const float *x, size_t count, size_t k, bool smallest, uint64_t *positions) {
  vd_bits keys[HONE_WIDE_FEW / VD_LANES], lane;
  const vd_bits none = (vd_bits){0} + INT64_MIN;
  const size_t vectors = (count + VD_LANES - 1) / VD_LANES;
  for (int i = 0; i < VD_LANES; i++) lane[i] = i;
  for (size_t v = 0; v < vectors; v++) {
    size_t left = count - v * VD_LANES;
    few_floats in = {0};
    if (left >= VD_LANES)
      memcpy(&in, x + v * VD_LANES, sizeof in);
    else
      for (size_t i = 0; i < left; i++) in[i] = x[v * VD_LANES + i];
    vd_bits there = lane < (int64_t)left;
    vd_bits key = keys_of(in, -(int32_t)smallest) | (UINT32_MAX - (int64_t)(v * VD_LANES) - lane);
    keys[v] = (key & there) | (none & ~there);
  }
  vd_bits last = (vd_bits){0} + INT64_MAX;
  for (size_t i = 0; i < k; i++) {
    vd_bits best = none;
    for (size_t v = 0; v < vectors; v++) {
      vd_bits left = keys[v] < last;
      best = keys_max(best, (keys[v] & left) | (none & ~left));
    }
    if (VD_LANES > 4) best = keys_max(best, (vd_bits)vd_swap4((vd)best));
    if (VD_LANES > 2) best = keys_max(best, (vd_bits)vd_swap2((vd)best));
    last = keys_max(best, (vd_bits)vd_swap1((vd)best));
    positions[i] = UINT32_MAX - (uint32_t)last[0];
  }
}

/* ---- Keys ----------------------------------------------------------------------------------- */

/* As signed numbers: the sign bit is turned at the end. */
HONE_INLINE vd_bits key_f64(vd_bits bits) {
  vd x = (vd)bits + vd_set(0); /* one zero */
  vd_bits key = (vd_bits)x ^ (((vd_bits)x >> 63) & INT64_MAX), odd = (vd_bits)(x != x);
  return (key & ~odd) | (odd & INT64_MAX);
}
HONE_INLINE vd_bits key_s64(vd_bits bits) {
  return bits;
}

#define KEYS(name, type)                                                                        \
  static uint64_t keys_##name(const type *x, size_t step, size_t count, uint64_t flip,          \
                              uint64_t *keys) {                                                 \
    const vd_bits turn = (vd_bits){0} + (int64_t)flip;                                          \
    vd_bits most = (vd_bits){0} + INT64_MIN;                                                    \
    for (size_t i = 0, n; i < count; i += n) {                                                  \
      vd_bits bits = {0};                                                                       \
      n = count - i < VD_LANES ? count - i : VD_LANES;                                          \
      if (n == VD_LANES && step == 1)                                                           \
        memcpy(&bits, x + i, sizeof bits);                                                      \
      else                                                                                      \
        for (size_t j = 0; j < VD_LANES; j++) /* some twice */                                  \
          memcpy((char *)&bits + j * 8, x + (i + (j < n ? j : 0)) * step, 8);                   \
      bits = key_##name(bits) ^ turn;                                                           \
      most = keys_max(most, bits);                                                              \
      bits ^= INT64_MIN;                                                                        \
      memcpy(keys + i, &bits, n * 8);                                                           \
    }                                                                                           \
    if (VD_LANES > 4) most = keys_max(most, (vd_bits)vd_swap4((vd)most));                       \
    if (VD_LANES > 2) most = keys_max(most, (vd_bits)vd_swap2((vd)most));                       \
    return (uint64_t)keys_max(most, (vd_bits)vd_swap1((vd)most))[0] ^ (uint64_t)1 << 63;        \
  }
KEYS(f64, double)
KEYS(s64, int64_t)
#undef KEYS

/* ---- Boxes ---------------------------------------------------------------------------------- */

HONE_INLINE bool any(vd_bits which) {
#if defined(__AVX512F__)
  return _mm512_test_epi64_mask((__m512i)which, (__m512i)which);
#elif defined(__AVX2__)
  return !_mm256_testz_si256((__m256i)which, (__m256i)which);
#else
  return which[0] | which[1];
#endif
}

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
    if (limit >= 0 && !any(meets)) continue;
    vd shared = height * width, total = area + vd_load(b->area + i) - shared;
    vd part = (vd)((vd_bits)(shared / total) & meets & (vd_bits)(total > zero));
    vd_bits there = lane < (vd_bits)((vd_bits){0} + (int64_t)(count - i));
    if (any(~(vd_bits)(part <= most) & there)) return true;
  }
  return false;
}

const hone_wide WIDE = {.pick = pick,
                        .keys_f64 = keys_f64,
                        .keys_s64 = keys_s64,
                        .max_rows = max_rows,
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
