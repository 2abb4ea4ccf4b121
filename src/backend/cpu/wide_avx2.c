/* Doubles and whole integers for AVX2. Room: backend/cpu. */
#define WIDE hone_wide_avx2
#include "backend/cpu/wide_body.h"
