/* Rows for plain C. Room: backend/cpu. */
#define STRIPS hone_strips_plain
#include "backend/cpu/strips_body.h"
