/* A plain Fourier transform of any length, by splitting off prime factors (Cooley and Tukey, 1965,
 * mixed radix, decimation in time). A prime length takes length^2 steps. Room: ops. */
#include <math.h>
#include <string.h>

#include "ops/fourier.h"

hone_status *hone_fourier_prepare(hone_reference *ref, size_t length, bool inverse,
                                  hone_fourier *out) {
  size_t numbers;
  out->length = length;
  if (!hone_mul(length, 2, &numbers)) return hone_error_memory();
  HONE_TRY(hone_scratch_reals(ref, numbers, &out->root));
  HONE_TRY(hone_scratch_reals(ref, numbers, &out->scratch));
  for (size_t i = 0; i < length; i++) {
    double angle = 2 * M_PI * (double)i / (double)length;
    out->root[2 * i] = cos(angle);
    out->root[2 * i + 1] = inverse ? sin(angle) : -sin(angle);
  }
  return NULL;
}

static size_t smallest_factor(size_t n) {
  for (size_t p = 2; p <= n / p; p++)
    if (n % p == 0) return p;
  return n;
}

/* Joins `p` transforms of m = n / p values that lie one after the other in `out`; root k of n is
 * root k * step of the whole length. */
static void combine(const hone_fourier *f, double *out, size_t n, size_t p, size_t step) {
  size_t m = n / p;
  for (size_t k = 0; k < m; k++) {
    for (size_t r = 0; r < p; r++) memcpy(f->scratch + 2 * r, out + 2 * (r * m + k), 16);
    for (size_t q = 0; q < p; q++) {
      double real = 0, imaginary = 0;
      for (size_t r = 0; r < p; r++) {
        const double *root = f->root + 2 * (r * (k + q * m) % n * step);
        const double *x = f->scratch + 2 * r;
        real += x[0] * root[0] - x[1] * root[1];
        imaginary += x[0] * root[1] + x[1] * root[0];
      }
      out[2 * (k + q * m)] = real;
      out[2 * (k + q * m) + 1] = imaginary;
    }
  }
}

/* Depth: the number of prime factors, at most 63. */
static void transform(const hone_fourier *f, const double *in, size_t stride, double *out,
                      size_t n) {
  if (n == 1) {
    memcpy(out, in, 2 * sizeof *out);
    return;
  }
  size_t p = smallest_factor(n), m = n / p;
  for (size_t r = 0; r < p; r++) transform(f, in + 2 * r * stride, stride * p, out + 2 * r * m, m);
  combine(f, out, n, p, f->length / n);
}

void hone_fourier_run(const hone_fourier *f, const double *in, double *out) {
  transform(f, in, 1, out, f->length);
}
