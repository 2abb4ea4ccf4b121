/* Depthwise tiles for plain C. Room: backend/cpu. */
#define PIXELS    4
#define DEPTHWISE hone_depthwise_plain
#include "backend/cpu/depthwise_body.h"
