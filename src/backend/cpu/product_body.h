/* Tiles of products for one instruction set: included by product_*.c with PRODUCT (the set's name) and
 * VECTOR (bytes of a register) defined. Room: backend/cpu. */
#include <string.h>

#include "backend/cpu/product.h"

enum { VECTORS = 2 };

#define TILE(name, type)                                                                        \
  typedef type name##_vector __attribute__((vector_size(VECTOR)));                              \
  static void tile_##name(size_t taps, size_t depth, const void *const *rows, ptrdiff_t step,   \
                          const void *panel, void *out) {                                       \
    name##_vector sum[HONE_PRODUCT_ROWS][VECTORS] = {{{0}}};                                    \
    const name##_vector *b = panel;                                                             \
    for (size_t t = 0; t < taps; t++) {                                                         \
      const type *const *a = (const type *const *)(rows + t * HONE_PRODUCT_ROWS);               \
      const type *a0 = a[0], *a1 = a[1], *a2 = a[2], *a3 = a[3];                                \
      for (size_t k = 0; k < depth; k++, b += VECTORS) {                                        \
        const ptrdiff_t at = (ptrdiff_t)k * step;                                               \
        const name##_vector zero = {0};                                                         \
        const name##_vector x[HONE_PRODUCT_ROWS] = {zero + a0[at], zero + a1[at], zero + a2[at],\
                                                    zero + a3[at]};                             \
        HONE_UNROLL                                                                             \
        for (int i = 0; i < HONE_PRODUCT_ROWS; i++)                                             \
          for (int v = 0; v < VECTORS; v++) sum[i][v] += x[i] * b[v];                           \
      }                                                                                         \
    }                                                                                           \
    memcpy(out, sum, sizeof sum);                                                               \
  }
HONE_PRODUCT_TYPES(TILE)
#undef TILE

const hone_product_set PRODUCT = {
    .width = VECTORS * VECTOR,
#define MEMBER(name, type) .name = tile_##name,
    HONE_PRODUCT_TYPES(MEMBER)
#undef MEMBER
};
