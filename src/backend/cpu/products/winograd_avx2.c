/* Winograd's transforms for AVX2. Room: backend/cpu/products. */
#include "backend/cpu/products/winograd_body.h"

WINOGRAD_SETS(avx2)
