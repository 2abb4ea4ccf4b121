/* Tiles of products for AVX2. Room: backend/cpu/products. */
#define PRODUCT hone_product_avx2
#include "backend/cpu/products/product_body.h"
