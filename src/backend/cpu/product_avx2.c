/* Tiles of products for AVX2. Room: backend/cpu. */
#define PRODUCT hone_product_avx2
#include "backend/cpu/product_body.h"
