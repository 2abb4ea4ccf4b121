/* Fourier transforms of several lines at once, a line in each lane. Room: backend/cpu/lines.
 *
 * Mixed radix, decimation in time (Cooley and Tukey, 1965); a prime factor p costs p steps an
 * element. In doubles: exact zeros stay small against the rest of a spectrum. */
#ifndef HONE_BACKEND_CPU_LINES_FOURIER_H
#define HONE_BACKEND_CPU_LINES_FOURIER_H

#include "backend/cpu/simd/isa.h"
#include "base/memory.h"
#include "base/status.h"

#define HONE_FOURIER_LANES   8
#define HONE_FOURIER_FACTORS 64

typedef struct hone_lines_fourier {
  size_t length, factors[HONE_FOURIER_FACTORS];
  int factor_count;
  size_t most;         /* the largest factor */
  const double *roots; /* exp(-2 pi i k / length), or its conjugate: real, imaginary */
} hone_lines_fourier;

/* Numbers are [position][real, imaginary][lane], 64-byte aligned. `in` and `out` have `length`
 * positions and do not overlap, `space` has `most`. An inverse is not scaled. */
typedef void hone_fourier_function(const hone_lines_fourier *f, const double *in, double *out,
                                   double *space);

extern hone_fourier_function hone_fourier_plain;
#if defined(__x86_64__)
extern hone_fourier_function hone_fourier_avx512, hone_fourier_avx2;
#endif
/* The fastest that runs here. */
hone_fourier_function *hone_fourier_here(void);

HONE_MUST_USE hone_status *hone_fourier_plan(size_t length, bool inverse, hone_arena *arena,
                                             hone_lines_fourier *out);

#endif
