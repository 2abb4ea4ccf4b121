/* Recurrent layers, f32. Room: backend/cpu/products. */
#include "backend/cpu/products/recurrent_body.h"
