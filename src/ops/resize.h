/* How resize maps an output position of one axis to weighted input positions. Room: ops.
 * Resizing is separable: each axis has its own taps. Kernels make their tables from here. */
#ifndef HONE_OPS_RESIZE_H
#define HONE_OPS_RESIZE_H

#include "ir/op.h"

/* One axis that is resized. */
typedef struct hone_resize_axis {
  int axis;
  int64_t in, out;
  double scale;      /* out / in as the model gives it, before out was rounded */
  double begin, end; /* the region of interest, 0..1 of the axis; for tf_crop_and_resize */
} hone_resize_axis;

typedef struct hone_resize {
  int count;
  hone_resize_axis axes[HONE_MAX_RANK];
} hone_resize;

/* From x's known shape and what roi, scales and sizes hold (count 0: absent). */
HONE_MUST_USE hone_status *hone_resize_read(const hone_node *node, const hone_shape *x,
                                            const double *roi, size_t roi_count,
                                            const double *scales, size_t scale_count,
                                            const double *sizes, size_t size_count,
                                            hone_resize *out);

/* How many taps each output position of the axis has: 1 for nearest. */
size_t hone_resize_taps(const hone_node *node, const hone_resize_axis *axis);
/* The taps of output position `at`: input positions within the axis, and weights that sum to 1.
 * False where the position lies outside the region that is not extrapolated: its value is the
 * attribute extrapolation, whatever the other axes say. */
bool hone_resize_tap(const hone_node *node, const hone_resize_axis *axis, int64_t at,
                     int64_t *index, double *weight);

#endif
