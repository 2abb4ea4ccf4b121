/* Numbers in order. Room: backend/cpu/lines. */
#define KEYS_SET hone_keys_plain
#include "backend/cpu/lines/keys_body.h"
