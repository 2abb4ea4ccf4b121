/* Pointwise ops for plain C. Room: backend/cpu/lines. */
#define LANES hone_lanes_plain
#include "backend/cpu/lines/lanes_body.h"
