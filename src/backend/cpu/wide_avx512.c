/* Doubles and whole integers for AVX-512. Room: backend/cpu. */
#define WIDE hone_wide_avx512
#include "backend/cpu/wide_body.h"
