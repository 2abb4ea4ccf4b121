/* Pointwise ops over doubles and integers in plain C. Room: backend/cpu/lines. */
#define TYPED hone_typed_plain
#include "backend/cpu/lines/typed_body.h"
