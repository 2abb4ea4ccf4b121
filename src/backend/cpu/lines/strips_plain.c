/* Rows for plain C. Room: backend/cpu/lines. */
#define STRIPS hone_strips_plain
#include "backend/cpu/lines/strips_body.h"
