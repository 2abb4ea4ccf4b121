/* Pointwise ops over doubles and integers for AVX2. Room: backend/cpu/lines. */
#define TYPED hone_typed_avx2
#include "backend/cpu/lines/typed_body.h"
