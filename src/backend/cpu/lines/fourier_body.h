/* The transform for one instruction set: included by fourier_*.c with FOURIER defined.
 * Room: backend/cpu/lines. */
#include "backend/cpu/lines/fourier.h"

typedef double lanes __attribute__((vector_size(HONE_FOURIER_LANES * sizeof(double))));
typedef struct number {
  lanes real, imaginary;
} number;

HONE_INLINE number plus(number a, number b) {
  return (number){a.real + b.real, a.imaginary + b.imaginary};
}
HONE_INLINE number minus(number a, number b) {
  return (number){a.real - b.real, a.imaginary - b.imaginary};
}
HONE_INLINE number times(number a, const double *root) {
  return (number){a.real * root[0] - a.imaginary * root[1],
                  a.real * root[1] + a.imaginary * root[0]};
}

/* Two transforms of m values each become one. `step` roots of the whole length make one of n. */
static void join_two(const double *roots, number *x, size_t m, size_t step) {
  for (size_t k = 0; k < m; k++) {
    number a = x[k], b = times(x[m + k], roots + 2 * k * step);
    x[k] = plus(a, b);
    x[m + k] = minus(a, b);
  }
}

/* Four; the root of a quarter turn is -i forward and i backward. */
static void join_four(const double *roots, number *x, size_t m, size_t step) {
  const double turn = roots[2 * m * step + 1];
  for (size_t k = 0; k < m; k++) {
    number a = x[k], b = times(x[m + k], roots + 2 * k * step);
    number c = times(x[2 * m + k], roots + 4 * k * step);
    number d = times(x[3 * m + k], roots + 6 * k * step);
    number even = plus(a, c), odd = minus(a, c), sum = plus(b, d), rest = minus(b, d);
    number turned = {rest.imaginary * -turn, rest.real * turn};
    x[k] = plus(even, sum);
    x[m + k] = plus(odd, turned);
    x[2 * m + k] = minus(even, sum);
    x[3 * m + k] = minus(odd, turned);
  }
}

static void join(const double *roots, number *x, size_t m, size_t p, size_t step, number *space) {
  size_t n = m * p;
  for (size_t k = 0; k < m; k++) {
    for (size_t r = 0; r < p; r++) space[r] = times(x[r * m + k], roots + 2 * (r * k * step));
    for (size_t q = 0; q < p; q++) {
      number sum = space[0];
      for (size_t r = 1; r < p; r++)
        sum = plus(sum, times(space[r], roots + 2 * (r * q * m % n * step)));
      x[q * m + k] = sum;
    }
  }
}

/* Depth: the number of factors. */
static void transform(const hone_lines_fourier *f, int level, const number *in, size_t stride,
                      number *out, size_t n, number *space) {
  if (n == 1) {
    out[0] = in[0];
    return;
  }
  size_t p = f->factors[level], m = n / p;
  for (size_t r = 0; r < p; r++)
    transform(f, level + 1, in + r * stride, stride * p, out + r * m, m, space);
  if (p == 2)
    join_two(f->roots, out, m, stride);
  else if (p == 4)
    join_four(f->roots, out, m, stride);
  else
    join(f->roots, out, m, p, stride, space);
}

void FOURIER(const hone_lines_fourier *f, const double *in, double *out, double *space) {
  transform(f, 0, (const number *)(const void *)in, 1, (number *)(void *)out, f->length,
            (number *)(void *)space);
}
