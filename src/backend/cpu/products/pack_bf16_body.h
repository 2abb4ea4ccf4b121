/* Packing weights as bfloat16. Room: backend/cpu/products. Included by the sets of such tiles. */
#include "backend/cpu/simd/simd_bf16.h"

/* One panel of floats, rounded, in pairs along the depth. */
static void pack_panel(const float *b, ptrdiff_t depth_stride, ptrdiff_t column_stride,
                       size_t depth, size_t columns, size_t width, float *packed) {
  uint16_t *to = (uint16_t *)(void *)packed;
  for (size_t k = 0; k < depth; k += 2) {
    for (size_t j = 0; j < width; j++) {
      const float *from = b + (ptrdiff_t)k * depth_stride + (ptrdiff_t)j * column_stride;
      *to++ = j < columns ? to_bf16(from[0]) : 0;
      *to++ = j < columns && k + 1 < depth ? to_bf16(from[depth_stride]) : 0;
    }
  }
}
