/* Numbers in order. Room: backend/cpu/lines. */
#define KEYS_SET hone_keys_avx512
#include "backend/cpu/lines/keys_body.h"
