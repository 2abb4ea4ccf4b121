/* Tiles of products for plain C. Room: backend/cpu. */
#define PRODUCT hone_product_plain
#include "backend/cpu/product_body.h"
