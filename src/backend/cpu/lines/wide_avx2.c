/* Doubles and whole integers for AVX2. Room: backend/cpu/lines. */
#define WIDE hone_wide_avx2
#include "backend/cpu/lines/wide_body.h"
