/* Tiles of products for plain C. Room: backend/cpu. */
#define PRODUCT hone_product_plain
#define VECTOR  16
#include "backend/cpu/product_body.h"
