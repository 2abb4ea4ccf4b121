/* Doubles and whole integers for AVX-512. Room: backend/cpu/lines. */
#define WIDE hone_wide_avx512
#include "backend/cpu/lines/wide_body.h"
