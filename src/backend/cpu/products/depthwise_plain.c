/* Depthwise tiles for plain C. Room: backend/cpu/products. */
#define PIXELS    4
#define DEPTHWISE hone_depthwise_plain
#include "backend/cpu/products/depthwise_body.h"
