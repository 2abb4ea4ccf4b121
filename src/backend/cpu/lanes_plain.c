/* Pointwise ops for plain C. Room: backend/cpu. */
#define LANES hone_lanes_plain
#include "backend/cpu/lanes_body.h"
