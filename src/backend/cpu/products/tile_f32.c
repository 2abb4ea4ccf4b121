/* fp32 tiles in plain C, 4 rows x 8 columns, and the list of all fp32 tiles.
 * Room: backend/cpu/products. */
#define HEIGHT 4
#define PANEL  2
#include "backend/cpu/products/tile_f32_body.h"

#define TILES(vectors) TILE(1, vectors) TILE(2, vectors) TILE(3, vectors) TILE(4, vectors)
#define ROW(vectors) \
  { NULL, tile_1x##vectors, tile_2x##vectors, tile_3x##vectors, tile_4x##vectors }

TILES(1)
TILES(2)

const hone_tile_set hone_tiles_f32_plain = {
    .name = "f32_plain",
    .isa = HONE_ISA_PLAIN,
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

const hone_tile_set *const hone_tile_sets_f32[] = {
#if defined(__x86_64__)
    &hone_tiles_f32_avx512, &hone_tiles_f32_avx2,
#endif
    &hone_tiles_f32_plain, NULL};
