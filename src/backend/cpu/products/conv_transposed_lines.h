/* What transposed convolutions by remainders of the stride share: which taps and input pixels an output
 * has, and the walk over lines of outputs. Room: backend/cpu/products.
 *
 * Packed weights: remainder by remainder, depth, height, width; what a form packs of each has
 * the same number of floats for every tap that serves it. */
#ifndef HONE_BACKEND_CPU_PRODUCTS_CONV_TRANSPOSED_LINES_H
#define HONE_BACKEND_CPU_PRODUCTS_CONV_TRANSPOSED_LINES_H

#include "backend/cpu/products/conv.h"
#include "backend/cpu/share.h"

/* Some outputs of one line and remainder: the first of the line, what serves them. */
typedef struct hone_transposed_run {
  size_t image, at[HONE_CONV_DIMENSIONS], r[HONE_CONV_DIMENSIONS];
  size_t taps;
  const float *weights; /* of the remainder */
} hone_transposed_run;

typedef struct hone_transposed hone_transposed;

typedef struct hone_transposed_worker {
  const hone_transposed *a;
  const hone_kernel_io *io;
  const float *weights, *zeros;
  int part;
  const void **table; /* [tap of the remainder][HONE_TILE_ROWS]: input pixels of the outputs */
  hone_share share;   /* its columns */
} hone_transposed_worker;

/* Makes outputs at[W] + (first + i) * stride of the run, i < count, whose pixels `table` points at. */
typedef void hone_transposed_make(const hone_transposed_worker *worker,
                                  const hone_transposed_run *run, size_t first, size_t count);

struct hone_transposed {
  hone_conv conv;
  const hone_conv_kernel *kernel;
  const float *weights;  /* NULL: at the start of the scratch */
  size_t height;         /* most outputs that are made at once, up to HONE_TILE_ROWS */
  size_t columns, grain; /* vectors of output channels, and how many stay together */
  size_t tap_floats;     /* packed weights of a tap */
  hone_transposed_make *make;
  size_t part_scratch; /* the plan's */
};

/* Whether tap `t`, of all, serves outputs of remainders `r`. */
bool hone_transposed_serves(const hone_conv *conv, size_t t, const size_t *r);

/* Writes the packed weights of one remainder; returns what follows them. */
typedef float *hone_transposed_pack_one(const hone_conv_kernel *kernel, const hone_conv *conv,
                                        hone_conv_weights weights, const size_t *r, float *packed);
void hone_transposed_pack(const hone_conv_kernel *kernel, const hone_conv *conv,
                          hone_conv_weights weights, hone_transposed_pack_one *pack,
                          float *packed);

/* Plans a form whose members up to `make` are set. */
hone_status *hone_transposed_plan(const hone_transposed *form, hone_arena *arena,
                                  hone_kernel_plan *out);

/* The number of the first pixel of y that hone_transposed_make makes. */
size_t hone_transposed_pixel(const hone_conv *conv, const hone_transposed_run *run, size_t first);

#endif
