/* The softmax of attention for plain C. Room: backend/cpu/products. */
#define SOFTMAX_BLOCK hone_softmax_block_plain
#define SCALE         hone_scale_plain
#include "backend/cpu/products/attention_softmax_body.h"
