/* Tiles of products for AVX-512. Room: backend/cpu. */
#define PRODUCT hone_product_avx512
#include "backend/cpu/product_body.h"
