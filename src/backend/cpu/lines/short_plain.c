/* Short lines. Room: backend/cpu/lines. */
#define SHORT hone_short_plain
#include "backend/cpu/lines/short_body.h"
