/* Fourier transforms for AVX2. Room: backend/cpu/lines. */
#define FOURIER hone_fourier_avx2
#include "backend/cpu/lines/fourier_body.h"
