/* Depthwise tiles for AVX-512. Room: backend/cpu. */
#define PIXELS    7
#define DEPTHWISE hone_depthwise_avx512
#include "backend/cpu/depthwise_body.h"
