/* Tiles of products for AVX-512. Room: backend/cpu/products. */
#define PRODUCT hone_product_avx512
#include "backend/cpu/products/product_body.h"
