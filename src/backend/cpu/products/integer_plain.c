/* Integer tiles in plain C: 2 rows x 16 columns; and the list of sets.
 * Room: backend/cpu/products. */
#define HEIGHT 2
#define PANEL  2
#include "backend/cpu/products/integer_body.h"
#include "backend/cpu/products/integer_depthwise_body.h"
#include "backend/cpu/products/integer_finish_body.h"

#define TILES(vectors) TILE(1, vectors) TILE(2, vectors)
#define ROW(vectors) \
  { NULL, tile_1x##vectors, tile_2x##vectors }

TILES(1)
TILES(2)

const hone_integer_set hone_integer_plain = {
    .isa = HONE_ISA_PLAIN,
    .lanes = VF_LANES,
    .panel = PANEL,
    .height = HEIGHT,
    .run = {{NULL}, ROW(1), ROW(2)},
    .depthwise = run_depthwise,
    .depthwise_place = place_of_tap,
    .finish = run_finish,
};

const hone_integer_set *const hone_integer_sets[] = {
#if defined(__x86_64__)
    &hone_integer_amx, &hone_integer_avx512vnni, &hone_integer_avx2,
#endif
    &hone_integer_plain, NULL};
