/* Integer tiles for AMX: up to 32 rows x 32 columns; all else is AVX512_VNNI's.
 * Room: backend/cpu/products. */
#define PANEL 2
#include "backend/cpu/products/integer_vectors_body.h"
#include "backend/cpu/products/integer_depthwise_body.h"
#include "backend/cpu/products/integer_finish_body.h"

enum { UNSIGNED, SIGNED }; /* bytes of rows */
#define TILE_MULTIPLY(kind, sum, rows, weights) \
  do {                                          \
    if ((kind) == SIGNED)                       \
      tile_multiply_s8s8(sum, rows, weights);   \
    else                                        \
      tile_multiply_u8s8(sum, rows, weights);   \
  } while (0)
#include "backend/cpu/products/tall_body.h"

static void run_tall(const hone_integer_tile *tile, size_t vectors, size_t rows) {
  tall t = {.rows = tile->rows,
            .rows_offset = tile->rows_offset,
            .taps = tile->taps,
            .depth = tile->depth,
            .weights = (const char *)tile->weights,
            .height = rows,
            .vectors = vectors,
            .start = tile->start,
            .sums = tile->sums,
            .sums_stride = tile->sums_stride};
  if (tile->is_signed)
    multiply_tall(&t, SIGNED);
  else
    multiply_tall(&t, UNSIGNED);
}

const hone_integer_set hone_integer_amx = {
    .isa = HONE_ISA_AVX512 | HONE_ISA_VNNI | HONE_ISA_AMX,
    .lanes = TILE_ROWS,
    .panel = PANEL,
    .height = TALL_ROWS,
    .run_tall = run_tall,
    .depthwise = run_depthwise,
    .depthwise_place = place_of_tap,
    .finish = run_finish,
};
