/* fp32 tiles for AVX2: 6 rows x 16 columns and every smaller size. Room: backend/cpu/products. */
#define HEIGHT 6
#define PANEL  2
#include "backend/cpu/products/tile_f32_body.h"

#define TILES(vectors) \
  TILE(1, vectors)     \
  TILE(2, vectors) TILE(3, vectors) TILE(4, vectors) TILE(5, vectors) TILE(6, vectors)
#define ROW(vectors)                                                              \
  {                                                                               \
    NULL, tile_1x##vectors, tile_2x##vectors, tile_3x##vectors, tile_4x##vectors, \
        tile_5x##vectors, tile_6x##vectors                                        \
  }

TILES(1)
TILES(2)

const hone_tile_set hone_tiles_f32_avx2 = {
    .name = "f32_avx2",
    .isa = HONE_ISA_AVX2,
    .lanes = VF_LANES,
    .panel = PANEL,
    .height = HEIGHT,
    .operand = sizeof(float),
    .step = 1,
    .pack = pack_panel,
    .scale = scale_panel,
    .stream = stream,
    .dots = dots,
    .narrow = narrow,
    .run = {{NULL}, ROW(1), ROW(2)},
};
