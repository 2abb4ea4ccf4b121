/* The vector forms for one instruction set: included by lanes_*.c with LANES defined.
 * Room: backend/cpu/lines. */
#include "backend/cpu/lines/lanes.h"
#include "backend/cpu/simd/simd_more.h"

HONE_INLINE vf gelu_tanh(vf x) {
  vf half = vf_mul(x, vf_set(0.5f)), cube = vf_mul(vf_mul(x, x), x);
  vf inner = vf_mul(vf_set(0.797884561f), vf_fma(cube, vf_set(0.044715f), x));
  return vf_fma(half, vf_tanh(inner), half);
}
HONE_INLINE vf gelu_erf(vf x) {
  vf half = vf_mul(x, vf_set(0.5f));
  return vf_fma(half, vf_erf(vf_mul(half, vf_set(1.41421356f))), half); /* 2 / sqrt 2 */
}

HONE_INLINE vf shrink(vf x, vf bias, vf lambd) {
  vf zero = vf_set(0), inner = vf_equal(x, x, zero, x);
  inner = vf_less(lambd, x, vf_sub(x, bias), inner);
  return vf_less(x, vf_sub(zero, lambd), vf_add(x, bias), inner);
}

#define LANE(op, value)                                                                        \
  static void lane_##op(size_t count, const float *in_x, const float *in_y, const float *in_z, \
                        float fa, float fb, float *out) {                                      \
    const vf a = vf_set(fa), b = vf_set(fb);                                                   \
    (void)a, (void)b;                                                                          \
    size_t i = 0;                                                                              \
    for (; i + VF_LANES <= count; i += VF_LANES) {                                             \
      vf x = vf_load(in_x + i), y = vf_load(in_y + i), z = vf_load(in_z + i);                  \
      (void)x, (void)y, (void)z;                                                               \
      vf_store(out + i, value);                                                                \
    }                                                                                          \
    int n = (int)(count - i);                                                                  \
    if (n == 0) return;                                                                        \
    vf x = vf_load_n(in_x + i, n), y = vf_load_n(in_y + i, n), z = vf_load_n(in_z + i, n);     \
    (void)x, (void)y, (void)z;                                                                 \
    vf_store_n(out + i, value, n);                                                             \
  }
#include "backend/cpu/lines/lanes.def"
#undef LANE

hone_lane_function *const LANES[HONE_LANES] = {
#define LANE(op, value) lane_##op,
#include "backend/cpu/lines/lanes.def"
#undef LANE
};
