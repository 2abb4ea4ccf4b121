/* The softmax of attention for plain C. Room: backend/cpu. */
#define SOFTMAX_BLOCK hone_softmax_block_plain
#define SCALE         hone_scale_plain
#include "backend/cpu/attention_softmax_body.h"
