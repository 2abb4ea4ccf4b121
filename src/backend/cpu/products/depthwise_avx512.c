/* Depthwise tiles for AVX-512. Room: backend/cpu/products. */
#define PIXELS    7
#define DEPTHWISE hone_depthwise_avx512
#include "backend/cpu/products/depthwise_body.h"
