/* Activations for AVX-512. Room: backend/cpu/products. */
#define ACTIVATE hone_activate_avx512
#include "backend/cpu/products/activation_body.h"
