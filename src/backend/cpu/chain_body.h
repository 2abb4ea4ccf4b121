/* The ops of a chain for one instruction set: included by chain_*.c with CHAIN_SET defined.
 * Room: backend/cpu. Meanings as in ops/pointwise.def. */
#include <math.h>

#include "backend/cpu/chain.h"
#include "backend/cpu/simd_math.h"

/* A loop of vectors and a rest, over `formula` in x, y, z (vectors), a and b (vectors). */
#define VECTOR_OP(name, formula)                                                                   \
  static void chain_##name(const float *px, const float *py, const float *pz, float *out,          \
                           size_t count, float fa, float fb) {                                     \
    const vf a = vf_set(fa), b = vf_set(fb);                                                       \
    (void)a, (void)b, (void)py, (void)pz;                                                          \
    size_t i = 0;                                                                                  \
    for (; i + VF_LANES <= count; i += VF_LANES) {                                                 \
      vf x = vf_load(px + i), y = vf_load(py + i), z = vf_load(pz + i);                            \
      (void)x, (void)y, (void)z;                                                                   \
      vf_store(out + i, formula);                                                                  \
    }                                                                                              \
    int rest = (int)(count - i);                                                                   \
    if (!rest) return;                                                                             \
    vf x = vf_load_n(px + i, rest), y = vf_load_n(py + i, rest), z = vf_load_n(pz + i, rest);      \
    (void)x, (void)y, (void)z;                                                                     \
    vf_store_n(out + i, formula, rest);                                                            \
  }

/* The same one element at a time, for what has no vector form. */
#define SCALAR_OP(name, formula)                                                                   \
  static void chain_##name(const float *px, const float *py, const float *pz, float *out,          \
                           size_t count, float a, float b) {                                       \
    (void)a, (void)b, (void)py, (void)pz;                                                          \
    for (size_t i = 0; i < count; i++) {                                                           \
      float x = px[i], y = py[i], z = pz[i];                                                       \
      (void)x, (void)y, (void)z;                                                                   \
      out[i] = (formula);                                                                          \
    }                                                                                              \
  }

#define ZERO vf_set(0)
#define ONE vf_set(1)
#define EXPM1(x) vf_sub(vf_exp(vf_min(ZERO, x)), ONE)

VECTOR_OP(add, vf_add(x, y))
VECTOR_OP(sub, vf_sub(x, y))
VECTOR_OP(mul, vf_mul(x, y))
VECTOR_OP(div, vf_div(x, y))
VECTOR_OP(neg, vf_sub(vf_set(-0.0f), x))
VECTOR_OP(abs, vf_abs(x))
VECTOR_OP(reciprocal, vf_div(ONE, x))
VECTOR_OP(exp, vf_exp(x))
VECTOR_OP(erf, vf_erf(x))
VECTOR_OP(tanh, vf_tanh(x))
VECTOR_OP(sigmoid, vf_sigmoid(x))
VECTOR_OP(relu, vf_max(ZERO, x))
VECTOR_OP(silu, vf_mul(x, vf_sigmoid(x)))
VECTOR_OP(swish, vf_mul(x, vf_sigmoid(vf_mul(a, x))))
VECTOR_OP(gelu, vf_mul(vf_mul(x, vf_set(0.5f)),
                       vf_add(ONE, vf_erf(vf_mul(x, vf_set(0.70710678f))))))
VECTOR_OP(gelu_tanh,
          vf_mul(vf_mul(x, vf_set(0.5f)),
                 vf_add(ONE, vf_tanh(vf_mul(vf_set(0.797884561f),
                                            vf_fma(vf_mul(vf_mul(x, x), x), vf_set(0.044715f), x))))))
VECTOR_OP(hard_sigmoid, vf_clamp(vf_fma(a, x, b), ZERO, ONE))
VECTOR_OP(hard_swish,
          vf_mul(x, vf_clamp(vf_fma(x, vf_set(1.0f / 6), vf_set(0.5f)), ZERO, ONE)))
VECTOR_OP(leaky_relu, vf_less(x, ZERO, vf_mul(a, x), x))
VECTOR_OP(prelu, vf_less(x, ZERO, vf_mul(y, x), x))
VECTOR_OP(elu, vf_less(x, ZERO, vf_mul(a, EXPM1(x)), x))
VECTOR_OP(celu, vf_less(x, ZERO, vf_mul(a, EXPM1(vf_div(x, a))), x))
VECTOR_OP(selu, vf_mul(b, vf_less(x, ZERO, vf_mul(a, EXPM1(x)), x)))
VECTOR_OP(softsign, vf_div(x, vf_add(ONE, vf_abs(x))))
VECTOR_OP(clip, vf_clamp(x, y, z))
VECTOR_OP(clip_constant, vf_clamp(x, a, b))
VECTOR_OP(less, vf_less(x, y, ONE, ZERO))
VECTOR_OP(greater, vf_less(y, x, ONE, ZERO))
VECTOR_OP(select, vf_less(ZERO, x, y, z))
VECTOR_OP(not, vf_sub(ONE, x))
VECTOR_OP(and, vf_mul(x, y))
VECTOR_OP(or, vf_max(x, y))
VECTOR_OP(xor, vf_abs(vf_sub(x, y)))
VECTOR_OP(round, vf_round(x))
VECTOR_OP(square, vf_mul(x, x))
VECTOR_OP(copy, x)
/* These keep the NaN of either side, as the rows of pointwise.def do. */
SCALAR_OP(min, x != x || x < y ? x : y)
SCALAR_OP(max, x != x || x > y ? x : y)
SCALAR_OP(sqrt, sqrtf(x))
SCALAR_OP(rsqrt, 1 / sqrtf(x))
SCALAR_OP(log, logf(x))
SCALAR_OP(less_equal, x <= y)
SCALAR_OP(greater_equal, x >= y)
SCALAR_OP(equal, x == y)
SCALAR_OP(not_equal, x != y)
SCALAR_OP(floor, floorf(x))
SCALAR_OP(ceil, ceilf(x))
SCALAR_OP(trunc, truncf(x))
SCALAR_OP(sign, x > 0 ? 1 : x < 0 ? -1 : x)
SCALAR_OP(softplus, (x > 0 ? x : 0) + log1pf(expf(-fabsf(x))))
SCALAR_OP(mish, x * tanhf((x > 0 ? x : 0) + log1pf(expf(-fabsf(x)))))
SCALAR_OP(pow, powf(x, y))
SCALAR_OP(sin, sinf(x))
SCALAR_OP(cos, cosf(x))
SCALAR_OP(truth, x != 0)
SCALAR_OP(thresholded_relu, x > a ? x : x != x ? x : 0)
SCALAR_OP(mod, a != 0 ? fmodf(x, y) : fmodf(x, y) != 0 && (fmodf(x, y) < 0) != (y < 0)
                                          ? fmodf(x, y) + y : fmodf(x, y))

hone_chain_set CHAIN_SET = {
#define CHAIN_ENTRY(name) [HONE_CHAIN_##name] = chain_##name,
    HONE_CHAIN_OPS(CHAIN_ENTRY)
#undef CHAIN_ENTRY
};
