/* Integer tiles for AVX512_VNNI: 6 rows x 64 columns and every smaller size.
 * Room: backend/cpu/products. */
#define HEIGHT 6
#define PANEL  4
#include "backend/cpu/products/integer_body.h"
#include "backend/cpu/products/integer_depthwise_body.h"
#include "backend/cpu/products/integer_finish_body.h"

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
TILES(3)
TILES(4)

const hone_integer_set hone_integer_avx512vnni = {
    .isa = HONE_ISA_AVX512 | HONE_ISA_VNNI,
    .lanes = VF_LANES,
    .panel = PANEL,
    .height = HEIGHT,
    .run = {{NULL}, ROW(1), ROW(2), ROW(3), ROW(4)},
    .depthwise = run_depthwise,
    .depthwise_place = place_of_tap,
    .finish = run_finish,
};
