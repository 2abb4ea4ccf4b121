/* Winograd's transforms for plain C. Room: backend/cpu. */
#include "backend/cpu/winograd_body.h"

WINOGRAD_SETS(plain)
