/* Pointwise ops for AVX2. Room: backend/cpu/lines. */
#define LANES hone_lanes_avx2
#include "backend/cpu/lines/lanes_body.h"
