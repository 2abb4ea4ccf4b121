/* A plain Fourier transform of any length, for dft and stft. Room: ops. */
#ifndef HONE_OPS_FOURIER_H
#define HONE_OPS_FOURIER_H

#include "ops/operand.h"

typedef struct hone_fourier {
  size_t length;
  double *root;    /* exp(-2 pi i k / length), or its conjugate: pairs of real and imaginary */
  double *scratch; /* room for a combination step */
} hone_fourier;

/* Prepares transforms of `length` >= 1 with tables in the reference's scratch. */
HONE_MUST_USE hone_status *hone_fourier_prepare(hone_reference *ref, size_t length, bool inverse,
                                                hone_fourier *out);
/* `in` and `out` are `length` pairs each and do not overlap; an inverse is not scaled. */
void hone_fourier_run(const hone_fourier *f, const double *in, double *out);

#endif
