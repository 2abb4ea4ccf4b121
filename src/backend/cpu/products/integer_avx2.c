/* Integer tiles for AVX2, of split panels: 6 rows x 16 columns and every smaller size.
 * Room: backend/cpu/products. */
#define HEIGHT 6
#define PANEL  2
#define SPLIT
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

static void spread(const void *from, size_t count, bool is_signed, uint8_t *to) {
  const char *x = from;
  const __m128i flip = _mm_set1_epi8(is_signed ? (char)0x80 : 0);
  const __m128i second = _mm_set1_epi16((short)0xff00);
  size_t i = 0;
  for (; i + 16 <= count; i += 16, to += 32) {
    __m128i bytes = _mm_xor_si128(_mm_loadu_si128((const void *)(x + i)), flip);
    __m128i flipped = _mm_xor_si128(bytes, second);
    _mm_storeu_si128((void *)to, _mm_unpacklo_epi32(bytes, flipped));
    _mm_storeu_si128((void *)(to + 16), _mm_unpackhi_epi32(bytes, flipped));
  }
  for (; i < count; i += HONE_INTEGER_STEP, to += 8) {
    __m128i bytes = _mm_xor_si128(_mm_cvtsi32_si128((int)*(const quad *)(x + i)), flip);
    _mm_storel_epi64((void *)to, _mm_unpacklo_epi32(bytes, _mm_xor_si128(bytes, second)));
  }
}

const hone_integer_set hone_integer_avx2 = {
    .isa = HONE_ISA_AVX2,
    .spread = spread,
    .lanes = VF_LANES,
    .panel = PANEL,
    .height = HEIGHT,
    .run = {{NULL}, ROW(1), ROW(2)},
    .depthwise = run_depthwise,
    .depthwise_place = place_of_tap,
    .finish = run_finish,
};
