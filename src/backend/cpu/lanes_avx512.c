/* Pointwise ops for AVX-512. Room: backend/cpu. */
#define LANES hone_lanes_avx512
#include "backend/cpu/lanes_body.h"
