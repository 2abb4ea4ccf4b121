/* Winograd's transforms for AVX512_BF16. Room: backend/cpu/products. */
#include "backend/cpu/products/winograd_body.h"

WINOGRAD_LOW_SET(avx512bf16)
