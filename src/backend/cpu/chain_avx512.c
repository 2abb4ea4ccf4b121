/* The ops of a chain: avx512. Room: backend/cpu. */
#define CHAIN_SET hone_chain_avx512
#include "backend/cpu/chain_body.h"
