/* Depthwise tiles for AVX2. Room: backend/cpu/products. */
#define PIXELS    4
#define DEPTHWISE hone_depthwise_avx2
#include "backend/cpu/products/depthwise_body.h"
