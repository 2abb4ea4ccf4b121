/* Products of bytes in 16-bit pairs. Room: backend/cpu/products. */
#define BYTES_SET hone_bytes_plain
#include "backend/cpu/products/multiply_bytes_body.h"
