/* bfloat16 tiles in plain C: 4 rows x 8 columns. Room: backend/cpu/products. */
#define HEIGHT 4
#define PANEL  2
#include "backend/cpu/products/tile_bf16_body.h"

#define TILES(vectors) TILE(1, vectors) TILE(2, vectors) TILE(3, vectors) TILE(4, vectors)
#define ROW(vectors) \
  { NULL, tile_1x##vectors, tile_2x##vectors, tile_3x##vectors, tile_4x##vectors }

TILES(1)
TILES(2)

const hone_tile_set hone_tiles_bf16_plain = {
    .name = "bf16_plain",
    .isa = HONE_ISA_PLAIN,
    .lanes = VF_LANES,
    .panel = PANEL,
    .height = HEIGHT,
    .operand = sizeof(uint16_t),
    .step = 2,
    .pack = pack_panel,
    .narrow = narrow,
    .run = {{NULL}, ROW(1), ROW(2)},
};
