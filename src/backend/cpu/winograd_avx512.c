/* Winograd's transforms for AVX-512. Room: backend/cpu. */
#include "backend/cpu/winograd_body.h"

WINOGRAD_SETS(avx512)
