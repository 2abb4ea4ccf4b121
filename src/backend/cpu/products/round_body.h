/* Rows of floats from and to bfloat16 for one instruction set. Room: backend/cpu/products.
 * Included by tile_*_body.h, depthwise_body.h and winograd_body.h, whose sets have them as members.
 */
#include "backend/cpu/simd/simd_bf16.h"

HONE_INLINE void narrow(const float *from, size_t count, uint16_t *to) {
  size_t i = 0;
  for (; i + VF_LANES <= count; i += VF_LANES) vf_store_bf16(to + i, vf_load(from + i));
  if (i < count) vf_store_bf16_n(to + i, vf_load_n(from + i, (int)(count - i)), (int)(count - i));
}

HONE_INLINE void widen(const uint16_t *from, size_t count, float *to) {
  size_t i = 0;
  for (; i + VF_LANES <= count; i += VF_LANES) vf_store(to + i, vf_load_bf16(from + i));
  if (i < count) vf_store_n(to + i, vf_load_bf16_n(from + i, (int)(count - i)), (int)(count - i));
}
