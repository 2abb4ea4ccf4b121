/* Winograd's transforms for plain C. Room: backend/cpu/products. */
#include "backend/cpu/products/winograd_body.h"

WINOGRAD_SETS(plain)
WINOGRAD_LOW_SET(plain)
