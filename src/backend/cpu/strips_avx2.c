/* Rows for AVX2. Room: backend/cpu. */
#define STRIPS hone_strips_avx2
#include "backend/cpu/strips_body.h"
