/* Rows for AVX2. Room: backend/cpu/lines. */
#define STRIPS hone_strips_avx2
#include "backend/cpu/lines/strips_body.h"
