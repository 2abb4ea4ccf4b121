/* Convolution and matrix products of bytes. Room: backend/cpu/products.
 *
 * Rows of x are read in place where their channels are whole quads. Else x is copied first: pixels
 * of few channels into lines with their padding, so that one run of the width's taps and channels
 * is contiguous; others pixel by pixel, each group padded.
 */
#ifndef HONE_BACKEND_CPU_PRODUCTS_CONV_INTEGER_H
#define HONE_BACKEND_CPU_PRODUCTS_CONV_INTEGER_H

#include "backend/cpu/products/conv.h"
#include "backend/cpu/products/integer_sweep.h"

/* What of a conv is used: all but the types, `finish` and the strides, which count bytes of x and
 * elements of y. A matrix product is one of a single tap whose batch are the rows. */
typedef struct hone_conv_integer {
  hone_conv conv;
  hone_integer_sweep
      sweep; /* set, planes, pack, is_signed, zero, out, finish; plan sets the rest */
} hone_conv_integer;

/* The weights [taps][C / g][M] less their zero points, as the sweep wants them, in `arena`. */
hone_status *hone_conv_integer_weights(const hone_conv *conv, const int16_t *data,
                                       hone_arena *arena, hone_integer_weights *out);
/* Those without elements: what sizes and places of the pack depend on. */
hone_integer_weights hone_conv_integer_shape(const hone_conv *conv);
/* `in` is copied to the arena. */
/* Whether x is copied line by line: then it may be planar, in planes of channels. */
bool hone_conv_integer_copies_lines(const hone_conv *conv);
hone_status *hone_conv_integer_plan(const hone_conv_integer *in, hone_arena *arena,
                                    hone_kernel_plan *out);

#endif
