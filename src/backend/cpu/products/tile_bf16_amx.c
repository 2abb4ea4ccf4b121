/* bfloat16 tiles for AMX: up to 32 rows x 32 columns. Room: backend/cpu/products. */
#include "backend/cpu/products/pack_bf16_body.h"

#define HEIGHT 1 /* rows that are finished together */
#define PANEL  2
#include "backend/cpu/products/tile_finish_body.h"
#define TILE_MULTIPLY(kind, sum, rows, weights) \
  do {                                          \
    (void)(kind);                               \
    tile_multiply_bf16(sum, rows, weights);     \
  } while (0)
#include "backend/cpu/products/tall_body.h"

HONE_INLINE void finish_rows(hone_tile tile, const float (*sum)[TALL_COLUMNS], size_t rows,
                             const int vectors) {
  for (size_t i = 0; i < rows; i++) {
    sums row;
    for (int j = 0; j < vectors; j++) row[0][j] = vf_load(sum[i] + j * VF_LANES);
    finish_tile(row, &tile, 1, vectors);
    if (tile.residual) tile.residual += tile.residual_stride;
    if (tile.residual_bf16) tile.residual_bf16 += tile.residual_stride;
    if (tile.out_bf16)
      tile.out_bf16 += tile.out_stride;
    else
      tile.out += tile.out_stride;
  }
}

static void run_tall(const hone_tile *tile, size_t vectors, size_t rows) {
  float sum[TALL_ROWS][TALL_COLUMNS] __attribute__((aligned(TILE_BYTES)));
  tall t = {.rows = tile->rows,
            .rows_offset = tile->rows_offset,
            .taps = tile->taps,
            .depth = tile->depth * sizeof(uint16_t),
            .weights = tile->weights,
            .ahead = tile->ahead,
            .height = rows,
            .vectors = vectors,
            .sums = sum,
            .sums_stride = TALL_COLUMNS};
  multiply_tall(&t, 0);
  if (vectors > 1)
    finish_rows(*tile, sum, rows, 2);
  else
    finish_rows(*tile, sum, rows, 1);
}

const hone_tile_set hone_tiles_bf16_amx = {
    .name = "bf16_amx",
    .isa = HONE_ISA_AVX512 | HONE_ISA_BF16 | HONE_ISA_AMX,
    .lanes = TILE_ROWS,
    .panel = PANEL,
    .height = TALL_ROWS,
    .operand = sizeof(uint16_t),
    .step = 2,
    .pack = pack_panel,
    .narrow = narrow,
    .run_tall = run_tall,
};
