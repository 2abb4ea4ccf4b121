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
  double (*line)(const double *x, size_t count);              /* all into one number */
  void (*rows)(const double *x, size_t count, double *total); /* x[i] into total[i] */
} hone_wide_fold;

/* X(name, element type, type that is added up in) */
#define HONE_WIDE_SCANS(X)   \
  X(f32, float, double)      \
  X(f64, double, double)     \
  X(s32, uint32_t, uint32_t) \
  X(s64, uint64_t, uint64_t)

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
