/* Activations for AVX2. Room: backend/cpu/products. */
#define ACTIVATE hone_activate_avx2
#include "backend/cpu/products/activation_body.h"
