/* Recurrent layers, f64. Room: backend/cpu/products. */
#define HONE_REAL_F64
#include "backend/cpu/products/recurrent_body.h"
