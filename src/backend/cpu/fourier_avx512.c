/* Fourier transforms for AVX-512. Room: backend/cpu. */
#define FOURIER hone_fourier_avx512
#include "backend/cpu/fourier_body.h"
