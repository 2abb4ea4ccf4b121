/* The loop nest around the integer tiles: packing, blocking, splitting. Room: backend/cpu/products.
 *
 * As sweep.h does it for floats: the output is rows x (groups * columns), a callback points at the
 * bytes of each tile's rows. The sums of a tile wait in the part's scratch for their finish.
 */
#ifndef HONE_BACKEND_CPU_PRODUCTS_INTEGER_SWEEP_H
#define HONE_BACKEND_CPU_PRODUCTS_INTEGER_SWEEP_H

#include "backend/cpu/products/integer_tile.h"
#include "backend/cpu/products/sweep.h"

/* The pack: first the panels of all groups, then one s32 a column: what the sums begin with if x's
 * zero point (of its bytes made unsigned) is 0, and then how much less a unit of it makes that. Of
 * split panels: the numbers of columns, starts, panels, places. */
typedef struct hone_integer_pack {
  const int8_t *weights;
  const int32_t *bias, *slope;
  const uint32_t *starts; /* of split panels, one a panel and one more: steps times vectors before */
  const uint32_t *places;
} hone_integer_pack;

typedef struct hone_integer_sweep {
  const hone_integer_set *set;
  size_t rows, groups, columns; /* columns of each group */
  size_t taps, depth;           /* bytes of each row, tap and group */
  int planes;                   /* weights are sums of so many bytes, each with taps of its own */
  hone_integer_pack pack;
  bool is_signed; /* bytes of x */
  int zero;       /* index into io->in of x's zero point, one byte; -1: it is 0 */
  int out;        /* index into io->out */
  ptrdiff_t out_stride;
  hone_integer_finish finish;
  size_t row_block; /* hone_integer_sweep_plan sets it */
} hone_integer_sweep;

/* Chooses the blocking; all other members are set. */
void hone_integer_sweep_plan(hone_integer_sweep *sweep);
/* Bytes of private scratch of one part; a multiple of 64. */
size_t hone_integer_sweep_scratch(const hone_integer_sweep *sweep);
void hone_integer_sweep_run(const hone_integer_sweep *sweep, hone_sweep_fill *fill,
                            const void *args, const hone_kernel_io *io, void *scratch, int part,
                            int parts);
/* x's zero point as a number of its bytes made unsigned. */
int hone_integer_zero(const hone_integer_sweep *sweep, const hone_kernel_io *io);

/* The weights of a product as the graph has them, less their zero points: element (group, tap, k,
 * column) at these strides. */
typedef struct hone_integer_weights {
  size_t groups, taps, depth, columns;
  const int16_t *data; /* -255..255 */
  hone_weight_strides strides;
  const int32_t *bias; /* one a column of all groups, or NULL */
} hone_integer_weights;

/* How many bytes the weights are sums of: 1 to 3. */
int hone_integer_planes(const int16_t *data, size_t count);
/* What fits in a byte of what the planes before have left. */
int hone_integer_plane_of(int weight, int plane);
/* Bytes of the pack; 0 when that does not fit in a size_t. */
size_t hone_integer_pack_size(const hone_integer_set *set, const hone_integer_weights *w,
                              int planes);
void hone_integer_pack_weights(const hone_integer_set *set, const hone_integer_weights *w,
                               int planes, void *to);
/* The bytes of a pack that came out of a file and has `room` of them; 0 where it leads elsewhere than
 * into itself and into rows of x. The weights' data is not read. */
size_t hone_integer_saved_size(const hone_integer_set *set, const hone_integer_weights *w, int planes,
                               const void *pack, size_t room);
/* Where its parts lie; of a pack that is sound. */
hone_integer_pack hone_integer_unpack(const hone_integer_set *set, const hone_integer_weights *w,
                                      int planes, const void *pack);

#endif
