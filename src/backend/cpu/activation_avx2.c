/* Activations for AVX2. Room: backend/cpu. */
#define ACTIVATE hone_activate_avx2
#include "backend/cpu/activation_body.h"
