/* Fourier transforms for AVX2. Room: backend/cpu. */
#define FOURIER hone_fourier_avx2
#include "backend/cpu/fourier_body.h"
