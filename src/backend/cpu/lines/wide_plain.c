/* Doubles and whole integers for every processor. Room: backend/cpu/lines. */
#define WIDE hone_wide_plain
#include "backend/cpu/lines/wide_body.h"
