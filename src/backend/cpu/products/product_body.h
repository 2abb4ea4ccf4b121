/* Tiles of products for one instruction set: included by product_*.c with PRODUCT, the set's name,
 * defined. Room: backend/cpu/products. */
#include "backend/cpu/products/product.h"
#include "backend/cpu/simd/simd.h"

enum { VECTORS = 2, VECTOR = (int)sizeof(vf) };

typedef float f32_vector __attribute__((vector_size(sizeof(vf))));
typedef double f64_vector __attribute__((vector_size(sizeof(vf))));
typedef uint8_t u8_vector __attribute__((vector_size(sizeof(vf))));
typedef uint16_t u16_vector __attribute__((vector_size(sizeof(vf))));
typedef uint32_t u32_vector __attribute__((vector_size(sizeof(vf))));
typedef uint64_t u64_vector __attribute__((vector_size(sizeof(vf))));

/* One number in all lanes; sum + x * y. */
#define SET_f32(x)       ((f32_vector)vf_set(x))
#define ADD_f32(x, y, s) ((f32_vector)vf_fma((vf)(x), (vf)(y), (vf)(s)))
#define SET_u8(x)        ((u8_vector){0} + (x))
#define ADD_u8(x, y, s)  ((s) + (x) * (y))
#define SET_u16(x)       ((u16_vector){0} + (x))
#define ADD_u16(x, y, s) ((s) + (x) * (y))
#define SET_u32(x)       ((u32_vector){0} + (x))
#define ADD_u32(x, y, s) ((s) + (x) * (y))
#define SET_u64(x)       ((u64_vector){0} + (x))
#define ADD_u64(x, y, s) ((s) + (x) * (y))
#if defined(__AVX512F__)
#define SET_f64(x)       _mm512_set1_pd(x)
#define ADD_f64(x, y, s) _mm512_fmadd_pd(x, y, s)
#elif defined(__AVX2__)
#define SET_f64(x)       _mm256_set1_pd(x)
#define ADD_f64(x, y, s) _mm256_fmadd_pd(x, y, s)
#else
#define SET_f64(x)       ((f64_vector){x, x})
#define ADD_f64(x, y, s) ((s) + (x) * (y))
#endif

#define ROW(name, i)                            \
  {                                             \
    const name##_vector x = SET_##name(*a##i);  \
    sum[i][0] = ADD_##name(x, b[0], sum[i][0]); \
    sum[i][1] = ADD_##name(x, b[1], sum[i][1]); \
  }

#define LOAD(to, p) memcpy(&(to), p, sizeof(to))
#define TILE(name, type)                                                                       \
  static void tile_##name(size_t taps, size_t depth, const void *const *rows, ptrdiff_t step,  \
                          const void *panel, ptrdiff_t panel_step, void *out) {                \
    name##_vector sum[HONE_PRODUCT_ROWS][VECTORS], b[VECTORS];                                 \
    const type *at = panel;                                                                    \
    HONE_UNROLL                                                                                \
    for (int i = 0; i < HONE_PRODUCT_ROWS; i++) sum[i][0] = sum[i][1] = SET_##name(0);         \
    for (size_t t = 0; t < taps; t++, rows += HONE_PRODUCT_ROWS) {                             \
      const type *a0 = rows[0], *a1 = rows[1], *a2 = rows[2], *a3 = rows[3];                   \
      for (size_t k = 0; k < depth; k++, at += panel_step) {                                   \
        LOAD(b[0], at);                                                                        \
        LOAD(b[1], at + sizeof(b[0]) / sizeof(type));                                          \
        ROW(name, 0)                                                                           \
        ROW(name, 1) ROW(name, 2) ROW(name, 3) a0 += step, a1 += step, a2 += step, a3 += step; \
      }                                                                                        \
    }                                                                                          \
    name##_vector *to = out;                                                                   \
    HONE_UNROLL                                                                                \
    for (int i = 0; i < HONE_PRODUCT_ROWS; i++, to += VECTORS) {                               \
      to[0] = sum[i][0];                                                                       \
      to[1] = sum[i][1];                                                                       \
    }                                                                                          \
  }
HONE_PRODUCT_TYPES(TILE)
#undef TILE
#undef LOAD

const hone_product_set PRODUCT = {.width = VECTORS * VECTOR,
#define MEMBER(name, type) .name = tile_##name,
                                  HONE_PRODUCT_TYPES(MEMBER)
#undef MEMBER
};
