/* Preparing Fourier transforms. Room: backend/cpu/lines. */
#include "backend/cpu/lines/fourier.h"

#include <math.h>

hone_fourier_function *hone_fourier_here(void) {
#if defined(__x86_64__)
  if (hone_isa_runs(HONE_ISA_AVX512)) return hone_fourier_avx512;
  if (hone_isa_runs(HONE_ISA_AVX2)) return hone_fourier_avx2;
#endif
  return hone_fourier_plain;
}

/* Fours first, then the primes in order. */
static size_t next_factor(size_t n) {
  if (n % 4 == 0) return 4;
  for (size_t p = 2; p <= n / p; p++)
    if (n % p == 0) return p;
  return n;
}

hone_status *hone_fourier_plan(size_t length, bool inverse, hone_arena *arena,
                               hone_lines_fourier *out) {
  size_t numbers;
  if (!hone_mul(length, 2, &numbers)) return hone_error_memory();
  double *roots = HONE_NEW_ARRAY(arena, numbers + 2, double);
  HONE_TRY_MEMORY(roots);
  *out = (hone_lines_fourier){.length = length, .roots = roots, .most = 1};
  for (size_t n = length; n > 1; n /= out->factors[out->factor_count++]) {
    size_t p = next_factor(n);
    out->factors[out->factor_count] = p;
    if (p > out->most) out->most = p;
  }
  for (size_t i = 0; i < length; i++) {
    double angle = 2 * M_PI * (double)i / (double)length;
    roots[2 * i] = cos(angle);
    roots[2 * i + 1] = inverse ? sin(angle) : -sin(angle);
  }
  return NULL;
}
