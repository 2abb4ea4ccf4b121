/* The softmax of attention for AVX2. Room: backend/cpu/products. */
#define SOFTMAX_BLOCK hone_softmax_block_avx2
#define SCALE         hone_scale_avx2
#include "backend/cpu/products/attention_softmax_body.h"
