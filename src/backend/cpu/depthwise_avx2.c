/* Depthwise tiles for AVX2. Room: backend/cpu. */
#define PIXELS    4
#define DEPTHWISE hone_depthwise_avx2
#include "backend/cpu/depthwise_body.h"
