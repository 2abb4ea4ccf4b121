/* Weights for an instruction that saturates sums of two products at 16 bits, so that none does.
 * Room: backend/cpu/products.
 *
 * vpmaddubsw adds two products of an unsigned and a signed byte and saturates. It cannot where the
 * positive weights of a pair come to at most 128 and the negative ones to -128: 255 * 128 fits. A step
 * is four bytes of depth by the lanes of a vector. Where a pair of it breaks that, the step may read
 * x with the second byte of each pair as 255 - x and weights of the other sign: what added up then
 * cancels. What still breaks it is split off, and added by one more step on the same x.
 *
 * Rows of x are spread before: each four bytes, then the same with the second and fourth flipped.
 * A panel is [steps][vectors][lanes][4] bytes, and places[steps][vectors] tell where a step of a
 * vector begins in a spread row, in bytes. */
#ifndef HONE_BACKEND_CPU_PRODUCTS_INTEGER_SPLIT_H
#define HONE_BACKEND_CPU_PRODUCTS_INTEGER_SPLIT_H

#include "backend/cpu/products/integer_sweep.h"

enum { HONE_SPLIT_LANES = 8, HONE_SPLIT_STEP_BYTES = HONE_SPLIT_LANES * HONE_INTEGER_STEP };

/* Columns from `first` on of a group: `vectors` of them, of which some may be past the last. */
typedef struct hone_split_panel {
  const hone_integer_weights *weights;
  int planes;
  size_t group, first, vectors;
} hone_split_panel;

/* Steps of a panel before any is split: a spread row has two for each. */
size_t hone_split_whole_steps(const hone_split_panel *panel);
/* Steps of a panel. */
size_t hone_split_steps(const hone_split_panel *panel);
/* Fills a panel of so many steps. What flipping takes away, 255 for each unit of a flipped weight, is
 * added to constant[column], one a column of the panel. */
void hone_split_pack(const hone_split_panel *panel, size_t steps, uint32_t *places, int8_t *to,
                     int32_t *constant);

#endif
