/* The ops of a chain: avx2. Room: backend/cpu. */
#define CHAIN_SET hone_chain_avx2
#include "backend/cpu/chain_body.h"
