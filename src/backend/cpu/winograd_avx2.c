/* Winograd's transforms for AVX2. Room: backend/cpu. */
#include "backend/cpu/winograd_body.h"

WINOGRAD_SETS(avx2)
