/* The softmax of attention for AVX-512. Room: backend/cpu/products. */
#define SOFTMAX_BLOCK hone_softmax_block_avx512
#define SCALE         hone_scale_avx512
#include "backend/cpu/products/attention_softmax_body.h"
