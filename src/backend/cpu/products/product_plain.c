/* Tiles of products for plain C. Room: backend/cpu/products. */
#define PRODUCT hone_product_plain
#include "backend/cpu/products/product_body.h"
