/* Activations in place for one instruction set: included by activation*.c with ACTIVATE defined.
 * Room: backend/cpu/products. The formulas are in finish.h. */
#include "backend/cpu/products/activation.h"
#include "backend/cpu/simd/simd_more.h"

HONE_INLINE vf formula(const hone_activation_kind kind, vf x, vf a, vf b) {
  const vf zero = vf_set(0), one = vf_set(1), half = vf_set(0.5f);
  switch (kind) {
    case HONE_ACTIVATION_CLAMP:
      return vf_clamp(x, a, b);
    case HONE_ACTIVATION_LEAKY_RELU:
      return vf_less(x, zero, vf_mul(a, x), x);
    case HONE_ACTIVATION_ELU:
      return vf_less(x, zero, vf_mul(a, vf_sub(vf_exp(vf_min(zero, x)), one)), x);
    case HONE_ACTIVATION_SIGMOID:
      return vf_sigmoid(x);
    case HONE_ACTIVATION_TANH:
      return vf_tanh(x);
    case HONE_ACTIVATION_SILU:
      return vf_mul(x, vf_sigmoid_of(x, vf_sub(zero, a)));
    case HONE_ACTIVATION_HARD_SIGMOID:
      return vf_clamp(vf_fma(a, x, b), zero, one);
    case HONE_ACTIVATION_HARD_SWISH:
      return vf_mul(x, vf_clamp(vf_fma(x, vf_set(1.0f / 6), half), zero, one));
    case HONE_ACTIVATION_GELU_ERF:
      x = vf_mul(x, half);
      return vf_fma(x, vf_erf(vf_mul(x, vf_set(1.41421356f))), x); /* 2 / sqrt 2 */
    case HONE_ACTIVATION_GELU_TANH: {
      vf cube = vf_mul(vf_mul(x, x), x);
      vf inner = vf_mul(vf_set(0.797884561f), vf_fma(cube, vf_set(0.044715f), x));
      x = vf_mul(x, half);
      return vf_fma(x, vf_tanh(inner), x);
    }
    case HONE_ACTIVATION_AFFINE:
      return vf_fma(a, x, b);
    case HONE_ACTIVATION_THRESHOLDED_RELU:
      return vf_less(a, x, x, vf_equal(x, x, zero, x));
    case HONE_ACTIVATION_SCALED_TANH:
      return vf_mul(a, vf_tanh(vf_mul(b, x)));
    case HONE_ACTIVATION_SOFTSIGN:
      return vf_div(x, vf_add(one, vf_abs(x)));
    case HONE_ACTIVATION_SOFTPLUS:
      return vf_softplus(x);
    case HONE_ACTIVATION_NONE:
    case HONE_ACTIVATION_COUNT:
      break;
  }
  return x;
}

/* The whole vectors of all rows in one loop, since a row is often one vector; then what is left. */
HONE_INLINE void rows_of(const hone_activation_kind kind, float a, float b, float *x,
                         ptrdiff_t stride, size_t rows, size_t columns) {
  vf va = vf_set(a), vb = vf_set(b);
  size_t whole = columns / VF_LANES;
  int rest = (int)(columns % VF_LANES);
  float *p = x;
  for (size_t left = rows * whole, i = 0; left; left--, p += VF_LANES) {
    vf_store(p, formula(kind, vf_load(p), va, vb));
    if (++i == whole) p += stride - (ptrdiff_t)(columns - (size_t)rest), i = 0;
  }
  for (p = x + whole * VF_LANES; rest && rows; rows--, p += stride)
    vf_store_n(p, formula(kind, vf_load_n(p, rest), va, vb), rest);
}

void ACTIVATE(hone_activation activation, float *x, ptrdiff_t stride, size_t rows, size_t columns) {
  switch (activation.kind) {
#define HONE_ACTIVATION_CASE(suffix, name, text)                                             \
  case HONE_ACTIVATION_##suffix:                                                             \
    rows_of(HONE_ACTIVATION_##suffix, activation.a, activation.b, x, stride, rows, columns); \
    break;
    HONE_ACTIVATIONS(HONE_ACTIVATION_CASE)
#undef HONE_ACTIVATION_CASE
    case HONE_ACTIVATION_COUNT:
      break;
  }
}
