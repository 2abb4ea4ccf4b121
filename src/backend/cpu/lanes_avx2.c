/* Pointwise ops for AVX2. Room: backend/cpu. */
#define LANES hone_lanes_avx2
#include "backend/cpu/lanes_body.h"
