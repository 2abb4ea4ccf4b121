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
  static double line_##name(const double *p, size_t count) {                                       \
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

const hone_wide WIDE = {.overlaps = overlaps,
#define MEMBER(name, start, term, join) .name = {line_##name, rows_##name},
                        HONE_WIDE_FOLDS(MEMBER)
#undef MEMBER
#define MEMBER(name, type, total) .scan_##name = scan_##name,
                            HONE_WIDE_SCANS(MEMBER)
#undef MEMBER
};
