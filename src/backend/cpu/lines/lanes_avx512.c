/* Pointwise ops for AVX-512. Room: backend/cpu/lines. */
#define LANES hone_lanes_avx512
#include "backend/cpu/lines/lanes_body.h"
