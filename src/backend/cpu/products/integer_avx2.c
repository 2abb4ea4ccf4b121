/* Integer tiles for AVX2: 3 rows x 16 columns and every smaller size.
 * Room: backend/cpu/products. */
#define HEIGHT 3
#define PANEL  2
#include "backend/cpu/products/integer_body.h"

#define TILES(vectors) TILE(1, vectors) TILE(2, vectors) TILE(3, vectors)
#define ROW(vectors) \
  { NULL, tile_1x##vectors, tile_2x##vectors, tile_3x##vectors }

TILES(1)
TILES(2)

const hone_integer_set hone_integer_avx2 = {
    .isa = HONE_ISA_AVX2,
    .lanes = VF_LANES,
    .panel = PANEL,
    .height = HEIGHT,
    .run = {{NULL}, ROW(1), ROW(2)},
    .depthwise = run_depthwise,
    .depthwise_place = place_of_tap,
    .finish = run_finish,
};
