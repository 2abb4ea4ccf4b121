/* What the tests of CPU kernels share: poisoned memory, seeded numbers, running a phase split into
 * parts, comparing with a result in double. */
#ifndef HONE_TESTS_CPU_KERNELS_H
#define HONE_TESTS_CPU_KERNELS_H

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "backend/cpu/products/finish.h"
#include "base/memory.h"
#include "check.h"
#include "numerics.h"

static inline float *floats(size_t count) {
  float *p = hone_alloc_aligned(64, count * sizeof(float) + 64);
  if (!p) abort();
  for (size_t i = 0; i < count; i++) p[i] = NAN;
  return p;
}

/* Seeded numbers in -1..1. */
static inline float *random_floats(size_t count, uint32_t seed) {
  float *p = floats(count);
  for (size_t i = 0; i < count; i++) {
    seed = seed * 1664525u + 1013904223u;
    p[i] = (float)((int32_t)(seed >> 8) - (1 << 23)) / (float)(1 << 23);
  }
  return p;
}

/* Runs the phases as `parts` workers would, one after the other, on poisoned scratch. */
static inline void run_parts(hone_kernel_phase *const *phases, int count, const void *args,
                             const void *const *in, void *out, size_t scratch, int parts) {
  void *outs[] = {out};
  unsigned char *bytes = hone_alloc_aligned(64, scratch + 64);
  if (!bytes) abort();
  memset(bytes, 0xff, scratch + 64); /* NaN as floats */
  hone_kernel_io io = {(void *const *)in, outs, bytes, NULL, NULL};
  for (int phase = 0; phase < count; phase++) {
    for (int part = 0; part < parts; part++) phases[phase](args, &io, part, parts);
  }
  for (int i = 0; i < 64; i++) {
    if (bytes[scratch + (size_t)i] != 0xff) {
      fprintf(stderr, "wrote beyond the scratch\n");
      check_failed++;
      break;
    }
  }
  hone_free(bytes);
}

static const int test_parts[] = {1, 2, 3, 5};

/* The formulas of finish.h in double. */
static inline double activation_in_double(hone_activation f, double x) {
  switch (f.kind) {
    case HONE_ACTIVATION_CLAMP:
      return fmin(fmax(x, f.a), f.b);
    case HONE_ACTIVATION_LEAKY_RELU:
      return x < 0 ? f.a * x : x;
    case HONE_ACTIVATION_ELU:
      return x < 0 ? f.a * expm1(x) : x;
    case HONE_ACTIVATION_SIGMOID:
      return 1 / (1 + exp(-x));
    case HONE_ACTIVATION_TANH:
      return tanh(x);
    case HONE_ACTIVATION_SILU:
      return x / (1 + exp(-f.a * x));
    case HONE_ACTIVATION_HARD_SIGMOID:
      return fmin(fmax(f.a * x + f.b, 0), 1);
    case HONE_ACTIVATION_HARD_SWISH:
      return x * fmin(fmax(x / 6 + 0.5, 0), 1);
    case HONE_ACTIVATION_GELU_ERF:
      return x * (1 + erf(x / sqrt(2))) / 2;
    case HONE_ACTIVATION_GELU_TANH:
      return x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))) / 2;
    case HONE_ACTIVATION_AFFINE:
      return f.a * x + f.b;
    case HONE_ACTIVATION_THRESHOLDED_RELU:
      return x > f.a ? x : 0;
    case HONE_ACTIVATION_SCALED_TANH:
      return f.a * tanh(f.b * x);
    case HONE_ACTIVATION_SOFTSIGN:
      return x / (1 + fabs(x));
    case HONE_ACTIVATION_SOFTPLUS:
      return log1p(exp(x));
    case HONE_ACTIVATION_NONE:
    case HONE_ACTIVATION_COUNT:
      break;
  }
  return x;
}

/* |got - want| <= bound for a sum of `terms` products whose magnitudes add up to `size`: the
 * classical bound with its worst case replaced by 8 times the square root, plus the activation's
 * own error. */
static inline bool close_enough(float got, double want, double size, size_t terms) {
  static double rounding;
  if (rounding == 0) rounding = bound("sum", "fp32");
  double roundings = sqrt((double)terms + 4) * size + fabs(want) + 0.25;
  return fabs((double)got - want) <= rounding * roundings;
}

/* Adds to each element a number that tells its place, so that the result shows whether a program
 * saw every element once and where it was told that it is. */
static inline void add_place(const void *program, const hone_kernel_io *io, int part, float *x,
                             ptrdiff_t stride, size_t rows, size_t columns, size_t row,
                             size_t column) {
  (void)program, (void)io, (void)part;
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < columns; j++)
      x[(ptrdiff_t)i * stride + (ptrdiff_t)j] += (float)(1000 * (row + i) + column + j);
  }
}

/* How many elements that began as zero are not what add_place makes of them. */
static inline size_t misplaced(const float *x, size_t rows, size_t columns, size_t stride) {
  size_t bad = 0;
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) bad += x[i * stride + j] != (float)(1000 * i + j);
  return bad;
}

#endif
