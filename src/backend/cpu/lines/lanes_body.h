/* The vector forms for one instruction set: included by lanes_*.c with LANES defined.
 * Room: backend/cpu/lines. */
#include "backend/cpu/lines/lanes.h"
#include "backend/cpu/simd/simd_trig.h"

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

/* `value` of whole vectors and of what is left. */
#define OVER(load_x, load_x_n, store, store_n, value)                                   \
  const vf a = vf_set(fa), b = vf_set(fb);                                              \
  (void)a, (void)b;                                                                     \
  size_t i = 0;                                                                         \
  for (; i + VF_LANES <= count; i += VF_LANES) {                                        \
    vf x = load_x(in_x + i), y = vf_load(in_y + i), z = vf_load(in_z + i);              \
    (void)x, (void)y, (void)z;                                                          \
    store(out + i, value);                                                              \
  }                                                                                     \
  int n = (int)(count - i);                                                             \
  if (n == 0) return;                                                                   \
  vf x = load_x_n(in_x + i, n), y = vf_load_n(in_y + i, n), z = vf_load_n(in_z + i, n); \
  (void)x, (void)y, (void)z;                                                            \
  store_n(out + i, value, n);

#define FUNCTION(op, x_type, out_type)                                                            \
  static void lane_##op(size_t count, const void *from_x, const void *from_y, const void *from_z, \
                        float fa, float fb, void *to) {                                           \
    const x_type *in_x = from_x;                                                                  \
    const float *in_y = from_y, *in_z = from_z;                                                   \
    out_type *out = to;

#define LANE(op, value)                                 \
  FUNCTION(op, float, float)                            \
  OVER(vf_load, vf_load_n, vf_store, vf_store_n, value) \
  }
#define TRUTH(op, value)                                              \
  FUNCTION(op, float, uint8_t)                                        \
  OVER(vf_load, vf_load_n, vf_store_bytes, vf_store_bytes_n, value) \
  }
#define CHOICE(op)                                                                          \
  FUNCTION(op, uint8_t, float)                                                              \
  OVER(vf_load_truths, vf_load_truths_n, vf_store, vf_store_n, vf_less(vf_set(0), x, y, z)) \
  }
#include "backend/cpu/lines/lanes.def"
#undef LANE
#undef FUNCTION
#undef OVER

hone_lane_function *const LANES[HONE_LANES] = {
#define LANE(op, value) lane_##op,
#include "backend/cpu/lines/lanes.def"
#undef LANE
};
