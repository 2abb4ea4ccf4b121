/* Vector forms of what is done with doubles and whole integers: reductions and running sums.
 * Room: backend/cpu/lines.
 *
 * A fold adds up in lanes and then in a fixed order: the bits depend on the instruction set only.
 */
#ifndef HONE_BACKEND_CPU_LINES_WIDE_H
#define HONE_BACKEND_CPU_LINES_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/simd/isa.h"

/* X(name, start, what the vector x brings, the total t joined with that); extremes keep a NaN */
#define HONE_WIDE_FOLDS(X)                         \
  X(sum, 0, x, t + x)                              \
  X(abs, 0, vd_abs(x), t + x)                      \
  X(square, 0, x *x, t + x)                        \
  X(prod, 1, x, t *x)                              \
  X(max, -INFINITY, x, vd_nan_or(x, vd_max(x, t))) \
  X(min, INFINITY, x, vd_nan_or(x, vd_min(x, t)))

typedef struct hone_wide_fold {
  double (*line)(const double *x, size_t count);                           /* all into one number */
  void (*lines)(const double *x, size_t run, size_t count, double *total); /* count runs, so each */
  void (*rows)(const double *x, size_t count, double *total);              /* x[i] into total[i] */
} hone_wide_fold;

/* X(name, element type, type that is added up in) */
#define HONE_WIDE_SCANS(X)   \
  X(f32, float, double)      \
  X(f64, double, double)     \
  X(s32, uint32_t, uint32_t) \
  X(s64, uint64_t, uint64_t)

/* One axis of a picture that is sampled between its pixels, as hone_sampler_taps of two taps or,
 * nearest, one does without reflection. */
typedef struct hone_wide_axis {
  double size; /* below 2^31 */
  bool align, border, nearest;
} hone_wide_axis;
/* What `count` <= HONE_WIDE_PLACES positions read: two neighbours; one outside has place and weight
 * 0. */
#define HONE_WIDE_PLACES 64
typedef struct hone_wide_taps {
  int32_t at[2][HONE_WIDE_PLACES];
  double weight[2][HONE_WIDE_PLACES];
} hone_wide_taps;

/* Boxes with ordered corners: lists of sides and of areas, with room up to a multiple of
 * HONE_WIDE_BOXES. */
#define HONE_WIDE_BOXES 8
typedef struct hone_wide_boxes {
  double *top, *left, *bottom, *right, *area;
} hone_wide_boxes;

typedef struct hone_wide {
#define HONE_WIDE_MEMBER(name, start, term, join) hone_wide_fold name;
  HONE_WIDE_FOLDS(HONE_WIDE_MEMBER)
#undef HONE_WIDE_MEMBER
  /* Running sums down `lanes` columns side by side, from `running`, which they leave behind: rows
   * are `step` elements apart. y holds what is there before or, if inclusive, after a row. */
#define HONE_WIDE_MEMBER(name, type, total)                                              \
  void (*scan_##name)(const type *x, type *y, size_t rows, ptrdiff_t step, size_t lanes, \
                      bool exclusive, total *running);
  HONE_WIDE_SCANS(HONE_WIDE_MEMBER)
#undef HONE_WIDE_MEMBER
  /* As those of hone_strips. */
  void (*max_rows)(const double *const *rows, size_t row_count, size_t count, double *out);
  void (*blend_rows)(const double *const *rows, const double *weights, size_t row_count,
                     size_t count, double *out);
  void (*turn)(const double *a, const double *b, const double *cosine, const double *sine,
               size_t count, double *p, double *q);
  /* The taps of coordinates g[i], of which there is room for HONE_WIDE_PLACES. */
  void (*taps)(const hone_wide_axis *axis, const double *g, size_t count, hone_wide_taps *out);
  /* Whether any of the first `count` boxes has more than `limit`, intersection over union, in
   * common with the one given, no side of which is NaN; as hone_box_overlap computes it. */
  bool (*overlaps)(const hone_wide_boxes *boxes, size_t count, double top, double left,
                   double bottom, double right, double limit);
} hone_wide;

extern const hone_wide hone_wide_plain;
#if defined(__x86_64__)
extern const hone_wide hone_wide_avx512, hone_wide_avx2;
#endif
/* The fastest set that runs here. */
const hone_wide *hone_wide_here(void);

#endif
