/* What is done to the results of a matrix multiplication or convolution before they leave the
 * cache. Room: backend/cpu/products.
 *
 * In this order: bias, residual, activation, program. Bias, residual and a clamp happen in
 * registers; the other activations and the program on the tile just stored.
 */
#ifndef HONE_BACKEND_CPU_PRODUCTS_FINISH_H
#define HONE_BACKEND_CPU_PRODUCTS_FINISH_H

#include <stdbool.h>

#include "backend/cpu/kernel.h"
#include "backend/cpu/simd/isa.h"

/* X(suffix, name, formula) in terms of x, a and b. */
#define HONE_ACTIVATIONS(X)                                    \
  X(NONE, "none", x)                                           \
  X(CLAMP, "clamp", min(max(x, a), b))                         \
  X(LEAKY_RELU, "leaky_relu", x < 0 ? a x : x)                 \
  X(ELU, "elu", x < 0 ? a(e ^ x - 1) : x)                      \
  X(SIGMOID, "sigmoid", 1 / (1 + e ^ -x))                      \
  X(TANH, "tanh", tanh(x))                                     \
  X(SILU, "silu", x sigmoid(a x))                              \
  X(HARD_SIGMOID, "hard_sigmoid", min(max(a x + b, 0), 1))     \
  X(HARD_SWISH, "hard_swish", x min(max(x / 6 + 1 / 2, 0), 1)) \
  X(GELU_ERF, "gelu_erf", x(1 + erf(x / sqrt 2)) / 2)          \
  X(GELU_TANH, "gelu_tanh", x(1 + tanh(sqrt(2 / pi)(x + 0.044715 x ^ 3))) / 2) \
  X(AFFINE, "affine", a x + b)                                 \
  X(THRESHOLDED_RELU, "thresholded_relu", x > a ? x : 0)       \
  X(SCALED_TANH, "scaled_tanh", a tanh(b x))                   \
  X(SOFTSIGN, "softsign", x / (1 + |x|))                       \
  X(SOFTPLUS, "softplus", ln(1 + e ^ x))

typedef enum hone_activation_kind {
#define HONE_ACTIVATION_ENUMERATOR(suffix, name, formula) HONE_ACTIVATION_##suffix,
  HONE_ACTIVATIONS(HONE_ACTIVATION_ENUMERATOR)
#undef HONE_ACTIVATION_ENUMERATOR
      HONE_ACTIVATION_COUNT
} hone_activation_kind;

typedef struct hone_activation {
  hone_activation_kind kind;
  float a, b; /* relu is CLAMP of 0 and infinity */
} hone_activation;

/* Applies an activation in place to rows x columns floats, `stride` floats from row to row. An
 * element's bits depend on its value only. Within 6e-7 of the value plus 4e-7 of the larger of 1
 * and |x| (up to 6), whatever the isa. */
void hone_activate(uint32_t isa, hone_activation activation, float *x, ptrdiff_t stride,
                   size_t rows, size_t columns);

/* A pointwise program on what was just computed: x[0][0] is element (row, column) of the whole
 * output, rows being pixels in order and columns channels; some thousand elements where the kernel
 * can, and each element of the output exactly once. `part` as in hone_kernel_phase. Blocking and
 * scratch of a kernel depend on whether there is a program, not on which. */
typedef void hone_tile_program(const void *program, const hone_kernel_io *io, int part, float *x,
                               ptrdiff_t stride, size_t rows, size_t columns, size_t row,
                               size_t column);

typedef struct hone_finish {
  const float *bias;         /* one a column, or NULL */
  int residual;              /* index into io->in of a tensor of the output's shape, or -1 */
  ptrdiff_t residual_stride; /* elements from row to row; 0 repeats one row */
  bool residual_bf16;        /* it is bf16, else f32; only convolutions take that */
  hone_activation activation;
  hone_tile_program *program; /* or NULL */
  const void *program_state;
} hone_finish;

/* What remains of the activation after the registers were stored. */
static inline void hone_finish_activation(const hone_finish *finish, uint32_t isa, float *x,
                                          ptrdiff_t stride, size_t rows, size_t columns) {
  if (finish->activation.kind > HONE_ACTIVATION_CLAMP)
    hone_activate(isa, finish->activation, x, stride, rows, columns);
}

/* That and the program, for the tile x of rows x columns at (row, column). */
static inline void hone_finish_after(const hone_finish *finish, uint32_t isa,
                                     const hone_kernel_io *io, int part, float *x, ptrdiff_t stride,
                                     size_t rows, size_t columns, size_t row, size_t column) {
  hone_finish_activation(finish, isa, x, stride, rows, columns);
  if (finish->program)
    finish->program(finish->program_state, io, part, x, stride, rows, columns, row, column);
}

#endif
