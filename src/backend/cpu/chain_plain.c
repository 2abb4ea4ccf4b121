/* The ops of a chain: plain. Room: backend/cpu. */
#define CHAIN_SET hone_chain_plain
#include "backend/cpu/chain_body.h"
