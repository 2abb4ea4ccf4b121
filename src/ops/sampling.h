/* Positions between pixels: where grid_sample and the region ops read, shared by references and
 * kernels. Room: ops. */
#ifndef HONE_OPS_SAMPLING_H
#define HONE_OPS_SAMPLING_H

#include "ir/op.h"
#include "ops/spatial.h"

#define HONE_SAMPLER_TAPS 4 /* most an axis */

/* grid_sample's attributes and the picture's spatial sizes. */
typedef struct hone_sampler {
  int rank, taps;     /* spatial axes; taps an axis: 1, 2 or 4 */
  char mode, padding; /* n, l, c; z, b, r */
  bool align;
  int64_t size[HONE_MAX_SPATIAL];
} hone_sampler;

hone_sampler hone_sampler_of(const hone_node *node, const hone_shape *x);
/* The taps of one axis at grid coordinate `g`, at pixels of the picture; a tap in the zero padding
 * has weight 0. The axis is not empty. */
void hone_sampler_taps(const hone_sampler *s, int axis, double g, int64_t *index, double *weight);

/* A region of roi_align: its cells, and how many samples each has. */
typedef struct hone_region {
  float top, left, cell_height, cell_width; /* single precision, as everybody computes them */
  int64_t rows, columns;
} hone_region;

hone_region hone_region_of(const hone_node *node, const double *box); /* x1 y1 x2 y2 */
/* The position of sample `at` of `samples` in cell `cell` of one axis. */
static inline float hone_region_sample(float start, float size, int64_t cell, int64_t at,
                                       int64_t samples) {
  return start + (float)cell * size + ((float)at + 0.5f) * size / (float)samples;
}
/* One axis of a bilinear sample: the two neighbours and the weight of the second; false outside. */
bool hone_region_neighbours(float x, int64_t size, int64_t *low, int64_t *high, double *part);

/* max_roi_pool: which image a region's first number names; -1 where it is none. */
static inline int64_t hone_region_image(double index) {
  return index >= 0 && index < 0x1p62 ? (int64_t)index : -1;
}
/* max_roi_pool: the pixels [begin, end) of cell `at` of `cells` on an axis of `size`. */
void hone_region_cell(double from, double to, int64_t at, int64_t cells, int64_t size,
                      int64_t *begin, int64_t *end);

#endif
