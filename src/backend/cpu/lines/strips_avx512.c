/* Rows for AVX-512. Room: backend/cpu/lines. */
#define STRIPS hone_strips_avx512
#include "backend/cpu/lines/strips_body.h"
