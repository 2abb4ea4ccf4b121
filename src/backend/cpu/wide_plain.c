/* Doubles and whole integers for every processor. Room: backend/cpu. */
#define WIDE hone_wide_plain
#include "backend/cpu/wide_body.h"
