/* Short lines. Room: backend/cpu/lines. */
#define SHORT hone_short_avx512
#include "backend/cpu/lines/short_body.h"
