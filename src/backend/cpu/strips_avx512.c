/* Rows for AVX-512. Room: backend/cpu. */
#define STRIPS hone_strips_avx512
#include "backend/cpu/strips_body.h"
