/* Activations for AVX-512. Room: backend/cpu. */
#define ACTIVATE hone_activate_avx512
#include "backend/cpu/activation_body.h"
