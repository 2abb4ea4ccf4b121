/* The loop nest around the tiles, shared by matrix multiplication and convolution.
 * Room: backend/cpu/products.
 *
 * The output is rows x (groups * columns). What differs between kernels is where the operands of a
 * row lie: a callback fills the table of row pointers of each tile.
 */
#ifndef HONE_BACKEND_CPU_PRODUCTS_SWEEP_H
#define HONE_BACKEND_CPU_PRODUCTS_SWEEP_H

#include "backend/cpu/products/finish.h"
#include "backend/cpu/products/tile.h"

typedef struct hone_sweep {
  const hone_tile_set *tiles;
  size_t rows;
  size_t groups, columns; /* columns of each group */
  size_t taps, depth;     /* a row has the padded depth of each group, one after the other */
  const void *weights;    /* hone_pack_weights */
  int out;                /* index into io->out */
  ptrdiff_t out_stride;
  bool out_bf16; /* else f32 */
  hone_finish finish;
  size_t row_block; /* rows whose tiles share a panel before the next; hone_sweep_plan sets it */
} hone_sweep;

/* Fills table[tap][i] for rows row + i, i < count, at most HONE_TILE_ROWS. `zeros` are groups * depth
 * operands of zero. */
typedef void hone_sweep_fill(const void *args, const hone_kernel_io *io, size_t row, size_t count,
                             const void *zeros, const void **table);

/* Chooses the blocking; all other members are set. */
void hone_sweep_plan(hone_sweep *sweep);

/* Bytes of private scratch of one part: tables and zeros; a multiple of 64. */
size_t hone_sweep_scratch(const hone_sweep *sweep);

/* This part's share: the grid of rows and columns that keeps parts even and reads least. */
void hone_sweep_run(const hone_sweep *sweep, hone_sweep_fill *fill, const void *args,
                    const hone_kernel_io *io, void *scratch, int part, int parts);

/* out[rows][columns] = a[rows][depth] times weights packed with one group and tap, or that added to
 * `out`; by the caller alone: for kernels that multiply blocks in their scratch. `a` and `packed` are
 * operands of the tiles, a_stride is counted in them; depth is a multiple of the tiles' step. */
void hone_multiply(const hone_tile_set *tiles, size_t rows, size_t depth, size_t columns,
                   const void *a, ptrdiff_t a_stride, const void *packed, float *out,
                   ptrdiff_t out_stride, bool add);

/* Where element (group, tap, k, column) of the weights lies, in elements. */
typedef struct hone_weight_strides {
  ptrdiff_t group, tap, depth, column;
} hone_weight_strides;

/* Floats that the pack takes, or 0 when that does not fit in a size_t. */
size_t hone_pack_size(const hone_tile_set *tiles, size_t groups, size_t taps, size_t depth,
                      size_t columns);
void hone_pack_weights(const hone_tile_set *tiles, size_t groups, size_t taps, size_t depth,
                       size_t columns, const float *weights, hone_weight_strides strides,
                       float *packed);
/* A pack of one group and tap with each step of depth times its number of `by`; one part's share. */
void hone_scale_weights(const hone_tile_set *tiles, size_t depth, size_t columns,
                        const float *packed, const float *by, float *to, int part, int parts);

#endif
