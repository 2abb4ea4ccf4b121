/* Fourier transforms for AVX-512. Room: backend/cpu/lines. */
#define FOURIER hone_fourier_avx512
#include "backend/cpu/lines/fourier_body.h"
